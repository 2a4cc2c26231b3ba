import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";
import { knownSettings } from "./known-settings.ts";
import { loadConfig, type LoadedConfig } from "./load-config.ts";
import { mask } from "./mask.ts";
import { printConfig, showConfig } from "./print-config.ts";

const cwd = mkdtempSync(join(tmpdir(), "chat-print-"));
afterAll(() => rmSync(cwd, { recursive: true }));

const environment = {
  PORT: "9000",
  DATABASE_URL: "postgres://chat:s3cret@db/chat",
  SECURITY_SECRET_KEY: "s3cret",
  EVENTS_URL: "https://h/hook?token=s3cret",
  AGNO_SERVERS: '[{"name":"a","api_url":"http://u:s3cret@h","api_key":"s3cret"}]',
};

function load(): LoadedConfig {
  writeFileSync(join(cwd, "config.yaml"), "voice:\n  stt:\n    language: zh\n  api_key: s3cret\n");
  const loaded = loadConfig({ environment, cwd });
  if (!loaded.ok) throw new Error(loaded.faults.join("\n"));
  return loaded;
}

test("every setting is printed with where it came from", () => {
  const text = printConfig(load());
  expect(text).toMatch(/^# Effective configuration: .*config\.yaml, environment on top\n/);
  expect(text).toMatch(/^ {2}port: 9000 +# environment PORT$/m);
  expect(text).toMatch(/^ {2}host: 127\.0\.0\.1 +# default$/m);
  expect(text).toMatch(/^ {4}language: zh +# config\.yaml line 3$/m);
  expect(text).toMatch(/^ {2}max_upload_size: 10MB +# default$/m);
  expect(text).toMatch(/^ {2}url: postgres:\/\/chat:\*+@db\/chat +# environment DATABASE_URL$/m);
  expect(text.endsWith("\n")).toBe(true);
});

test("what is printed is YAML with every setting, its comments in one column", () => {
  const text = printConfig(load());
  const page = parse(text) as Record<string, Record<string, unknown>>;
  for (const { section, key } of knownSettings) {
    expect(page[section]).toHaveProperty(key);
  }
  const columns = text
    .split("\n")
    .filter((line) => / {2}# (default|environment|config)/.test(line) && line.length < 100)
    .map((line) => line.indexOf("  # "));
  expect(columns.length).toBeGreaterThan(100);
  expect(new Set(columns).size).toBe(1);
});

test("secrets are neither printed nor in the structure", () => {
  const loaded = load();
  const shown = showConfig(loaded);
  expect(printConfig(loaded)).not.toContain("s3cret");
  expect(JSON.stringify(shown)).not.toContain("s3cret");
  expect(shown).toHaveLength(knownSettings.length);
  expect(shown).toContainEqual({
    path: "security.secret_key",
    value: mask,
    origin: { source: "environment", name: "SECURITY_SECRET_KEY" },
  });
  expect(shown).toContainEqual({
    path: "database.pool_size",
    value: 10,
    origin: { source: "default" },
  });
  expect(loaded.config.security.secret_key).toBe("s3cret");
});

test("it says so if there is no file", () => {
  const loaded = loadConfig({ environment: {}, cwd: join(cwd, "none") });
  expect(loaded.ok && printConfig(loaded)).toMatch(
    /^# Effective configuration: no configuration file/,
  );
});
