import {
  isHeaderText,
  isText,
  listOf,
  name,
  nested,
  optional,
  required,
  wordList,
  words,
} from "../list-of.ts";
import { mcpServers, type ConfiguredMcpServer } from "../mcp-servers.ts";
import { baseUrl } from "../rules.ts";
import {
  boolean,
  choice,
  integer,
  json,
  number,
  secret,
  text,
  day,
  type Sections,
} from "../setting.ts";

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
  /** False: what it asks is decided by buttons alone. */
  readonly answers_in_words?: boolean;
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

const agentId = required(
  "text of 1 to 128 characters without spaces and slashes",
  (value) => typeof value === "string" && /^[^\s/\p{Cc}]{1,128}$/u.test(value),
);

function contextTokens(value: unknown): string | null {
  const isSize = (each: unknown) =>
    Number.isInteger(each) && (each as number) >= 256 && (each as number) <= 100_000_000;
  if (value === null || isSize(value)) return null;
  if (typeof value === "object" && !Array.isArray(value) && Object.values(value).every(isSize)) {
    return null;
  }
  return "must be a whole number from 256, or an object of such by model, with default for the others";
}

/** Where agents and their models are. */
export const agentSettings = {
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
          answers_in_words: optional("true or false", (value) => typeof value === "boolean"),
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
} as const satisfies Sections;
