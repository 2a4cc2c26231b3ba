import { isHeaderText, isText, isTextList, listOf, optional, required } from "./list-of.ts";
import { webUrl } from "./rules.ts";

/** A server of tools (Model Context Protocol), as written in `mcp` of an agent in `models.agents`. */
export interface ConfiguredMcpServer {
  readonly name: string;
  /** A program that speaks over its standard input and output … */
  readonly command?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** … or the address of a server (streamable HTTP). */
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a bearer token. */
  readonly api_key?: string;
  /** Of the server's tools only these. */
  readonly tools?: readonly string[];
  /** Which of its tools a person must allow each time; absent: all. */
  readonly require_approval?: "all" | "none" | readonly string[];
  readonly timeout_seconds?: number;
  readonly connect_timeout_seconds?: number;
}

type Fields = Readonly<Record<string, unknown>>;

const seconds = optional(
  "a number of seconds from 0.1 to 3600",
  (value) => typeof value === "number" && value >= 0.1 && value <= 3600,
);

const checkMembers = listOf(
  "servers",
  {
    name: required(
      "1 to 32 letters, digits, - and _, because names of tools begin with it",
      (value) => typeof value === "string" && /^[A-Za-z0-9_-]{1,32}$/.test(value),
    ),
    command: optional("a program", isText),
    args: optional("a list of texts", (value) => isListOf(value, (each) => !/\0/.test(each))),
    env: optional("names and texts", (value) => isMapOf(value, /^[^=\0]+$/, /^[^\0]*$/)),
    cwd: optional("a directory", isText),
    url: optional(webUrl.words, (value) => isText(value) && webUrl.holds(String(value))),
    headers: optional("names of headers with texts in ASCII, each in one line", (value) =>
      isMapOf(value, /^[!#$%&'*+.^`|~\w-]+$/, /^[\x20-\x7e]*$/),
    ),
    api_key: optional("text in ASCII, in one line", isHeaderText),
    tools: optional("a list of names", isTextList),
    require_approval: optional(
      "all, none, or a list of names of tools",
      (value) => value === "all" || value === "none" || isTextList(value),
    ),
    timeout_seconds: seconds,
    connect_timeout_seconds: seconds,
  },
  ["name"],
);

const ofPrograms = ["args", "env", "cwd"];
const ofAddresses = ["headers", "api_key"];

/** The check of `mcp`. Shows no values: they may be keys. */
export function mcpServers(value: unknown): string | null {
  const fault = checkMembers(value);
  if (fault !== null) return fault;
  for (const [index, server] of (value as readonly Fields[]).entries()) {
    const wrong = betweenMembers(server);
    if (wrong !== null) return `item ${index + 1} ${wrong}`;
  }
  return null;
}

function betweenMembers(server: Fields): string | null {
  const { command, url, tools, require_approval: approval } = server;
  if ((command === undefined) === (url === undefined)) {
    return "needs either command (a program) or url (an address), not both";
  }
  const [kind, strangers] =
    command === undefined ? ["url", ofPrograms] : (["command", ofAddresses] as const);
  const stranger = strangers.find((member) => server[member] !== undefined);
  if (stranger !== undefined) return `has ${stranger}, which does not go with ${kind}`;
  if (server["api_key"] !== undefined && hasAuthorization(server["headers"])) {
    return "has both api_key and a header Authorization";
  }
  if (Array.isArray(tools) && Array.isArray(approval)) {
    const at = approval.findIndex((name) => !tools.includes(name));
    if (at >= 0) return `names in require_approval (${at + 1}) what is not among its tools`;
  }
  return null;
}

function hasAuthorization(headers: unknown): boolean {
  return Object.keys(headers ?? {}).some((name) => name.toLowerCase() === "authorization");
}

function isListOf(value: unknown, holds: (text: string) => boolean): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === "string" && holds(each));
}

function isMapOf(value: unknown, names: RegExp, texts: RegExp): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(
      ([name, text]) => names.test(name) && typeof text === "string" && texts.test(text),
    )
  );
}
