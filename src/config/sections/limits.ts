import { listOf, optional, required } from "../list-of.ts";
import { bytes, integer, json, type Sections } from "../setting.ts";

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

/** What may be used at a time. */
export const limitSettings = {
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
    message_rate_limit_per_key: integer(
      "Messages a minute and API key, all users together for whom it acts; 0: no limit",
      0,
    ),
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
    max_viewers: integer("Open streams on this node", 10_000, { minimum: 1 }),
    max_viewers_per_user: integer(
      "Open streams and WebSockets of one user on this node; 0: no limit",
      100,
    ),
  },
} as const satisfies Sections;
