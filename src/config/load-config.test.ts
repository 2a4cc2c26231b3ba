import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { loadConfig, type ConfigSources, type LoadedConfig } from "./load-config.ts";
import { knownSettings } from "./known-settings.ts";
import type { Setting } from "./setting.ts";
import { settings, type Config } from "./settings.ts";

const base = mkdtempSync(join(tmpdir(), "chat-config-"));
afterAll(() => rmSync(base, { recursive: true }));
let cwd = base;
let count = 0;
beforeEach(() => {
  cwd = join(base, String((count += 1)));
  mkdirSync(cwd);
});

function write(name: string, text: string | Uint8Array): string {
  writeFileSync(join(cwd, name), text);
  return join(cwd, name);
}

function load(environment: Record<string, string> = {}, argv: string[] = []): LoadedConfig {
  const loaded = loadConfig({ argv, environment, cwd });
  if (!loaded.ok) throw new Error(loaded.faults.join("\n"));
  return loaded;
}

const isPlainSecret = ({ kind, rule }: Setting) => kind === "secret" && rule === undefined;

function faultsOf(sources: Partial<ConfigSources>): readonly string[] {
  const loaded = loadConfig({ environment: {}, cwd, ...sources });
  return loaded.ok ? [] : loaded.faults;
}

describe("where the configuration comes from", () => {
  test("without a file and an environment every setting has its default", () => {
    const { config, origins, file } = load();
    expect(file).toBeNull();
    for (const [section, keys] of Object.entries(settings)) {
      for (const [key, setting] of Object.entries(keys)) {
        expect(config[section as keyof Config]).toHaveProperty([key], setting.default);
        expect(origins.get(`${section}.${key}`)).toEqual({ source: "default" });
      }
    }
  });

  test("any name with _FILE behind it names a file with the value", () => {
    const secrets = knownSettings.filter(({ setting }) => isPlainSecret(setting));
    expect(secrets.length).toBeGreaterThan(5);
    for (const { path, section, key, environment } of secrets) {
      for (const name of environment) {
        write("secret", "s3cret-of-thirty-two-characters-x\r\n");
        const { config, origins } = load({ [`${name}_FILE`]: "secret" });
        const values = config[section as keyof Config];
        expect(values).toHaveProperty([key], "s3cret-of-thirty-two-characters-x");
        expect(origins.get(path)).toEqual({ source: "environment", name: `${name}_FILE` });
      }
    }
    write("url", "postgresql://chat:s3cret@db/chat\n");
    expect(load({ DATABASE_URL_FILE: join(cwd, "url") }).config.database.url).toBe(
      "postgresql://chat:s3cret@db/chat",
    );
  });

  test("a value's file that is missing, empty, or given beside the value is a fault without secrets", () => {
    write("empty", "\n");
    write("two", "s3cret\ns3cret\n");
    const environment = {
      DATABASE_URL_FILE: "nowhere",
      REDIS_PASSWORD_FILE: "empty",
      MODELS_API_KEY: "s3cret",
      MODELS_API_KEY_FILE: "two",
      AGNO_API_KEY_FILE: "two",
    };
    const faults = faultsOf({ environment });
    expect([...faults].sort()).toEqual([
      expect.stringMatching(/^DATABASE_URL_FILE .*nowhere does not exist/),
      expect.stringMatching(/^MODELS_API_KEY_FILE .*MODELS_API_KEY is set too/),
      expect.stringMatching(/^REDIS_PASSWORD_FILE .*is empty/),
      expect.stringMatching(/^agno\.api_key \(environment AGNO_API_KEY_FILE\): must be one line/),
    ]);
    expect(faults.join()).not.toContain("s3cret");
  });

  test("config.yaml in the working directory is read if it exists", () => {
    write("config.yaml", "service:\n  name: mine\n\n  port: 9000\n");
    const { config, origins, file } = load();
    expect(config.service).toMatchObject({ name: "mine", port: 9000, host: "127.0.0.1" });
    expect(file).toBe(join(cwd, "config.yaml"));
    expect(origins.get("service.port")).toEqual({ source: "file", path: "config.yaml", line: 4 });
  });

  test("--config wins over CHAT_CONFIG, which wins over config.yaml", () => {
    write("config.yaml", "service: {name: usual}");
    const other = write("other.yaml", "service: {name: other}");
    write("third.yaml", "service: {name: third}");
    expect(load({ CHAT_CONFIG: other }).config.service.name).toBe("other");
    expect(load({ CHAT_CONFIG: "" }).config.service.name).toBe("usual");
    for (const argv of [
      ["serve", "--config", "third.yaml"],
      ["--json", "--config=third.yaml"],
    ]) {
      expect(load({ CHAT_CONFIG: other }, argv).config.service.name).toBe("third");
    }
  });

  test("the environment wins over the file, key by key", () => {
    write("config.yaml", "database: {pool_size: 3, max_overflow: 4}");
    const { config, origins } = load({ DATABASE_POOL_SIZE: "7" });
    expect(config.database).toMatchObject({ pool_size: 7, max_overflow: 4 });
    expect(origins.get("database.pool_size")).toEqual({
      source: "environment",
      name: "DATABASE_POOL_SIZE",
    });
  });

  test.each(["", "# nothing\n", "service:\n", "service: {port: null}\nvoice: {stt: }\n", "~"])(
    "a file that says nothing (%j) leaves the defaults",
    (text) => {
      write("config.yaml", text);
      const { config, origins } = load();
      expect(config.service.port).toBe(8001);
      expect([...origins.values()].every((origin) => origin.source === "default")).toBe(true);
    },
  );

  test("the configuration is frozen to its depths, and the table of defaults is not touched", () => {
    const { config } = load({ MODELS_AGENTS: '[{"id":"a","name":"A","tools":["calculator"]}]' });
    expect(() => {
      (config.service as { port: number }).port = 1;
    }).toThrow(TypeError);
    expect(() => (config.models.agents[0]!.tools as string[]).push("y")).toThrow(TypeError);
    expect(() => (config.server.prefixes as string[]).push("y")).toThrow(TypeError);
    expect(Object.isFrozen(settings.server.prefixes.default)).toBe(false);
  });
});

describe("a file that cannot be used", () => {
  test.each([
    [
      ["--config", "missing.yaml"],
      {},
      /^--config: missing\.yaml \(.*missing\.yaml\) does not exist$/,
    ],
    [[], { CHAT_CONFIG: "missing.yaml" }, /^CHAT_CONFIG: missing\.yaml \(.*\) does not exist$/],
    [["--config", "."], {}, /is a directory/],
    [["--config"], {}, /^--config: needs the path of a file/],
    [["--config="], {}, /^--config: needs the path of a file/],
    [["--config", "--json"], {}, /^--config: needs the path of a file/],
  ])("%j with %j", (argv, environment, message) => {
    expect(faultsOf({ argv, environment })).toEqual([expect.stringMatching(message)]);
  });

  test("one that is too large or not UTF-8", () => {
    write("config.yaml", `# ${"x".repeat(1024 * 1024)}`);
    expect(faultsOf({})).toEqual([expect.stringContaining("is larger than 1 MB")]);
    write("config.yaml", Uint8Array.of(0x61, 0x3a, 0x20, 0xff));
    expect(faultsOf({})).toEqual([expect.stringContaining("is not UTF-8 text")]);
  });

  test("bad YAML is named by line, and the environment's faults come along", () => {
    write("config.yaml", "service:\n  name: 'x\n\n");
    expect(faultsOf({ environment: { PORT: "x" } })).toEqual([
      expect.stringMatching(/^config\.yaml line \d+: Missing closing 'quote/),
      expect.stringMatching(/^service\.port \(environment PORT\)/),
    ]);
  });
});

describe("faults", () => {
  test("all of them are found at once and name key, source, value and what is allowed", () => {
    write(
      "config.yaml",
      "service:\n  port: many\nlogging:\n  level: LOUD\ndatabase:\n  pool_sise: 3\n  migrate: perhaps\n",
    );
    const environment = {
      LIMITS_MAX_UPLOAD_SIZE: "10 apples",
      SECURITY_TRUSTED_PROXIES: "10.0.0.0/33",
      AUTH_MODE: "jwt",
    };
    expect(faultsOf({ environment })).toEqual([
      "database.pool_sise (config.yaml line 6): is not a known key; did you mean database.pool_size?",
      'service.port (config.yaml line 2): must be a whole number from 0 to 65535, but is "many"',
      'logging.level (config.yaml line 4): must be one of DEBUG, INFO, WARN, ERROR, but is "LOUD"',
      'database.migrate (config.yaml line 7): must be true or false, but is "perhaps"',
      expect.stringMatching(/^security\.trusted_proxies .*CIDR|range.*10\.0\.0\.0\/33/),
      'limits.max_upload_size (environment LIMITS_MAX_UPLOAD_SIZE): must be a size such as 65536, 64KB or 10MB, at least 1KB, but is "10 apples"',
      expect.stringMatching(/^auth\.mode: jwt needs/),
    ]);
  });

  test("values of secrets are not shown, whatever is wrong with them", () => {
    const environment = {
      DATABASE_URL: "mysql://root:hunter2@db/chat",
      REDIS_URL: "hunter2",
      AGNO_API_URL: "ftp://me:hunter2@host",
      EVENTS_URL: "http://me:hunter2/x@host:99999999/hook",
      MODELS_API_URL: "htp://host/v1?token=hunter2",
      AUTH_API_KEYS: '[{"name":"a","sha256":"hunter2","user_id":"u"}]',
      AGNO_SERVERS: "[{hunter2",
    };
    write("config.yaml", "security:\n  secret_key: [hunter2]\nmodels:\n  api_key: {hunter2: 1}\n");
    const faults = faultsOf({ environment });
    expect(faults).toHaveLength(9);
    expect(faults.join("\n")).not.toContain("hunter2");
  });

  test("of a secret that is at fault not even the host is shown", () => {
    expect(faultsOf({ environment: { DATABASE_URL: "postgres://u:%zz@host/db" } })).toEqual([
      expect.stringMatching(/^database\.url .* but is "\*{8}" \(not shown\)$/),
    ]);
  });

  test("a long value is cut, and line feeds are shown as such", () => {
    const [fault = ""] = faultsOf({ environment: { PORT: `1\n${"9".repeat(5000)}` } });
    expect(fault).toContain('"1\\n999');
    expect(fault.length).toBeLessThan(300);
  });

  test("a setting that is itself at fault does not draw others in", () => {
    const environment = { AUTH_MODE: "jwt", SECURITY_JWKS_URL: "no url" };
    expect(faultsOf({ environment })).toEqual([expect.stringMatching(/^security\.jwks_url/)]);
  });

  test("a key given twice, in two spellings, is a fault", () => {
    write("config.yaml", "voice:\n  stt: {model: a}\n  stt.model: b\n");
    expect(faultsOf({})).toEqual(["voice.stt.model (config.yaml line 3): is given a second time"]);
  });
});
