import { expect, test } from "vitest";
import { loadConfig } from "./load-config.ts";

function faultsOf(environment: Record<string, string>): readonly string[] {
  const loaded = loadConfig({ environment, cwd: "/nonexistent" });
  return loaded.ok ? [] : loaded.faults;
}

function servers(...list: readonly [name: string, api_url: string][]): string {
  return JSON.stringify(list.map(([name, api_url]) => ({ name, api_url })));
}

function agents(...list: readonly [id: string, ...handoffs: string[]][]): string {
  return JSON.stringify(list.map(([id, ...handoffs]) => ({ id, name: id, handoffs })));
}

test.each<[Record<string, string>, RegExp]>([
  [{ ENVIRONMENT: "production" }, /^auth\.mode: open .* refused .*allow_open_in_production/],
  [{ AUTH_MODE: "jwt" }, /^auth\.mode: jwt needs security\.secret_key .* security\.jwks_url/],
  ...["k", "x".repeat(40), "your-secret-key-change-in-production", "abcabcabc".repeat(9)].map(
    (key): [Record<string, string>, RegExp] => [
      { ENVIRONMENT: "production", AUTH_MODE: "jwt", SECURITY_SECRET_KEY: key },
      /^security\.secret_key: .*: whoever guesses it .* openssl rand/,
    ],
  ),
  [{ PORT: "8001", MONITORING_PORT: "8001" }, /^monitoring\.port: is that of the service/],
  [{ MONITORING_HOST: "10.0.0.1" }, /^monitoring\.host: needs monitoring\.port/],
  [{ MONITORING_TOKEN: "two words" }, /^monitoring\.token: must be of visible ASCII/],
  [{ MONITORING_TOKEN: "一二三" }, /^monitoring\.token: must be of visible ASCII/],
  [{ AUTH_MODE: "base-service" }, /^auth\.mode: base-service needs base_service\.url/],
  [
    { AGNO_API_URL: "http://a", AGNO_SERVERS: servers(["agno", "http://b"]) },
    /^agno\.servers: agno is the name of two/,
  ],
  [
    { AGNO_SERVERS: servers(["x", "http://a/"], ["y", "http://A"]) },
    /^agno\.servers: x and y have the same api_url/,
  ],
  [
    { MODELS_AGENTS: agents(["a", "b"]) },
    /^models\.agents: a hands over to b, which does not exist/,
  ],
  [{ MODELS_AGENTS: agents(["a", "a"]) }, /^models\.agents: a hands over to itself/],
  [
    { MODELS_AGENTS: agents(["a", "analyst"]), MODELS_DEFAULT_AGENTS: "false" },
    /^models\.agents: a hands over to analyst, which does not exist; there are a$/,
  ],
  [
    {
      MODELS_AGENTS: JSON.stringify([{ id: "a", name: "A", tools: ["calculator", "shell"] }]),
    },
    /^models\.agents: a names the unknown tool shell; there are current_time, calculator$/,
  ],
  [{ VOICE_STT_PROVIDER: "openai" }, /^voice\.stt\.provider: openai needs voice\.stt\.api_url or/],
  [{ VOICE_TTS_PROVIDER: "openai" }, /^voice\.tts\.provider: openai needs voice\.tts\.api_url or/],
  [{ VOICE_STT_PROVIDER: "command" }, /^voice\.stt\.provider: command needs voice\.stt\.command/],
  [{ VOICE_TTS_PROVIDER: "command" }, /^voice\.tts\.provider: command needs voice\.tts\.command/],
  ...(
    [
      ["schema=chatx", /"schema" is no parameter here; options=-csearch_path/],
      ["pgbouncer=true", /database\.pooler: pgbouncer/],
      ["connect_timeout=5", /database\.connect_timeout_ms/],
      ["sslmod=require", /"sslmod" is no parameter here; there are sslmode, /],
      ["sslmode=bogus", /sslmode must be one of disable, .*, no-verify/],
    ] as const
  ).map(([parameter, words]): [Record<string, string>, RegExp] => [
    { DATABASE_URL: `postgresql://h/db?${parameter}` },
    new RegExp(`^database\\.url: .*${words.source}`),
  ]),
  [
    { REDIS_URL: "rediss://h/0?rejectUnauthorized=false" },
    /^redis\.url: takes no parameters; .*tls/,
  ],
  [{ REDIS_URL: "redis://h/chat" }, /^redis\.url: .* number of a database/],
  [{ REDIS_URL: "redis://a,b/1" }, /^redis\.url: a Cluster has database 0/],
  [
    {
      AGNO_SERVERS: JSON.stringify([
        { name: "x", api_url: "http://a", api_key: "k", api_key_file: "/run/key" },
      ]),
    },
    /^agno\.servers: x has both api_key and api_key_file/,
  ],
  [{ TLS_CERT_FILE: "c.pem" }, /^tls: cert_file and key_file belong together/],
  [{ TLS_KEY_FILE: "k.pem" }, /^tls: cert_file and key_file belong together/],
  [{ REDIS_SENTINEL_NAME: "main" }, /^redis\.sentinel_name: needs redis\.url/],
  [
    { STREAMS_MAX_REPLY_BYTES: "1MB", STREAMS_MAX_TOTAL_BYTES: "512KB" },
    /^streams\.max_reply_bytes: must not be more than streams\.max_total_bytes/,
  ],
])("%j is refused", (environment, message) => {
  expect(faultsOf(environment)).toEqual([expect.stringMatching(message)]);
});

test.each<[Record<string, string>]>([
  [{ ENVIRONMENT: "production", AUTH_ALLOW_OPEN_IN_PRODUCTION: "yes" }],
  [{ AUTH_MODE: "jwt", SECURITY_SECRET_KEY: "k" }],
  [
    {
      ENVIRONMENT: "production",
      AUTH_MODE: "jwt",
      SECURITY_SECRET_KEY: "0123456789abcdef0123456789abcdef",
    },
  ],
  [{ AUTH_MODE: "jwt", SECURITY_JWKS_URL: "https://h/jwks" }],
  [{ AUTH_MODE: "base-service", BASE_SERVICE_URL: "http://h" }],
  [{ AGNO_API_URL: "http://a", AGNO_SERVERS: servers(["x", "http://a"], ["y", "http://b"]) }],
  [{ MODELS_AGENTS: agents(["a", "b", "creative"], ["b", "a"], ["general-chat", "a"]) }],
  [{ MODELS_AGENTS: agents(["a", "b"], ["b"]), MODELS_DEFAULT_AGENTS: "false" }],
  [{ VOICE_STT_PROVIDER: "openai", VOICE_TTS_PROVIDER: "openai", VOICE_API_URL: "http://h" }],
  [{ VOICE_STT_PROVIDER: "command", VOICE_STT_COMMAND: "pocketsphinx" }],
  [{ REDIS_SENTINEL_NAME: "main", REDIS_URL: "redis://a,b" }],
  [{ REDIS_SENTINEL_NAME: "main", REDIS_URL: "redis://a,b/2" }],
  [{ REDIS_URL: "rediss://:p@h:6380/2" }],
  [{ DATABASE_URL: "postgresql:///db?host=/run/postgresql" }],
  [
    {
      DATABASE_URL:
        "postgresql://h/db?sslmode=verify-full&sslrootcert=/a&options=-csearch_path%3Dx",
    },
  ],
  [{ TLS_CERT_FILE: "c.pem", TLS_KEY_FILE: "k.pem" }],
])("%j holds", (environment) => {
  expect(faultsOf(environment)).toEqual([]);
});
