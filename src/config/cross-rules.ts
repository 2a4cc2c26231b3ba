import { agnoServers, sameAddress } from "./agno-servers.ts";
import type { Config } from "./settings.ts";
import { databaseUrlFaults, redisUrlFaults } from "./url-parameters.ts";
import { strongSecret, weaknessOf } from "./weak-secret.ts";

/** Something that must hold between settings, each of which is right by itself. */
interface CrossRule {
  /** The settings it looks at; if one of them is faulty by itself, the rule is not asked. */
  readonly settings: readonly string[];
  /** Sentences that say what is wrong and what would be right. */
  readonly faults: (config: Config) => readonly string[];
}

/** Ids of the agents that the `models` backend brings along while `models.default_agents` is true. */
const defaultAgentIds = ["general-chat", "analyst", "creative"];

/** What `tools` of an agent in `models.agents` may name; a test of the `models` backend compares the two. */
export const agentToolNames: readonly string[] = ["current_time", "calculator"];

/** Child processes of this one, one for each program that agents name; those that name the same share it. */
const maxMcpPrograms = 16;

const crossRules: readonly CrossRule[] = [
  {
    settings: ["auth.mode", "auth.allow_open_in_production", "service.environment"],
    faults: ({ auth, service }) =>
      auth.mode === "open" && service.environment === "production" && !auth.allow_open_in_production
        ? [
            "auth.mode: open lets everybody act as any user, which is refused while service.environment is production. Set it to jwt or base-service, or set auth.allow_open_in_production to true if something in front of the service checks callers",
          ]
        : [],
  },
  {
    settings: ["auth.mode", "security.secret_key", "security.jwks_url"],
    faults: ({ auth, security }) =>
      auth.mode === "jwt" && security.secret_key === null && security.jwks_url === null
        ? ["auth.mode: jwt needs security.secret_key (HS256) or security.jwks_url (public keys)"]
        : [],
  },
  {
    settings: ["security.secret_key", "service.environment"],
    faults: ({ security, service }) => {
      const weakness =
        security.secret_key === null || service.environment !== "production"
          ? null
          : weaknessOf(security.secret_key);
      return weakness === null
        ? []
        : [
            `security.secret_key: ${weakness}: whoever guesses it can act as any user. Make another, for the issuer of the tokens too: ${strongSecret}`,
          ];
    },
  },
  {
    settings: ["auth.mode", "base_service.url"],
    faults: ({ auth, base_service }) =>
      auth.mode === "base-service" && base_service.url === null
        ? ["auth.mode: base-service needs base_service.url"]
        : [],
  },
  {
    settings: ["agno.api_url", "agno.servers"],
    faults: ({ agno }) => {
      const servers = agnoServers(agno);
      return servers.flatMap((server, index) => {
        const twin = servers
          .slice(0, index)
          .find(
            (other) => other.name === server.name || sameAddress(other.api_url, server.api_url),
          );
        if (twin === undefined) return [];
        return twin.name === server.name
          ? [
              `agno.servers: ${server.name} is the name of two servers (that of agno.api_url is named agno)`,
            ]
          : [`agno.servers: ${twin.name} and ${server.name} have the same api_url`];
      });
    },
  },
  {
    settings: ["agno.servers"],
    faults: ({ agno }) =>
      agno.servers
        .filter(({ api_key: key, api_key_file: file }) => key !== undefined && file !== undefined)
        .map(
          ({ name }) => `agno.servers: ${name} has both api_key and api_key_file; keep one of them`,
        ),
  },
  {
    settings: ["models.agents", "models.default_agents"],
    faults: ({ models }) => {
      const ids = [
        ...(models.default_agents ? defaultAgentIds : []),
        ...models.agents.map((agent) => agent.id),
      ];
      return models.agents.flatMap(({ id, handoffs = [] }) =>
        handoffs.flatMap((target) => {
          if (target === id) return [`models.agents: ${id} hands over to itself`];
          if (ids.includes(target)) return [];
          return [
            `models.agents: ${id} hands over to ${target}, which does not exist; there are ${[...new Set(ids)].join(", ")}`,
          ];
        }),
      );
    },
  },
  {
    settings: ["models.agents"],
    faults: ({ models }) =>
      models.agents.flatMap(({ id, tools = [] }) =>
        tools
          .filter((tool) => !agentToolNames.includes(tool))
          .map(
            (tool) =>
              `models.agents: ${id} names the unknown tool ${tool}; there are ${agentToolNames.join(", ")}`,
          ),
      ),
  },
  {
    settings: ["models.agents"],
    faults: ({ models }) => {
      const programs = new Set(
        models.agents.flatMap(({ mcp = [] }) =>
          mcp.flatMap(({ command, args, env, cwd }) =>
            command === undefined ? [] : JSON.stringify([command, args, env, cwd]),
          ),
        ),
      );
      return programs.size <= maxMcpPrograms
        ? []
        : [
            `models.agents: mcp names ${programs.size} programs, each of which runs all the time; at most ${maxMcpPrograms} may. Serve some of them over HTTP (url)`,
          ];
    },
  },
  ...(["stt", "tts"] as const).flatMap((direction): readonly CrossRule[] => [
    {
      settings: [`voice.${direction}.provider`, `voice.${direction}.api_url`, "voice.api_url"],
      faults: ({ voice }) =>
        voice[`${direction}.provider`] === "openai" &&
        voice[`${direction}.api_url`] === null &&
        voice.api_url === null
          ? [
              `voice.${direction}.provider: openai needs voice.${direction}.api_url or voice.api_url`,
            ]
          : [],
    },
    {
      settings: [`voice.${direction}.provider`, `voice.${direction}.command`],
      faults: ({ voice }) =>
        voice[`${direction}.provider`] === "command" && voice[`${direction}.command`].length === 0
          ? [`voice.${direction}.provider: command needs voice.${direction}.command`]
          : [],
    },
  ]),
  {
    settings: ["database.url"],
    faults: ({ database: { url } }) => (url === null ? [] : databaseUrlFaults("database.url", url)),
  },
  {
    settings: ["database.url", "database.listen_url"],
    faults: ({ database: { url, listen_url: listenUrl } }) => {
      if (listenUrl === null) return [];
      if (url === null) return ["database.listen_url: is for nodes that share database.url"];
      return databaseUrlFaults("database.listen_url", listenUrl);
    },
  },
  {
    settings: ["server.workers", "database.url"],
    faults: ({ server: { workers }, database: { url } }) =>
      url === null && workers !== "auto" && workers !== "1"
        ? [
            "server.workers: an embedded database belongs to one process. Set database.url to a PostgreSQL server, or server.workers to 1",
          ]
        : [],
  },
  {
    settings: ["redis.url"],
    faults: ({ redis: { url, sentinel_name: name } }) =>
      url === null ? [] : redisUrlFaults(url, name !== null),
  },
  {
    settings: ["monitoring.port", "service.port"],
    faults: ({ monitoring, service }) =>
      monitoring.port !== null && monitoring.port !== 0 && monitoring.port === service.port
        ? [
            "monitoring.port: is that of the service; take another, or leave it unset to serve metrics beside everything else",
          ]
        : [],
  },
  {
    settings: ["monitoring.port", "monitoring.host"],
    faults: ({ monitoring }) =>
      monitoring.host !== null && monitoring.port === null
        ? ["monitoring.host: needs monitoring.port"]
        : [],
  },
  {
    settings: ["monitoring.token"],
    faults: ({ monitoring: { token } }) =>
      token === null || /^[!-+\--~]+$/.test(token)
        ? []
        : [
            "monitoring.token: must be of visible ASCII characters, without blanks and commas, as headers carry it",
          ],
  },
  {
    settings: ["tls.cert_file", "tls.key_file"],
    faults: ({ tls }) =>
      (tls.cert_file === null) === (tls.key_file === null)
        ? []
        : ["tls: cert_file and key_file belong together; only one of them is set"],
  },
  {
    settings: ["redis.sentinel_name", "redis.url"],
    faults: ({ redis }) =>
      redis.sentinel_name !== null && redis.url === null
        ? ["redis.sentinel_name: needs redis.url with the hosts of the Sentinels"]
        : [],
  },
  {
    settings: ["streams.max_reply_bytes", "streams.max_total_bytes"],
    faults: ({ streams }) =>
      streams.max_reply_bytes > streams.max_total_bytes
        ? ["streams.max_reply_bytes: must not be more than streams.max_total_bytes"]
        : [],
  },
];

/** What is wrong between the settings; `faulty` are the paths of those that are wrong by themselves. */
export function findCrossFaults(config: Config, faulty: ReadonlySet<string>): readonly string[] {
  return crossRules
    .filter((rule) => !rule.settings.some((path) => faulty.has(path)))
    .flatMap((rule) => rule.faults(config));
}
