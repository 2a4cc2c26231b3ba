import sql from "sql-template-tag";
import type { Database } from "../database/database.ts";
import { findMatches, type Snippet } from "./find-matches.ts";
import {
  end,
  messagesByNumber,
  messagesByTime,
  selectEntries,
  titlesByTime,
  type SearchFilter,
  type SearchPosition,
} from "./search-entries.ts";
import { readQuery, type SearchQuery } from "./search-query.ts";
import { holds, type Ranges } from "../tree/ranges.ts";
import { headOf, pathTo, readTree, type TreeRow } from "../tree/tree.ts";
import { maxReadLength } from "./units.ts";

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
  /** A title always is. */
  readonly isInActivePath: boolean;
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

export type { SearchFilter, SearchPosition } from "./search-entries.ts";

export type SearchStore = ReturnType<typeof createSearchStore>;

/** Of the texts that have all terms so many are read for those that have them in the right order, per page. */
const maxRead = 500;
/** They are looked up together, which costs the same for many, and read until there are enough. */
const lookedUpAtOnce = 250;
const readAtOnce = 25;
/** Counting ends here. */
export const maxCounted = 1_000;

/** All SQL of searching. What a search costs is up to how much its owner has said, and hardly to that. */
export function createSearchStore(database: Database, catchUp: (userId: string) => Promise<void>) {
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
      selectEntries<SearchPosition>(database, messagesByTime(query, filter, after), limit),
      isOfMessages
        ? []
        : selectEntries<SearchPosition>(database, titlesByTime(query, filter, after), limit),
    ]);
    return [...messages, ...titles].sort(newestFirst).slice(0, limit);
  };

  /** What is shown of them; those that are gone meanwhile are left out. */
  const read = async (positions: readonly SearchPosition[]): Promise<Found[]> => {
    const { text, values } = sql`
      SELECT s.session_id AS "sessionId", n.seq, s.title AS "sessionTitle", s.status AS "sessionStatus",
        m.message_id AS "messageId", m.role, coalesce(m.agent_id, s.agent_id) AS "agentId",
        coalesce(m.created_at, s.created_at) AS "createdAt",
        CASE WHEN n.seq = 0 THEN coalesce(s.title, '') ELSE left(m.content, ${maxReadLength}) END AS text
      FROM unnest(${positions.map(({ sessionId }) => sessionId)}::uuid[], ${positions.map(({ seq }) => seq)}::int[])
        AS n (session_id, seq)
      JOIN sessions s ON s.session_id = n.session_id AND NOT s.temporary
      LEFT JOIN messages m ON m.session_id = n.session_id AND m.seq = n.seq
      WHERE n.seq = 0 OR m.message_id IS NOT NULL`;
    const { rows } = await database.query<Omit<Found, "position">>(text, values);
    return positions.flatMap((position) => {
      const row = rows.find(
        ({ sessionId, seq }) => sessionId === position.sessionId && seq === position.seq,
      );
      return row === undefined ? [] : [{ ...row, position }];
    });
  };

  /** Whether hits are on what their session shows; its tree, which may be large, is read once. */
  const placed = async (
    hits: readonly Omit<SearchHit, "isInActivePath">[],
  ): Promise<SearchHit[]> => {
    const sessionIds = new Set(hits.filter(({ seq }) => seq > 0).map(({ sessionId }) => sessionId));
    const paths = new Map<string, Ranges>();
    if (sessionIds.size > 0) {
      const { rows } = await database.query<TreeRow & { readonly sessionId: string }>(
        `SELECT session_id AS "sessionId", last_seq AS "lastSeq", tree FROM sessions WHERE session_id = ANY($1::uuid[])`,
        [[...sessionIds]],
      );
      for (const { sessionId, ...row } of rows) {
        const tree = readTree(row);
        paths.set(sessionId, pathTo(tree, headOf(tree)));
      }
    }
    return hits.map((hit) => ({
      ...hit,
      isInActivePath: hit.seq === 0 || holds(paths.get(hit.sessionId) ?? [], hit.seq),
    }));
  };

  const matching = async (query: SearchQuery, sessionId: string, seqs: readonly number[]) => {
    const found = await read(seqs.map((seq) => ({ at: "", sessionId, seq })));
    return found.filter(({ text }) => findMatches(text, query) !== null).map(({ seq }) => seq);
  };

  /** Of what has all terms, at most `limit` that is what is looked for. */
  const collect = async (
    query: SearchQuery,
    filter: SearchFilter,
    from: SearchPosition,
    limit: number,
  ): Promise<FoundPage> => {
    const hits: Omit<SearchHit, "isInActivePath">[] = [];
    let after = from;
    for (let readCount = 0; readCount < maxRead;) {
      const wanted = query.needsReading ? lookedUpAtOnce : limit - hits.length;
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
      const { hits, next } = await collect(query, filter, after ?? end, limit);
      return { hits: await placed(hits), next };
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

    /** The numbers of a session's messages (on `path`, where one is given), beyond `from` in the direction of reading. */
    async inSession(
      q: string,
      filter: SearchFilter & { readonly sessionId: string; readonly path?: Ranges },
      { from, direction }: { readonly from: number; readonly direction: "ASC" | "DESC" },
      limit: number,
    ): Promise<SessionMatches> {
      const query = readQuery(q);
      if (query === null) return { seqs: [], next: null };
      const { userId, sessionId } = filter;
      await catchUp(userId);
      const seqs: number[] = [];
      let after = from;
      for (let readCount = 0; readCount < maxRead || !query.needsReading;) {
        const wanted = query.needsReading ? lookedUpAtOnce : limit - seqs.length;
        const batch = await selectEntries<{ seq: number }>(
          database,
          messagesByNumber(query, filter, { from: after, direction }),
          wanted + 1,
        );
        const here = batch.slice(0, wanted).map(({ seq }) => seq);
        for (let at = 0; at < here.length; at += readAtOnce) {
          const some = here.slice(at, at + readAtOnce);
          for (const seq of query.needsReading ? await matching(query, sessionId, some) : some) {
            seqs.push(seq);
            if (seqs.length < limit) continue;
            const isLast = seq === here.at(-1) && batch.length <= wanted;
            return { seqs, next: isLast ? null : seq };
          }
        }
        readCount += here.length;
        after = here.at(-1) ?? after;
        if (batch.length <= wanted) return { seqs, next: null };
      }
      return { seqs, next: after };
    },

    /** Sessions of a user whose titles match, the newest ones; none where nothing can be looked for. */
    async titled(q: string, userId: string): Promise<string[]> {
      const query = readQuery(q);
      if (query === null) return [];
      await catchUp(userId);
      const found = await selectEntries<SearchPosition>(
        database,
        titlesByTime(query, { userId }, end),
        maxCounted,
      );
      if (!query.needsReading) return found.map(({ sessionId }) => sessionId);
      return (await read(found))
        .filter(({ text }) => findMatches(text, query) !== null)
        .map(({ sessionId }) => sessionId);
    },
  };
}

interface Found extends Omit<SearchHit, "snippet" | "matches" | "isInActivePath"> {
  readonly text: string;
}

interface FoundPage {
  readonly hits: readonly Omit<SearchHit, "isInActivePath">[];
  readonly next: SearchPosition | null;
}

function newestFirst(left: SearchPosition, right: SearchPosition): number {
  if (left.at !== right.at) return left.at < right.at ? 1 : -1;
  if (left.sessionId !== right.sessionId) return left.sessionId < right.sessionId ? 1 : -1;
  return right.seq - left.seq;
}
