import { isHeaderText, isText, isTextList, listOf, nested, optional, required } from "./list-of.ts";
import { mcpServers, type ConfiguredMcpServer } from "./mcp-servers.ts";
import {
  addressRange,
  baseUrl,
  browserOrigin,
  databaseUrl,
  hostName,
  hostPattern,
  reachableHost,
  redisUrl,
  urlPath,
  urlPathOrEmpty,
  webUrl,
} from "./rules.ts";
import {
  boolean,
  bytes,
  choice,
  integer,
  json,
  list,
  number,
  secret,
  text,
  type Setting,
} from "./setting.ts";

function contextTokens(value: unknown): string | null {
  const isSize = (each: unknown) =>
    Number.isInteger(each) && (each as number) >= 256 && (each as number) <= 100_000_000;
  if (value === null || isSize(value)) return null;
  if (typeof value === "object" && !Array.isArray(value) && Object.values(value).every(isSize)) {
    return null;
  }
  return "must be a whole number from 256, or an object of such by model, with default for the others";
}

/** An agent of the `models` backend, as written in `models.agents`. */
export interface ConfiguredAgent {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly instructions?: string;
  readonly model?: string;
  readonly temperature?: number;
  /** What one might ask it first. */
  readonly suggested_prompts?: readonly string[];
  readonly tools?: readonly string[];
  /** Ids of agents it may delegate to. */
  readonly handoffs?: readonly string[];
  /** Servers whose tools it has. */
  readonly mcp?: readonly ConfiguredMcpServer[];
}

/** An AgentOS server, as written in `agno.servers`. */
export interface AgnoServer {
  readonly name: string;
  readonly api_url: string;
  readonly api_key?: string;
  readonly api_key_file?: string;
}

/** Who is told of what happens, as written in `events.receivers`. */
export interface EventReceiver {
  readonly url: string;
  readonly secret?: string;
  /** Types of events; absent: all. */
  readonly events?: readonly string[];
}

/** What `events` of a receiver may hold: the types of `src/events/business-event.ts`. */
const eventTypes: readonly string[] = [
  "chat_session.created",
  "chat_message.processed",
  "chat_message.failed",
  "chat_message.cancelled",
  "chat_message.interrupted",
  "chat_message.paused",
  "budget.warning",
];

/** Of a million tokens, as written in `models.prices`; all in one currency. */
export interface ModelPrice {
  readonly input: number;
  readonly output: number;
  /** Of input read from a cache; absent: as `input`. */
  readonly cached?: number;
  /** Of output that is thinking; absent: as `output`. */
  readonly reasoning?: number;
}

const isPrice = (value: unknown) =>
  typeof value === "number" && value >= 0 && value <= 1_000_000_000;
const price = "a number from 0";
const pricesFault = listOf(
  "prices",
  {
    input: required(price, isPrice),
    output: required(price, isPrice),
    cached: optional(price, isPrice),
    reasoning: optional(price, isPrice),
  },
  [],
);

function modelPrices(value: unknown): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return "must be an object of prices by model";
  }
  for (const [model, given] of Object.entries(value)) {
    const fault = pricesFault([given]);
    if (fault !== null) return fault.replace(/^item 1 /, `${model} `);
  }
  return null;
}

/** What may be used in a time, as written in `limits.budgets`: tokens or money. */
export interface Budget {
  /** `user`, `key`: of each of them. */
  readonly scope: "user" | "key" | "all";
  /** Of UTC. */
  readonly period: "day" | "month";
  readonly tokens?: number;
  /** In the currency of `models.prices`. */
  readonly money?: number;
}

const amount = (value: unknown) => typeof value === "number" && value > 0 && value <= 1e15;
const budgetsFault = listOf(
  "budgets",
  {
    scope: required("user, key or all", (value) => ["user", "key", "all"].includes(String(value))),
    period: required("day or month", (value) => value === "day" || value === "month"),
    tokens: optional("a number above 0", amount),
    money: optional("a number above 0", amount),
  },
  [],
);

function budgetList(value: unknown): string | null {
  const fault = budgetsFault(value);
  if (fault !== null) return fault;
  const index = (value as readonly Budget[]).findIndex(
    ({ tokens, money }) => (tokens === undefined) === (money === undefined),
  );
  return index < 0 ? null : `item ${index + 1} needs either tokens or money, not both`;
}

/** A key for another service, as written in `auth.api_keys`. */
export interface ConfiguredApiKey {
  readonly name: string;
  /** Hex SHA-256 of the key. */
  readonly sha256: string;
  readonly user_id: string;
  readonly roles?: readonly string[];
  /** Only these actions are allowed, such as access_chat_session, and these agents; absent: whatever the roles allow. */
  readonly scopes?: readonly string[];
  /** Its front end says in each request for which of its users it is. */
  readonly acts_for_users?: boolean;
  /** What becomes of a reply when its client closes the connection, in protocols whose clients stop it so. */
  readonly on_disconnect?: "continue" | "cancel";
}

// Timers of Node run at once when set further ahead than 2^31 ms, so that what they wait for is bounded.
const day = 86_400;
const dayInMilliseconds = 1000 * day;

const name = required("text", isText);
const words = optional("text", isText);
const wordList = optional("a list of texts", isTextList);
const userId = required(
  "text of 1 to 128 characters",
  (value) => isText(value) && String(value).length <= 128,
);
const agentId = required(
  "text of 1 to 128 characters without spaces and slashes",
  (value) => typeof value === "string" && /^[^\s/\p{Cc}]{1,128}$/u.test(value),
);

/** What `scopes` of a key may hold: the actions of `src/identity/identity.ts`. */
const apiKeyScopes: readonly string[] = [
  "create_chat_session",
  "access_chat_session",
  "send_message",
  "delete_chat_session",
  "manage_sessions",
];

/** Every key of `config.yaml` by section, with its default and meaning. `voice` keys with a dot are nested. */
export const settings = {
  service: {
    name: text("Name under which the service reports itself", "chat-service"),
    environment: choice(
      "production hides /docs, logs JSON and refuses auth.mode open",
      ["development", "test", "production"],
      "development",
      { env: ["ENVIRONMENT"] },
    ),
    host: text("Address to listen on; 0.0.0.0 for all", "127.0.0.1", {
      env: ["HOST"],
      rule: hostName,
    }),
    port: integer("Port to listen on; 0 for any free one", 8001, {
      env: ["PORT", "SERVICE_PORT"],
      maximum: 65_535,
    }),
    data_dir: text("Where embedded storage lives", "./data"),
  },
  server: {
    prefixes: list("Every path is served below these as well", ["/api", "/api/v1"], {
      rule: urlPath,
    }),
    public_url: text(
      "Where people reach the service, such as https://chat.example.com/api; with it the links to shared conversations are whole",
      null,
      { rule: baseUrl },
    ),
    heartbeat_seconds: number("A comment line on silent streams this often", 15, {
      minimum: 0.05,
      maximum: 300,
    }),
    drain_seconds: number("How long running replies may go on after SIGTERM", 25, {
      minimum: 0,
      maximum: 3600,
    }),
    shutdown_delay_seconds: number(
      "After SIGTERM, keep accepting this long so that balancers notice (0 on one machine)",
      0,
      { minimum: 0, maximum: 60 },
    ),
    request_timeout_seconds: number(
      "For receiving a request's head, and for each 128 KiB of its body",
      30,
      {
        minimum: 1,
        maximum: 3600,
      },
    ),
    keep_alive_timeout_seconds: number("Idle connections; above the balancer's own", 95, {
      minimum: 1,
      maximum: 3600,
    }),
    max_event_loop_delay_ms: integer("Beyond this /health/liveness answers 503", 5_000, {
      minimum: 10,
      maximum: dayInMilliseconds,
    }),
  },
  database: {
    url: secret("postgresql://user:password@host:5432/name; unset: embedded PostgreSQL", {
      rule: databaseUrl,
    }),
    pool_size: integer("Connections kept", 10, { minimum: 1, maximum: 1000 }),
    max_overflow: integer("Connections beyond pool_size under load", 20, { maximum: 1000 }),
    pool_timeout_ms: integer("How long a query waits for a connection", 2_000, {
      minimum: 1,
      maximum: dayInMilliseconds,
    }),
    connect_timeout_ms: integer("For opening a connection", 3_000, {
      minimum: 1,
      maximum: dayInMilliseconds,
    }),
    wait_seconds: number("At a start: how long to wait for a server that is not there yet", 60, {
      minimum: 0,
      maximum: day,
    }),
    statement_timeout_ms: integer("For one statement; 0 is none", 5_000, {
      maximum: dayInMilliseconds,
    }),
    pooler: choice(
      "pgbouncer: no session state is used on connections",
      ["none", "pgbouncer"],
      "none",
    ),
    migrate: boolean("Apply migrations at start; otherwise only check them", true),
  },
  redis: {
    url: secret(
      "redis:// or rediss://; several comma-separated hosts: Cluster; unset: in this process",
      { rule: redisUrl },
    ),
    password: secret("Where it is not part of the URL"),
    sentinel_name: text("Name of the master, if the hosts are Sentinels", null),
    max_connections: integer(
      "No effect: two connections carry everything, however many callers there are",
      10,
      { minimum: 1, maximum: 1000 },
    ),
    key_prefix: text("In front of every key", "chat:"),
    command_timeout_ms: integer("For one command", 1_000, { minimum: 10, maximum: 600_000 }),
  },
  tls: {
    ca_file: text(
      "PEM file of private authorities, trusted beside the public ones in all connections that this service opens",
      null,
    ),
    cert_file: text("PEM file of the certificate shown to servers that ask for one", null),
    key_file: text("PEM file of its key", null),
  },
  agno: {
    api_url: text("AgentOS server, such as http://127.0.0.1:7777", null, {
      env: ["AGNO_API_BASE"],
      rule: baseUrl,
    }),
    api_key: secret("Security key of AgentOS", { isHeader: true }),
    api_key_file: text(
      "File with that key; it may change at any time: read again when the key is refused, and with every listing",
      null,
    ),
    servers: json<readonly AgnoServer[]>(
      "Several AgentOS servers: a list of {name, api_url, api_key or api_key_file}",
      [],
      listOf(
        "servers",
        {
          name,
          api_url: required(
            baseUrl.words,
            (value) => isText(value) && baseUrl.holds(String(value)),
          ),
          api_key: optional("text in ASCII, in one line", isHeaderText),
          api_key_file: optional("the path of a file", isText),
        },
        ["name"],
      ),
      {
        secretMembers: ["api_key"],
        example: [
          { name: "research", api_url: "http://10.0.0.5:7777", api_key: "its security key" },
          {
            name: "support",
            api_url: "http://10.0.0.6:7777",
            api_key_file: "/run/secrets/support-key",
          },
        ],
      },
    ),
    forward_user_token: boolean("Send the caller's own token to AgentOS instead of api_key", false),
    timeout: number(
      "Seconds without any event after which AgentOS is asked whether a run is still alive; its model may take five times as long",
      30,
      {
        minimum: 0.1,
        maximum: 3600,
      },
    ),
    max_retries: integer("For starting a run, only where that is safe", 3, { maximum: 10 }),
    history: choice(
      "server: AgentOS remembers; replay: the last messages are sent along; auto: replay when it has forgotten",
      ["server", "replay", "auto"],
      "auto",
    ),
    background: boolean(
      "Run in the background of AgentOS where it can, so that runs can be resumed",
      true,
    ),
    refresh_seconds: number("Seconds between listings of its agents", 60, {
      minimum: 1,
      maximum: day,
    }),
  },
  models: {
    api_url: text("OpenAI-compatible base URL, such as http://127.0.0.1:11434/v1", null, {
      env: ["OPENAI_BASE_URL", "OPENAI_API_BASE"],
      rule: baseUrl,
    }),
    api: choice(
      "Protocol that it is asked in: chat completions, which every such server speaks, or OpenAI's Responses API",
      ["completions", "responses"],
      "completions",
    ),
    api_key: secret("Key for it", { env: ["OPENAI_API_KEY"], isHeader: true }),
    default_model: text("Model for agents that name none; unset: the endpoint's first", null),
    agents: json<readonly ConfiguredAgent[]>(
      "Agents beside or instead of general-chat, analyst and creative",
      [],
      listOf(
        "agents",
        {
          id: agentId,
          name,
          description: words,
          instructions: words,
          model: words,
          temperature: optional(
            "a number from 0 to 2",
            (value) => typeof value === "number" && value >= 0 && value <= 2,
          ),
          suggested_prompts: wordList,
          tools: wordList,
          handoffs: wordList,
          mcp: nested(mcpServers),
        },
        ["id"],
      ),
      {
        secretMembers: ["api_key", "headers", "env"],
        example: [
          {
            id: "travel",
            name: "Travel planner",
            instructions: "Plan trips and name prices.",
            temperature: 0.5,
            suggested_prompts: ["Three days in Lisbon, by train"],
            handoffs: ["analyst"],
            mcp: [{ name: "maps", url: "https://maps.example.com/mcp", api_key: "its-key" }],
          },
        ],
      },
    ),
    default_agents: boolean("Offer general-chat, analyst and creative", true),
    context_tokens: json<number | Readonly<Record<string, number>> | null>(
      "Tokens that models take, prompt and answer together: a number, or one for each model and a default; unset: as the endpoint tells, else 32768",
      null,
      contextTokens,
      { example: { default: 32_768, "qwen3:8b": 8_192 } },
    ),
    prices: json<Readonly<Record<string, ModelPrice>>>(
      "What a million tokens cost, by model, all in one currency: input, output, cached (read from a cache), reasoning (thinking)",
      {},
      modelPrices,
      { example: { "gpt-4o-mini": { input: 0.15, output: 0.6, cached: 0.075 } } },
    ),
    timeout: number(
      "Seconds without any token, after the first, after which a reply has failed",
      60,
      {
        minimum: 0.1,
        maximum: 3600,
      },
    ),
    first_token_timeout: integer(
      "The same before the first token, for models that have to be loaded; unset: five times timeout",
      null,
      { minimum: 1, maximum: 3600 },
    ),
  },
  model_service: {
    url: text("Base URL of a Model Service", null, { rule: baseUrl }),
    api_key: secret("Key for it", { isHeader: true }),
    cache_ttl_seconds: number("How long its catalogue is kept", 60, { maximum: day }),
  },
  builtin: {
    agents: choice(
      "The agents that need no model; auto: only when neither models, model_service nor agno is set",
      ["auto", "always", "never"],
      "auto",
    ),
  },
  voice: {
    enabled: boolean("Speech in and out", true),
    api_url: text("OpenAI-compatible audio base URL, for both directions", null, { rule: baseUrl }),
    api_key: secret("Key for it", { isHeader: true }),
    retention_hours: number("How long spoken replies are kept", 24, { maximum: 87_600 }),
    max_listeners: integer("WebSockets that may send sound to this process at a time", 100, {
      minimum: 1,
    }),
    "stt.provider": choice(
      "auto: openai if api_url is set, then stt.command; else off",
      ["auto", "openai", "command", "sherpa", "off"],
      "auto",
    ),
    "stt.api_url": text("Speech recognition elsewhere than voice.api_url", null, { rule: baseUrl }),
    "stt.api_key": secret("Key for it", { isHeader: true }),
    "stt.model": text("Model name sent to the provider, or model folder for sherpa", null),
    "stt.language": text("Language when the caller names none, such as zh or en", null),
    "stt.command": list(
      "Preset (pocketsphinx, whisper-cli), or program and arguments with {input} {output} {language} {model}",
      [],
    ),
    "tts.provider": choice(
      "auto: openai if api_url is set, then tts.command, flite for English, espeak-ng, if installed, for Chinese",
      ["auto", "openai", "flite", "command", "sherpa", "off"],
      "auto",
    ),
    "tts.api_url": text("Speech synthesis elsewhere than voice.api_url", null, { rule: baseUrl }),
    "tts.api_key": secret("Key for it", { isHeader: true }),
    "tts.model": text("Model name sent to the provider, or model folder for sherpa", null),
    "tts.voice": text("Voice when the caller names none", null),
    "tts.voices": list("Voices offered when the provider has no list", []),
    "tts.language": text("Language of pieces whose language cannot be told", null),
    "tts.command": list(
      "Preset (espeak-ng, piper), or program and arguments with {text_file} {output} {voice} {speed} {language} {model}",
      [],
    ),
    "tts.pcm_sample_rate": integer("If set, ask for pcm and take this rate (Hz)", null, {
      minimum: 8_000,
      maximum: 192_000,
    }),
  },
  gateway: {
    url: text("Base URL of a Gateway Service to register with", null, { rule: baseUrl }),
    api_key: secret("Key for it", { isHeader: true }),
    service_id: text("instance_id; unset: service name, host and port", null),
    health_check_interval: number("Seconds between registrations", 30, {
      minimum: 1,
      maximum: day,
    }),
    advertise_host: text("Address others reach this node at; unset: found out", null, {
      rule: reachableHost,
    }),
    advertise_port: integer("Port others reach this node at; unset: service.port", null, {
      minimum: 1,
      maximum: 65_535,
    }),
    weight: integer("For weighted balancing", 1, { minimum: 1, maximum: 1000 }),
    register_path: text("Fixes the path of the registration call", null, { rule: urlPath }),
  },
  base_service: {
    url: text("Base URL of a Base Service (users, permissions)", null, { rule: baseUrl }),
    prefix: text("In front of its paths", "/api/v1", { rule: urlPathOrEmpty }),
    cache_ttl_seconds: number("How long identities and verdicts are kept", 30, { maximum: day }),
    on_unreachable: choice(
      "When it cannot be asked: deny, or allow reading to users it has just confirmed",
      ["deny", "allow_read"],
      "deny",
    ),
  },
  auth: {
    mode: choice(
      "open: callers name their user_id; jwt: signed tokens; base-service: ask it",
      ["open", "jwt", "base-service"],
      "open",
    ),
    api_keys: json<readonly ConfiguredApiKey[]>(
      "Keys for services: a list of {name, sha256, user_id, roles, scopes, acts_for_users, on_disconnect}",
      [],
      listOf(
        "keys",
        {
          name,
          sha256: required(
            "the SHA-256 of the key in 64 lower-case hex digits, as sha256sum prints it",
            (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
          ),
          user_id: userId,
          roles: wordList,
          scopes: optional(
            `a list of ${apiKeyScopes.join(", ")} and agents:<id>:run`,
            (value) =>
              Array.isArray(value) &&
              value.every(
                (scope) =>
                  typeof scope === "string" &&
                  (apiKeyScopes.includes(scope) || /^agents:[^\s/\p{Cc}]{1,200}:run$/u.test(scope)),
              ),
          ),
          acts_for_users: optional("true or false", (value) => typeof value === "boolean"),
          on_disconnect: optional(
            "continue or cancel",
            (value) => value === "continue" || value === "cancel",
          ),
        },
        ["name", "sha256"],
      ),
      {
        secretMembers: ["sha256"],
        example: [
          {
            name: "reports",
            sha256: "c48dd3d02924ebed66ed954dc8211f3cada6a64874bea96e6b57749b33438617",
            user_id: "reports-service",
            roles: ["reader"],
          },
        ],
      },
    ),
    allow_open_in_production: boolean(
      "Start in open mode although environment is production",
      false,
    ),
  },
  audit: {
    retention_days: integer(
      "What administrators did, and what they reached of others', is kept for so many days; 0: for ever",
      365,
      { maximum: 36_500 },
    ),
  },
  security: {
    secret_key: secret("HS256 secret of the tokens"),
    jwks_url: text("Where the public keys of the tokens are", null, { rule: webUrl }),
    issuer: text("Required iss of tokens", null),
    audience: text("Required aud of tokens", null),
    clock_skew_seconds: number("Tolerance for exp and nbf", 60, { maximum: 300 }),
    allowed_hosts: list(
      "Host names answered; * for all; unset: all, but in auth.mode open on a loopback address without trusted proxies only this machine's own",
      [],
      { rule: hostPattern },
    ),
    cors_origins: list("Origins whose pages may use this service beside its own; * for all", [], {
      rule: browserOrigin,
    }),
    trusted_proxies: list("Addresses (CIDR) whose X-Forwarded-For is believed", [], {
      rule: addressRange,
    }),
  },
  logging: {
    level: choice("Least serious line written", ["DEBUG", "INFO", "WARN", "ERROR"], "INFO"),
    format: choice(
      "auto: pretty in development, json otherwise",
      ["auto", "pretty", "json"],
      "auto",
    ),
    file_path: text("All lines also to this file, such as ./logs/chat-service.log", null),
    error_file_path: text("Errors also to this file, such as ./logs/error.log", null),
    access_file_path: text("One line a request to this file, such as ./logs/access.log", null),
    max_size: bytes("A log file is rotated at this size", 100 * 1024 * 1024, { minimum: 1024 }),
    backup_count: integer("Rotated files kept", 5, { maximum: 1000 }),
  },
  monitoring: {
    metrics_enabled: boolean("Serve metrics", true),
    metrics_path: text("Where Prometheus scrapes", "/metrics", { rule: urlPath }),
    port: integer(
      "A port apart for whoever watches: health, and there alone metrics and details; unset: all on service.port",
      null,
      { maximum: 65_535 },
    ),
    host: text("Address to listen on for monitoring.port; unset: service.host", null, {
      rule: hostName,
    }),
    token: secret("Bearer token without which nobody gets metrics and details; unset: anybody"),
    health_check_timeout: number("Seconds a dependency probe may take", 10, {
      minimum: 0.1,
      maximum: 300,
    }),
    otlp_endpoint: text("OpenTelemetry collector (HTTP); unset: no traces", null, {
      rule: baseUrl,
    }),
  },
  limits: {
    max_message_length: integer("Characters in a message", 10_000, { minimum: 1 }),
    max_body_size: bytes("A JSON request, without the files in it", 1024 * 1024, { minimum: 1024 }),
    max_upload_size: bytes("An upload", 10 * 1024 * 1024, { minimum: 1024 }),
    max_import_size: bytes(
      "A file of conversations to import, as it comes and unpacked",
      1024 * 1024 * 1024,
      { minimum: 1024 },
    ),
    message_rate_limit: integer("Messages a minute and user; 0: no limit", 100),
    speech_rate_limit: integer("Recordings and texts to speak a minute and user; 0: no limit", 60),
    read_rate_limit: integer(
      "Requests that read, a minute and user, on this node; 0: no limit",
      1_200,
    ),
    search_rate_limit: integer("Searches a minute and user, on this node; 0: no limit", 120),
    write_rate_limit: integer(
      "Requests that change something, a minute and user, on this node; 0: no limit",
      300,
    ),
    upload_rate_limit: bytes(
      "Request bodies and WebSocket messages a minute and user, on this node; 0: no limit",
      256 * 1024 * 1024,
    ),
    max_stored_bytes_per_user: bytes(
      "Files and sound that are kept for a user, in all sessions together; 0: no limit",
      1024 * 1024 * 1024,
    ),
    max_received_bytes: bytes(
      "Request bodies that are read or worked on at a time on this node; a quarter for each user",
      128 * 1024 * 1024,
      { minimum: 1024 * 1024 },
    ),
    max_concurrent_requests_per_user: integer(
      "Short requests of one user that are worked on at a time on this node, pages of lists and searches count as four; others wait; 0: no limit",
      8,
    ),
    address_rate_limit: integer("Requests a minute and address; 0: no limit", 0),
    max_concurrent_replies: integer("Running replies on this node", 500, { minimum: 1 }),
    max_concurrent_replies_per_agent: integer(
      "Running replies of one source of agents (agno, models, …), all its agents together, on this node",
      250,
      {
        minimum: 1,
      },
    ),
    max_concurrent_replies_per_user: integer(
      "Running replies of one user on this node; 0: no limit",
      0,
    ),
    max_queued_per_session: integer("Messages that may wait in one session", 8),
    max_concurrent_sessions: integer("Active sessions of one user; 0: no limit", 0),
    budgets: json<readonly Budget[]>(
      "What may be used: scope (user: each; key: each API key; all: together), period (day, month; UTC), tokens or money (as in models.prices)",
      [],
      budgetList,
      {
        example: [
          { scope: "user", period: "day", tokens: 200_000 },
          { scope: "all", period: "month", money: 500 },
        ],
      },
    ),
    max_viewers: integer("Open streams on this node", 5_000, { minimum: 1 }),
    max_viewers_per_user: integer(
      "Open streams and WebSockets of one user on this node; 0: no limit",
      100,
    ),
  },
  sessions: {
    default_agent: text(
      "For sessions that name none; unset: general-chat, else the first there is",
      null,
    ),
    retention_days: integer(
      "Sessions without activity that nobody has pinned are deleted after so many days; 0: never",
      0,
      {
        maximum: 36_500,
      },
    ),
    cache_ttl_seconds: number(
      "No effect: sessions are read from the database, so that no node shows an old one",
      3_600,
      { maximum: 20 * day },
    ),
    titles: choice(
      "Of sessions that nobody has named: after the first reply by a model, where one is configured (model), or the first words of what was said",
      ["model", "first_words"],
      "model",
    ),
    long_conversations: choice(
      "What of a conversation has no room with its model: put into few words by that model (summarise), or left out",
      ["summarise", "drop"],
      "summarise",
    ),
    history_messages: integer(
      "Messages of context at most for agents without memory of their own; 0: as many as their model has room for",
      0,
      { maximum: 1000 },
    ),
    idempotency_hours: number("How long an Idempotency-Key is remembered", 24, {
      minimum: 0.001,
      maximum: 8_760,
    }),
  },
  streams: {
    retention_seconds: number("How long the events of an ended reply are kept", 3_600, {
      maximum: 20 * day,
    }),
    max_reply_bytes: bytes("Events kept of one reply", 1024 * 1024, { minimum: 4096 }),
    max_total_bytes: bytes("Events kept in this process", 256 * 1024 * 1024, { minimum: 65_536 }),
    max_reply_seconds: number("A reply is stopped after this", 900, { minimum: 0.1, maximum: day }),
    max_reply_length: bytes(
      "Text of one reply, in UTF-8; more is cut and the reply ends",
      4 * 1024 * 1024,
      {
        minimum: 1024,
      },
    ),
    lease_seconds: number("A node that is silent this long has lost its replies", 15, {
      minimum: 0.5,
      maximum: 3600,
    }),
    reap_seconds: number("How often lost replies are looked for", 5, {
      minimum: 0.1,
      maximum: 3600,
    }),
  },
  events: {
    url: text("Where business events are posted (webhook)", null, { rule: webUrl }),
    secret: secret("Key of the HMAC-SHA256 signature"),
    receivers: json<readonly EventReceiver[]>(
      "Further receivers: url, secret, events (types of events; absent: all)",
      [],
      listOf(
        "receivers",
        {
          url: required(webUrl.words, (value) => isText(value) && webUrl.holds(String(value))),
          secret: words,
          events: optional(
            `a list of ${eventTypes.join(", ")}`,
            (value) =>
              Array.isArray(value) &&
              value.length > 0 &&
              value.every((each) => eventTypes.includes(each)),
          ),
        },
        ["url"],
      ),
      {
        secretMembers: ["secret"],
        example: [
          {
            url: "https://example.com/hooks/alerts",
            secret: "a-long-random-text",
            events: ["chat_message.failed"],
          },
        ],
      },
    ),
  },
  protocols: {
    openai: boolean("Serve clients of OpenAI's API below /v1", true),
    mcp: boolean(
      "Serve agents and the history as tools of the Model Context Protocol at /mcp",
      true,
    ),
    mcp_wait_seconds: number(
      "A call of a tool waits so long for a reply; then it says that the reply goes on. Clients have limits of their own, many a minute",
      50,
      { minimum: 0.05, maximum: 3600 },
    ),
    ag_ui: boolean("Serve clients of AG-UI below /agui, and CopilotKit's below /copilotkit", true),
    ai_sdk: boolean("Serve chats of the AI SDK (useChat) below /ai", true),
    on_disconnect: choice(
      "A chat completion whose client closes the connection: cancel it, continue, or auto: continue in conversations",
      ["auto", "continue", "cancel"],
      "auto",
    ),
  },
  development: {
    enable_docs: choice(
      "Serve /docs and /openapi.json; auto: unless environment is production",
      ["auto", "always", "never"],
      "auto",
    ),
  },
} as const satisfies Record<string, Record<string, Setting>>;

type Values<S> = {
  readonly [Section in keyof S]: {
    readonly [Key in keyof S[Section]]: S[Section][Key] extends Setting<infer T> ? T : never;
  };
};

/** The settings with their effective values: one validated, frozen object. */
export type Config = Values<typeof settings>;
