import { join } from "node:path";
import { expect, test } from "vitest";
import { readEnvironmentValues } from "./environment-values.ts";

function valuesOf(environment: Record<string, string>): unknown {
  const { values, faults } = readEnvironmentValues(environment);
  expect(faults).toEqual([]);
  return values.map(({ path, raw, origin }) => [
    path,
    raw.type === "text" ? raw.text : raw,
    origin.source === "environment" ? origin.name : origin,
  ]);
}

test("names are section and key in capitals, dots as underscores", () => {
  expect(
    valuesOf({ VOICE_STT_PROVIDER: "openai", MODEL_SERVICE_URL: "http://m", DATABASE_URL: "x" }),
  ).toEqual([
    ["database.url", "x", "DATABASE_URL"],
    ["model_service.url", "http://m", "MODEL_SERVICE_URL"],
    ["voice.stt.provider", "openai", "VOICE_STT_PROVIDER"],
  ]);
});

test("further names count after the main one, in their order; empty ones are unset", () => {
  expect(valuesOf({ PORT: "1", HOST: "h", AGNO_API_BASE: "b", OPENAI_BASE_URL: "o" })).toEqual([
    ["service.host", "h", "HOST"],
    ["service.port", "1", "PORT"],
    ["agno.api_url", "b", "AGNO_API_BASE"],
    ["models.api_url", "o", "OPENAI_BASE_URL"],
  ]);
  expect(valuesOf({ PORT: "1", SERVICE_PORT: "2" })).toEqual([
    ["service.port", "2", "SERVICE_PORT"],
  ]);
  expect(valuesOf({ PORT: "1", SERVICE_PORT: "" })).toEqual([["service.port", "1", "PORT"]]);
  expect(valuesOf({ PORT: "" })).toEqual([]);
});

test.each([
  ["DATABASE_POOLSIZE", "DATABASE_POOL_SIZE"],
  ["DATABASE_POOL_SIZES", "DATABASE_POOL_SIZE"],
  ["DATABASE_STATEMENT_TIMEOUT", "DATABASE_STATEMENT_TIMEOUT_MS"],
  ["AGNO_TIMEOUT_SECONDS", "AGNO_TIMEOUT"],
  ["AGNO_API_BSE", "AGNO_API_BASE"],
  ["REDIS_URI", "REDIS_URL"],
  ["REDIS_PASSWD", "REDIS_PASSWORD"],
  ["VOICE_STT_PROVDR", "VOICE_STT_PROVIDER"],
  ["LOGGING_LEVELS", "LOGGING_LEVEL"],
  ["BASE_SERVICE_URI", "BASE_SERVICE_URL"],
  ["DATABASE_URL_FIEL", "DATABASE_URL_FILE"],
  ["DATABASE_URL_FILES", "DATABASE_URL_FILE"],
  ["DATABSE_URL", "DATABASE_URL"],
  ["DATBASE_URL_FILE", "DATABASE_URL_FILE"],
  ["OPENAI_APIKEY", "OPENAI_API_KEY"],
  ["OPENAI_BASEURL", "OPENAI_BASE_URL"],
  ["OPENAI_API_KEY_FIL", "OPENAI_API_KEY_FILE"],
])("%s is taken for a misspelt %s", (name, meant) => {
  expect(readEnvironmentValues({ [name]: "x" }).faults).toEqual([
    expect.stringMatching(`^${name} \\(environment\\): .*did you mean ${meant}\\?`),
  ]);
  expect(readEnvironmentValues({ [name]: "" }).faults).toEqual([]);
  expect(readEnvironmentValues({ [name]: "x", [meant]: "" }).faults).toEqual([]);
  const file = join(import.meta.dirname, "nearest.ts");
  const right = meant.endsWith("_FILE") ? file : "1";
  expect(readEnvironmentValues({ [name]: "x", [meant]: right }).faults).toEqual([]);
});

test.each([
  ["REDIS_HOST", "redis"],
  ["REDIS_PORT", "6379"],
  ["REDIS_DB", "0"],
  ["REDIS_TLS_URL", "rediss://x"],
  ["DATABASE_NAME", "x"],
  ["DATABASE_USER", "x"],
  ["DATABASE_PASSWORD", "x"],
  ["DATABASE_HOST", "x"],
  ["DATABASE_PORT", "5432"],
  ["DATABASE_POOL", "5"],
  ["SERVICE_VERSION", "1"],
  ["SERVICE_SERVICE_HOST", "10.0.0.1"],
  ["SERVICE_SERVICE_PORT_HTTP", "80"],
  ["SERVICE_PORT_80_TCP_ADDR", "10.0.0.1"],
  ["REDIS_SERVICE_HOST", "10.0.0.1"],
  ["REDIS_PORT_6379_TCP", "tcp://10.0.0.1:6379"],
  ["REDIS_ENV_REDIS_URLS", "x"],
  ["GATEWAY_PORT", "tcp://10.0.0.1:80"],
  ["GATEWAY_SERVICE_PORT", "80"],
  ["MODEL_SERVICE_PORT", "tcp://10.0.0.1:80"],
  ["BASE_SERVICE_SERVICE_HOST", "10.0.0.1"],
  ["SERVER_NAME", "x"],
  ["SERVER_PORT", "80"],
  ["SERVER_SOFTWARE", "x"],
  ["AUTH_TOKEN", "x"],
  ["LOGGING_LEVEL_ROOT", "INFO"],
  ["LOGGING_FILE_NAME", "x"],
  ["OPENAI_ORGANIZATION", "x"],
  ["OPENAI_PROXY", "x"],
  ["HOSTNAME", "x"],
  ["PORTS", "x"],
  ["PATH", "/bin"],
  ["npm_config_loglevel", "x"],
])("%s belongs to somebody else", (name, value) => {
  expect(readEnvironmentValues({ [name]: value })).toEqual({ values: [], faults: [] });
});

test("an address put in place of a port by the platform is not ours", () => {
  expect(valuesOf({ SERVICE_PORT: "tcp://10.0.0.1:80", PORT: "1" })).toEqual([
    ["service.port", "1", "PORT"],
  ]);
});

test.each([
  ["OPENAI_API_KEY", "${OPENAI_KEY}"],
  ["OPENAI_API_KEY", "${OPENAI_KEY:-none}"],
  ["SECURITY_SECRET_KEY", "$(SECRET)"],
  ["SECURITY_SECRET_KEY", "{{ .Values.secret }}"],
  ["DATABASE_URL", "postgresql://chat:${PASSWORD}@db/chat"],
  ["REDIS_URL", "redis://$(REDIS_SERVICE_HOST):6379"],
])("%s with %s is told: nobody has put a value there", (name, text) => {
  expect(readEnvironmentValues({ [name]: text })).toEqual({
    values: [],
    faults: [expect.stringMatching(`^${name} \\(environment\\): holds a variable`)],
  });
});

test.each([
  "a${b}c",
  "pa$$word",
  "{x}",
  "$(",
  "${}",
  '[{"say": "{{name}} of https://a.example, ${x}"}]',
])("a secret may be %s", (text) => {
  expect(valuesOf({ SECURITY_SECRET_KEY: text })).toEqual([
    ["security.secret_key", text, "SECURITY_SECRET_KEY"],
  ]);
});
