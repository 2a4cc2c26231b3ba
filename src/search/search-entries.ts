import sql, { join, raw, type Sql } from "sql-template-tag";
import type { Queryable } from "../database/database.ts";
import { tsqueryOf, type SearchQuery } from "./search-query.ts";
import { markOf, ownerPrefix } from "./terms.ts";
import type { Ranges } from "../tree/ranges.ts";

export interface SearchFilter {
  readonly userId: string;
  readonly sessionId?: string | undefined;
  readonly agentId?: string | undefined;
  readonly role?: string | undefined;
  /** Moments in UTC, to the millisecond. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** Of the session. */
  readonly status?: string | undefined;
}

/** A place in what is found, newest first. A title stands at number 0 of its session, when that was made. */
export interface SearchPosition {
  /** To the microsecond. */
  readonly at: string;
  readonly sessionId: string;
  readonly seq: number;
}

/** In front of everything. */
export const end: SearchPosition = {
  at: "infinity",
  sessionId: "ffffffff-ffff-ffff-ffff-ffffffffffff",
  seq: 2_147_483_647,
};

/** Entries with all terms of a query, in an order. */
interface Entries {
  readonly table: "message_search" | "session_search";
  /** Its columns but the terms. */
  readonly key: Sql;
  readonly columns: Sql;
  /** A stretch of one index in its order. */
  readonly walk: { readonly range: Sql; readonly order: Sql };
  /** What else must hold. */
  readonly within: readonly Sql[];
  readonly tsquery: string;
}

/**
 * So many entries are looked through in order before the index is asked. A common word is among them; of any other the
 * index has few. Nobody has to know which it is.
 */
const walked = 300;
/** Where the index has more than so many, a longer walk mostly ends before all of them are fetched and sorted. */
const few = 5_000;
const walkedFurther = 3_000;

/**
 * At most `limit` of them. Of what a sub-query says the planner knows nothing, so no plan depends on what is looked for or
 * on who looks: one for the usual owner would read and sort all that another one has.
 */
export async function selectEntries<R>(
  database: Queryable,
  { table, key, columns, walk, within, tsquery }: Entries,
  limit: number,
): Promise<R[]> {
  const run = async <T = R>({ text, values }: Sql) => (await database.query<T>(text, values)).rows;
  const hasTerms = sql`terms @@ (SELECT ${tsquery}::tsquery)`;
  const inOrder = (length: number) =>
    run(sql`
      SELECT ${columns} FROM (
        SELECT * FROM ${raw(table)} WHERE ${walk.range} ORDER BY ${walk.order} LIMIT ${length}) AS e
      WHERE ${join([hasTerms, ...within], " AND ")} ORDER BY ${walk.order} LIMIT ${limit}`);
  // By way of the terms alone: where it may choose, the planner finds that few wanted rows make the walk cheap.
  const byTerms = async (most: number | null) => {
    const rows = await run<R & { readonly seq: number | null; readonly matched: number }>(sql`
      WITH e AS MATERIALIZED (
        SELECT ${key} FROM ${raw(table)} WHERE ${hasTerms} LIMIT ${most}::bigint)
      SELECT found.*, counted.matched FROM (SELECT count(*)::int AS matched FROM e) AS counted
      LEFT JOIN LATERAL (
        SELECT ${columns} FROM e WHERE ${join([walk.range, ...within], " AND ")}
        ORDER BY ${walk.order} LIMIT ${limit}) AS found ON true`);
    return {
      areAll: most === null || (rows[0]?.matched ?? 0) < most,
      // Where there is none, one row has the count alone.
      found: rows.filter(({ seq }) => seq !== null).map(({ matched: _, ...row }) => row as R),
    };
  };

  const first = await inOrder(walked);
  if (first.length === limit) return first;
  const { areAll, found } = await byTerms(few);
  if (areAll) return found;
  const further = await inOrder(walkedFurther);
  return further.length === limit ? further : (await byTerms(null)).found;
}

const moment = sql`to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** Messages of a user, newest first, behind `after`. */
export function messagesByTime(
  query: SearchQuery,
  filter: SearchFilter,
  after: SearchPosition,
): Entries {
  const { userId, since, status } = filter;
  const { at, sessionId, seq } = notAfter(after, filter.until);
  return {
    table: "message_search",
    key: sql`user_id, created_at, session_id, seq`,
    columns: sql`session_id AS "sessionId", seq, ${moment} AS at`,
    walk: {
      range: sql`user_id >= (SELECT ${userId}::text) AND (user_id, created_at, session_id, seq) <
        ((SELECT ${userId}::text), ${at}::timestamptz, ${sessionId}::uuid, ${seq}::int)`,
      order: sql`user_id DESC, created_at DESC, session_id DESC, seq DESC`,
    },
    within: [
      ...(since === undefined ? [] : [sql`created_at >= ${since}::timestamptz`]),
      ...(status === undefined ? [] : [ofSession(sql`s.status = ${status}`)]),
    ],
    tsquery: tsqueryOf(query, ownerPrefix(userId), marksOf(filter)),
  };
}

/** Titles of a user's sessions, newest first, behind `after`: a title stands behind the messages of its time. */
export function titlesByTime(
  query: SearchQuery,
  { userId, sessionId, agentId, status }: SearchFilter,
  after: SearchPosition,
): Entries {
  return {
    table: "session_search",
    key: sql`user_id, created_at, session_id`,
    columns: sql`session_id AS "sessionId", 0 AS seq, ${moment} AS at`,
    walk: {
      range: sql`user_id >= (SELECT ${userId}::text) AND (user_id, created_at, session_id) ${raw(after.seq > 0 ? "<=" : "<")}
        ((SELECT ${userId}::text), ${after.at}::timestamptz, ${after.sessionId}::uuid)`,
      order: sql`user_id DESC, created_at DESC, session_id DESC`,
    },
    within: [
      ...(agentId === undefined ? [] : [ofSession(sql`s.agent_id = ${agentId}`)]),
      ...(status === undefined ? [] : [ofSession(sql`s.status = ${status}`)]),
    ],
    tsquery: tsqueryOf(query, ownerPrefix(userId), marksOf({ sessionId })),
  };
}

/** Messages of one session, by number, beyond `from`. */
export function messagesByNumber(
  query: SearchQuery,
  filter: SearchFilter & { readonly sessionId: string; readonly path?: Ranges },
  { from, direction }: { readonly from: number; readonly direction: "ASC" | "DESC" },
): Entries {
  const { userId, sessionId, path, since, until } = filter;
  const [first, beyond] = direction === "ASC" ? [raw("<="), raw(">")] : [raw(">="), raw("<")];
  return {
    table: "message_search",
    key: sql`session_id, seq, created_at`,
    columns: sql`seq`,
    walk: {
      range: sql`session_id ${first} (SELECT ${sessionId}::uuid) AND
        (session_id, seq) ${beyond} ((SELECT ${sessionId}::uuid), ${from}::int)`,
      order: sql`session_id ${raw(direction)}, seq ${raw(direction)}`,
    },
    within: [
      ...(since === undefined ? [] : [sql`created_at >= ${since}::timestamptz`]),
      ...(until === undefined ? [] : [sql`created_at <= ${until}::timestamptz`]),
      ...(path === undefined ? [] : [onPath(path)]),
    ],
    tsquery: tsqueryOf(query, ownerPrefix(userId), marksOf(filter)),
  };
}

function onPath(path: Ranges): Sql {
  const [only] = path;
  if (only !== undefined && path.length === 1) {
    return sql`seq BETWEEN (SELECT ${only.first}::int) AND (SELECT ${only.last}::int)`;
  }
  return sql`EXISTS (
    SELECT 1 FROM unnest(${path.map(({ first }) => first)}::int[], ${path.map(({ last }) => last)}::int[]) AS part (first, last)
    WHERE seq BETWEEN part.first AND part.last)`;
}

/** Where the walk begins: within the index, so that nothing newer is read. */
function notAfter(position: SearchPosition, until: string | undefined): SearchPosition {
  const at = until?.replace(/(\.\d{3})?Z$/, (_, milliseconds = ".000") => `${milliseconds}000Z`);
  return at === undefined || position.at <= at ? position : { ...end, at };
}

function marksOf(filter: Pick<SearchFilter, "sessionId" | "role" | "agentId">): string[] {
  const { sessionId, role, agentId } = filter;
  return [
    ...(sessionId === undefined ? [] : [markOf("session", sessionId)]),
    ...(role === undefined ? [] : [markOf("role", role)]),
    ...(agentId === undefined ? [] : [markOf("agent", agentId)]),
  ];
}

function ofSession(condition: Sql): Sql {
  return sql`EXISTS (SELECT 1 FROM sessions s WHERE s.session_id = e.session_id AND ${condition})`;
}
