import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { configurationReference, exampleConfig } from "../../scripts/configuration-docs.ts";
import { knownSettings } from "./known-settings.ts";
import { loadConfig } from "./load-config.ts";

const root = resolve(import.meta.dirname, "../..");
const remedy = "run: node scripts/write-configuration-docs.ts";

function read(path: string): string {
  return readFileSync(resolve(root, path), "utf8");
}

describe("files written from the table of settings", () => {
  test("config.example.yaml is up to date", () => {
    expect(read("config.example.yaml"), remedy).toBe(exampleConfig());
  });

  test("docs/configuration.md is up to date", () => {
    expect(read("docs/configuration.md"), remedy).toBe(configurationReference());
  });
});

test("config.example.yaml loads as it is and changes nothing", () => {
  const cwd = resolve(root, "no-such-directory");
  const argv = ["--config", resolve(root, "config.example.yaml")];
  const example = loadConfig({ argv, environment: {}, cwd });
  const defaults = loadConfig({ environment: {}, cwd });
  expect(example).toMatchObject({ ok: true });
  expect(example.ok && example.config).toEqual(defaults.ok && defaults.config);
  const given = knownSettings.filter(({ setting }) => setting.default !== null);
  for (const { path } of given) {
    expect(example.ok && example.origins.get(path)?.source).toBe("file");
  }
});

test("docs/configuration.md has every key and every environment name", () => {
  const text = read("docs/configuration.md");
  for (const { path, environment } of knownSettings) {
    for (const name of [path, ...environment]) expect(text).toContain(`\`${name}\``);
  }
});
