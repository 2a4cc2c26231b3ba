import sql, { join, raw, type Sql } from "sql-template-tag";
import type { Database } from "../database/database.ts";
import { findMatches, type Snippet } from "./find-matches.ts";
import { readQuery, tsqueryOf, type SearchQuery } from "./search-query.ts";
import { markOf, ownerPrefix } from "./terms.ts";
import { maxReadLength } from "./units.ts";

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

export interface SearchHit extends Snippet {
  readonly position: SearchPosition;
  readonly sessionId: string;
  /** 0: the title of the session. */
  readonly seq: number;
  readonly sessionTitle: string | null;
  readonly sessionStatus: string;
  /** Null for a title. */
  readonly messageId: string | null;
  readonly role: string | null;
  readonly agentId: string;
  readonly createdAt: Date;
}

export interface SearchPage {
  readonly hits: readonly SearchHit[];
  /** Where the next page begins; null: there is no more. A page may be short and have one behind it all the same. */
  readonly next: SearchPosition | null;
}

/** What is found within one session, by number. */
export interface SessionMatches {
  readonly seqs: readonly number[];
  /** The last number that was looked at; null: there is no more. */
  readonly next: number | null;
}

export type SearchStore = ReturnType<typeof createSearchStore>;

/**
 * So many of the newest entries are looked through before the index is asked. A common word is among them; of any
 * other the index has few. Nobody has to know which it is.
 */
const walked = 300;
/** Of the texts that have all terms so many are read for those that have them in the right order, per page. */
const maxRead = 1_000;
const readAtOnce = 25;
/** Counting ends here. */
export const maxCounted = 1_000;

const moment = raw(`to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`);
const end: SearchPosition = {
  at: "infinity",
  sessionId: "ffffffff-ffff-ffff-ffff-ffffffffffff",
  seq: 2_147_483_647,
};

/** All SQL of searching. What a search costs is up to how much its owner has said, and hardly to that. */
export function createSearchStore(database: Database, catchUp: (userId: string) => Promise<void>) {
  const run = async <R>({ text, values }: Sql) => (await database.query<R>(text, values)).rows;

  /** At most `limit` rows that have all terms, in order. */
  const select = async <R>(entries: Entries, limit: number): Promise<R[]> => {
    const { table, key, columns, walk, within, tsquery } = entries;
    // Of what a sub-query says the planner knows nothing: no plan depends on what is looked for, or on who looks.
    const conditions = [sql`terms @@ (SELECT ${tsquery}::tsquery)`, ...within];
    const newest = await run<R>(sql`
      SELECT ${columns} FROM (
        SELECT * FROM ${raw(table)} WHERE ${walk.range} ORDER BY ${walk.order} LIMIT ${walked}) AS e
      WHERE ${join(conditions, " AND ")} ORDER BY ${walk.order} LIMIT ${limit}`);
    if (newest.length === limit) return newest;
    // By way of the terms alone: where it may choose, the planner finds that few wanted rows make the walk cheap.
    return run<R>(sql`
      WITH e AS MATERIALIZED (
        SELECT ${raw(key)} FROM ${raw(table)} WHERE terms @@ (SELECT ${tsquery}::tsquery))
      SELECT ${columns} FROM e WHERE ${join([walk.range, ...within], " AND ")}
      ORDER BY ${walk.order} LIMIT ${limit}`);
  };

  const entriesByTime = (
    kind: "message" | "title",
    query: SearchQuery,
    filter: SearchFilter,
    after: SearchPosition,
  ): Entries => {
    const { userId, sessionId, since, until } = filter;
    const isMessage = kind === "message";
    const last = until?.replace(
      /(\.\d{3})?Z$/,
      (_, milliseconds = ".000") => `${milliseconds}000Z`,
    );
    const { at, ...place } = last === undefined || after.at <= last ? after : { ...end, at: last };
    const within: Sql[] = [];
    if (since !== undefined) within.push(sql`created_at >= ${since}::timestamptz`);
    if (filter.status !== undefined) within.push(ofSession(sql`s.status = ${filter.status}`));
    if (!isMessage && filter.agentId !== undefined) {
      within.push(ofSession(sql`s.agent_id = ${filter.agentId}`));
    }
    const marks = sessionId === undefined ? [] : [markOf("session", sessionId)];
    if (isMessage && filter.role !== undefined) marks.push(markOf("role", filter.role));
    if (isMessage && filter.agentId !== undefined) marks.push(markOf("agent", filter.agentId));
    const tsquery = tsqueryOf(query, ownerPrefix(userId), marks);
    if (isMessage) {
      return {
        table: "message_search",
        key: "user_id, created_at, session_id, seq",
        columns: sql`session_id AS "sessionId", seq, ${moment} AS at`,
        walk: {
          // An equation would be one more thing to estimate: a plan for the usual owner reads and sorts all of his.
          range: sql`user_id >= (SELECT ${userId}::text) AND (user_id, created_at, session_id, seq) <
            ((SELECT ${userId}::text), ${at}::timestamptz, ${place.sessionId}::uuid, ${place.seq}::int)`,
          order: sql`user_id DESC, created_at DESC, session_id DESC, seq DESC`,
        },
        within,
        tsquery,
      };
    }
    return {
      table: "session_search",
      key: "user_id, created_at, session_id",
      columns: sql`session_id AS "sessionId", 0 AS seq, ${moment} AS at`,
      walk: {
        // A title stands behind the messages of its time.
        range: sql`user_id >= (SELECT ${userId}::text) AND (user_id, created_at, session_id) ${raw(place.seq > 0 ? "<=" : "<")}
          ((SELECT ${userId}::text), ${at}::timestamptz, ${place.sessionId}::uuid)`,
        order: sql`user_id DESC, created_at DESC, session_id DESC`,
      },
      within,
      tsquery,
    };
  };

  /** Messages and titles that have all terms, newest first. */
  const candidates = async (
    query: SearchQuery,
    filter: SearchFilter,
    after: SearchPosition,
    limit: number,
  ): Promise<SearchPosition[]> => {
    const isOfMessages =
      filter.role !== undefined || filter.since !== undefined || filter.until !== undefined;
    const [messages, titles] = await Promise.all([
      select<SearchPosition>(entriesByTime("message", query, filter, after), limit),
      isOfMessages
        ? []
        : select<SearchPosition>(entriesByTime("title", query, filter, after), limit),
    ]);
    return [...messages, ...titles].sort(newestFirst).slice(0, limit);
  };

  /** What is shown of them; those that are gone meanwhile are left out. */
  const read = async (positions: readonly SearchPosition[]): Promise<Found[]> => {
    const rows = await run<Omit<Found, "position">>(sql`
      SELECT s.session_id AS "sessionId", n.seq, s.title AS "sessionTitle", s.status AS "sessionStatus",
        m.message_id AS "messageId", m.role, coalesce(m.agent_id, s.agent_id) AS "agentId",
        coalesce(m.created_at, s.created_at) AS "createdAt",
        CASE WHEN n.seq = 0 THEN coalesce(s.title, '') ELSE left(m.content, ${maxReadLength}) END AS text
      FROM unnest(${positions.map(({ sessionId }) => sessionId)}::uuid[], ${positions.map(({ seq }) => seq)}::int[])
        AS n (session_id, seq)
      JOIN sessions s ON s.session_id = n.session_id
      LEFT JOIN messages m ON m.session_id = n.session_id AND m.seq = n.seq
      WHERE n.seq = 0 OR m.message_id IS NOT NULL`);
    return positions.flatMap((position) => {
      const row = rows.find(
        ({ sessionId, seq }) => sessionId === position.sessionId && seq === position.seq,
      );
      return row === undefined ? [] : [{ ...row, position }];
    });
  };

  /** Of what has all terms, at most `limit` that is what is looked for. */
  const collect = async (
    query: SearchQuery,
    filter: SearchFilter,
    from: SearchPosition,
    limit: number,
  ): Promise<SearchPage> => {
    const hits: SearchHit[] = [];
    let after = from;
    for (let readCount = 0; readCount < maxRead;) {
      const wanted = query.needsReading ? readAtOnce : limit - hits.length;
      const batch = await candidates(query, filter, after, wanted + 1);
      const here = batch.slice(0, wanted);
      for (let at = 0; at < here.length; at += readAtOnce) {
        for (const found of await read(here.slice(at, at + readAtOnce))) {
          const { text, ...rest } = found;
          const snippet = findMatches(text, query);
          if (snippet === null) continue;
          hits.push({ ...rest, ...snippet });
          if (hits.length === limit) {
            const isLast = found.position === here.at(-1) && batch.length <= wanted;
            return { hits, next: isLast ? null : found.position };
          }
        }
      }
      readCount += here.length;
      after = here.at(-1) ?? after;
      if (batch.length <= wanted) return { hits, next: null };
    }
    return { hits, next: after };
  };

  return {
    /** Newest first. What a user has just written is found. */
    async find(
      q: string,
      filter: SearchFilter,
      after: SearchPosition | null,
      limit: number,
    ): Promise<SearchPage> {
      const query = readQuery(q);
      if (query === null) return { hits: [], next: null };
      await catchUp(filter.userId);
      return collect(query, filter, after ?? end, limit);
    },

    /** Up to `maxCounted`; `isMore`: there are more. */
    async count(q: string, filter: SearchFilter): Promise<{ count: number; isMore: boolean }> {
      const query = readQuery(q);
      if (query === null) return { count: 0, isMore: false };
      if (query.needsReading) {
        const { hits, next } = await collect(query, filter, end, maxCounted);
        return { count: hits.length, isMore: next !== null };
      }
      const found = await candidates(query, filter, end, maxCounted + 1);
      return { count: Math.min(found.length, maxCounted), isMore: found.length > maxCounted };
    },

    /** The numbers of a session's messages, beyond `from` in the direction of reading. */
    async inSession(
      q: string,
      filter: SearchFilter & { readonly sessionId: string },
      { from, direction }: { readonly from: number; readonly direction: "ASC" | "DESC" },
      limit: number,
    ): Promise<SessionMatches> {
      const query = readQuery(q);
      if (query === null) return { seqs: [], next: null };
      const { userId, sessionId, role, agentId, since, until } = filter;
      await catchUp(userId);
      const seqs: number[] = [];
      const marks = [markOf("session", sessionId)];
      if (role !== undefined) marks.push(markOf("role", role));
      if (agentId !== undefined) marks.push(markOf("agent", agentId));
      const tsquery = tsqueryOf(query, ownerPrefix(userId), marks);
      const within: Sql[] = [];
      if (since !== undefined) within.push(sql`created_at >= ${since}::timestamptz`);
      if (until !== undefined) within.push(sql`created_at <= ${until}::timestamptz`);
      let after = from;
      for (let readCount = 0; readCount < maxRead || !query.needsReading;) {
        const wanted = query.needsReading ? readAtOnce : limit - seqs.length;
        const batch = await select<{ seq: number }>(
          {
            table: "message_search",
            key: "session_id, seq, created_at",
            columns: sql`seq`,
            walk:
              direction === "ASC"
                ? {
                    range: sql`session_id <= (SELECT ${sessionId}::uuid) AND
                      (session_id, seq) > ((SELECT ${sessionId}::uuid), ${after}::int)`,
                    order: sql`session_id, seq`,
                  }
                : {
                    range: sql`session_id >= (SELECT ${sessionId}::uuid) AND
                      (session_id, seq) < ((SELECT ${sessionId}::uuid), ${after}::int)`,
                    order: sql`session_id DESC, seq DESC`,
                  },
            within,
            tsquery,
          },
          wanted + 1,
        );
        const here = batch.slice(0, wanted).map(({ seq }) => seq);
        const isThere = query.needsReading
          ? new Set(
              (await read(here.map((seq) => ({ at: "", sessionId, seq }))))
                .filter(({ text }) => findMatches(text, query) !== null)
                .map(({ position }) => position.seq),
            )
          : new Set(here);
        for (const seq of here) {
          if (!isThere.has(seq)) continue;
          seqs.push(seq);
          if (seqs.length < limit) continue;
          const isLast = seq === here.at(-1) && batch.length <= wanted;
          return { seqs, next: isLast ? null : seq };
        }
        readCount += here.length;
        after = here.at(-1) ?? after;
        if (batch.length <= wanted) return { seqs, next: null };
      }
      return { seqs, next: after };
    },

    /** Sessions of a user whose titles match, the newest ones; null where nothing can be looked for. */
    async titled(q: string, userId: string): Promise<string[]> {
      const query = readQuery(q);
      if (query === null) return [];
      await catchUp(userId);
      const found = await select<SearchPosition>(
        entriesByTime("title", query, { userId }, end),
        maxCounted,
      );
      if (!query.needsReading) return found.map(({ sessionId }) => sessionId);
      return (await read(found))
        .filter(({ text }) => findMatches(text, query) !== null)
        .map(({ sessionId }) => sessionId);
    },
  };
}

interface Entries {
  readonly table: "message_search" | "session_search";
  /** Its columns but the terms. */
  readonly key: string;
  readonly columns: Sql;
  /** A stretch of one index in its order. */
  readonly walk: { readonly range: Sql; readonly order: Sql };
  /** What else must hold. */
  readonly within: readonly Sql[];
  readonly tsquery: string;
}

interface Found extends Omit<SearchHit, "snippet" | "matches"> {
  readonly text: string;
}

function ofSession(condition: Sql): Sql {
  return sql`EXISTS (SELECT 1 FROM sessions s WHERE s.session_id = e.session_id AND ${condition})`;
}

function newestFirst(left: SearchPosition, right: SearchPosition): number {
  if (left.at !== right.at) return left.at < right.at ? 1 : -1;
  if (left.sessionId !== right.sessionId) return left.sessionId < right.sessionId ? 1 : -1;
  return right.seq - left.seq;
}
