import {
  databaseUrl,
  baseUrl,
  hostName,
  reachableHost,
  redisUrl,
  urlPath,
  workerCount,
} from "./rules.ts";
import { accessSettings } from "./sections/access.ts";
import { agentSettings } from "./sections/agents.ts";
import { eventSettings } from "./sections/events.ts";
import { limitSettings } from "./sections/limits.ts";
import { voiceSettings } from "./sections/voice.ts";
import {
  boolean,
  bytes,
  choice,
  day,
  dayInMilliseconds,
  integer,
  list,
  number,
  secret,
  text,
  type Sections,
  type Setting,
} from "./setting.ts";

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
    workers: text(
      "Processes behind one port, each a node with limits and connections of its own; auto: one for each core. More than one need database.url",
      "1",
      { rule: workerCount },
    ),
    max_event_loop_delay_ms: integer("Beyond this /health/liveness answers 503", 5_000, {
      minimum: 10,
      maximum: dayInMilliseconds,
    }),
  },
  database: {
    url: secret("postgresql://user:password@host:5432/name; unset: embedded PostgreSQL", {
      rule: databaseUrl,
    }),
    listen_url: secret(
      "The same server without a pooler, where url goes through one: nodes that have no Redis tell each other by LISTEN and NOTIFY",
      { rule: databaseUrl },
    ),
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
  ...agentSettings,
  ...voiceSettings,
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
  ...accessSettings,
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
  ...limitSettings,
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
      "How long pages of conversations are kept, each under the version of its session, so that none is ever an old one; 0: not at all",
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
    answers_in_words: boolean(
      "A message may be the answer to what a paused reply asks (yes, no with a reason, a choice, a value), unless its agent says otherwise",
      true,
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
  ...eventSettings,
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
    a2a: boolean("Serve agents to other agents, which speak A2A, below /a2a", true),
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
} as const satisfies Sections;

type Values<S> = {
  readonly [Section in keyof S]: {
    readonly [Key in keyof S[Section]]: S[Section][Key] extends Setting<infer T> ? T : never;
  };
};

/** The settings with their effective values: one validated, frozen object. */
export type Config = Values<typeof settings>;
