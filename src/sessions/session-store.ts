import sql, { join, raw, type Sql } from "sql-template-tag";
import type { Database, Queryable } from "../database/database.ts";
import { jsonBytes, selectPage } from "../database/select-page.ts";
import { toJsonb } from "../lib/clean-text.ts";
import { readTree, type StoredTree, type Tree } from "../tree/tree.ts";

/** A session as stored, with the reply that is being made in it. */
export interface Session {
  readonly sessionId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly title: string | null;
  readonly status: "active" | "archived";
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Of the active path. */
  readonly messageCount: number;
  /** Of all branches. */
  readonly totalMessageCount: number;
  /** The last message of the active path; null when there is none. */
  readonly headMessageId: string | null;
  readonly createdAt: Date;
  readonly lastActivity: Date;
  readonly activeMessageId: string | null;
  readonly activeMessageStatus: "streaming" | "paused" | null;
  readonly pinned: boolean;
  readonly tags: readonly string[];
  /** `lastActivity` as a cursor has it. */
  readonly position: string;
}

/** With its branches. */
export interface FoundSession extends Session {
  readonly tree: Tree;
  /** Another one after each change of what the session or its messages show, but for those that run or wait. */
  readonly version: string;
}

export interface SessionFilter {
  readonly userId: string;
  readonly status?: "active" | "archived" | undefined;
  readonly agentId?: string | undefined;
  /** Only these. */
  readonly sessionIds?: readonly string[] | undefined;
  readonly pinned?: boolean | undefined;
  /** All of these. */
  readonly tags?: readonly string[] | undefined;
}

export interface SessionPatch {
  readonly title?: string | null;
  readonly status?: "active" | "archived";
  readonly agentId?: string;
  /** A message of the path that is to be the active one. */
  readonly headMessageId?: string;
  /** Member by member; null removes one. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Likewise. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly pinned?: boolean;
  /** In place of those before. */
  readonly tags?: readonly string[];
}

/** Position in a list that is sorted by activity: the last row of the page before. */
export interface SessionPosition {
  /** Whether that row is one of the pinned ones, in a list that begins with these. */
  readonly pinned?: boolean | undefined;
  readonly lastActivity: string;
  readonly sessionId: string;
}

export interface UserStatistics {
  readonly total: number;
  readonly active: number;
  readonly archived: number;
  readonly messages: number;
  readonly agents: readonly {
    readonly agentId: string;
    readonly sessions: number;
    readonly messages: number;
  }[];
}

export type SessionStore = ReturnType<typeof createSessionStore>;

/** `lastActivity` to the microsecond, for cursors: a Date would lose what tells two sessions apart. */
const position = `to_char(s.last_activity AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS position`;
/** What a tree says (src/tree/tree.ts), in SQL: its head, and how many messages there are. */
const headSeq = `CASE WHEN (s.tree #>> '{segments,-1,0}')::int > s.last_seq
  THEN (s.tree #>> '{segments,-1,1}')::int ELSE s.last_seq END`;
const messageTotal = `s.last_seq - coalesce((s.tree ->> 'removed')::int, 0)`;
const columns = `
  s.session_id AS "sessionId", s.user_id AS "userId", s.agent_id AS "agentId", s.title, s.status, s.config,
  s.metadata, s.message_count AS "messageCount", ${messageTotal} AS "totalMessageCount",
  h.message_id AS "headMessageId", s.created_at AS "createdAt",
  s.last_activity AS "lastActivity", s.pinned, s.tags, a.message_id AS "activeMessageId", a.status AS "activeMessageStatus",
  ${position}`;
/**
 * Two index look-ups per session: at most one reply of a session is active, and the limit keeps the planner from reading
 * what runs in all of them.
 */
const joins = `
  LEFT JOIN LATERAL (
    SELECT message_id, status FROM messages
    WHERE session_id = s.session_id AND status IN ('streaming', 'paused') LIMIT 1) a ON true
  LEFT JOIN messages h ON h.session_id = s.session_id AND h.seq = ${headSeq}`;

interface FoundRow extends Session {
  readonly writtenBy: string;
  readonly lastSeq: number;
  readonly tree: StoredTree | null;
}

const foundColumns = `${columns}, s.tree, s.last_seq AS "lastSeq", s.xmin::text AS "writtenBy" FROM sessions s ${joins}`;

/** A number of a transaction comes again after four billion others, or after a restored backup: not with the same time. */
function toFound({ lastSeq, tree, writtenBy, ...session }: FoundRow): FoundSession {
  const version = `${writtenBy}:${lastSeq}:${session.position}`;
  return { ...session, version, tree: readTree({ lastSeq, tree }) };
}

/** Any number will do, as long as every node uses the same one. */
const activeSessionsLock = 4_812_002;

/** An object with a patch merged in, by the database: two patches at once lose nothing of each other. */
const patched = (column: string, patch: string) => `
  CASE WHEN ${patch}::jsonb IS NULL THEN ${column} ELSE (
    SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(${column} || ${patch}::jsonb)
    WHERE value <> 'null') END`;

function conditionsOf(filter: SessionFilter): Sql[] {
  const { userId, status, agentId, sessionIds, pinned } = filter;
  const conditions = [sql`s.user_id = ${userId}`, raw("NOT s.temporary")];
  if (status !== undefined) conditions.push(sql`s.status = ${status}`);
  if (agentId !== undefined) conditions.push(sql`s.agent_id = ${agentId}`);
  if (sessionIds !== undefined) conditions.push(sql`s.session_id = ANY(${sessionIds}::uuid[])`);
  if (pinned !== undefined) conditions.push(pinned ? isPinned : isNotPinned);
  return conditions;
}

const isPinned = raw("s.pinned");
const isNotPinned = raw("NOT s.pinned");

/**
 * The sessions to look among, as `s`. With tags these are found by their index alone: the planner knows nothing of how
 * common they are, and would rather read all sessions of the user.
 */
function sourceOf({ userId, tags = [] }: SessionFilter): Sql {
  if (tags.length === 0) return raw("sessions s");
  return sql`(
    SELECT * FROM sessions WHERE tag_keys(user_id, tags) @> tag_keys(${userId}, ${tags}::text[]) AND tags <> '{}'
    OFFSET 0) s`;
}

/** What was talked about elsewhere long ago is kept from its import on. */
const notImportedSince = (table: string, days: string) =>
  `(${table}imported_at IS NULL OR ${table}imported_at < now() - make_interval(days => ${days}))`;

/** All SQL of sessions. Whether the caller may see a session is decided by who calls, from `userId`. */
export function createSessionStore(database: Database) {
  return {
    /** The caller stores the `messages` messages that it begins with. */
    async create(
      tx: Queryable,
      session: {
        readonly sessionId: string;
        readonly userId: string;
        readonly agentId: string;
        readonly title: string | null;
        readonly autoTitle?: string | null;
        readonly config: Readonly<Record<string, unknown>>;
        readonly metadata: Readonly<Record<string, unknown>>;
        readonly isTemporary?: boolean;
      },
      messages: number,
      status: Session["status"] = "active",
    ): Promise<Session> {
      const { rows } = await tx.query<Session>(
        `INSERT INTO sessions AS s (session_id, user_id, agent_id, title, config, metadata, last_seq, message_count, auto_title,
           status, temporary)
         VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $7, $8, $9, $10)
         RETURNING ${columns.replace(/\b[ah]\.(message_id|status)/g, "NULL")}`,
        [
          session.sessionId,
          session.userId,
          session.agentId,
          session.title,
          toJsonb(session.config),
          toJsonb(session.metadata),
          messages,
          session.autoTitle ?? null,
          status,
          session.isTemporary ?? false,
        ],
      );
      return rows[0] as Session;
    },

    async find(sessionId: string): Promise<FoundSession | null> {
      const { rows } = await database.query<FoundRow>(
        `SELECT ${foundColumns} WHERE s.session_id = $1`,
        [sessionId],
      );
      return rows[0] === undefined ? null : toFound(rows[0]);
    },

    /** Those of them that there are, in no order. */
    async findAll(sessionIds: readonly string[]): Promise<FoundSession[]> {
      const { rows } = await database.query<FoundRow>(
        `SELECT ${foundColumns} WHERE s.session_id = ANY($1::uuid[])`,
        [sessionIds],
      );
      return rows.map(toFound);
    },

    /**
     * How many active sessions a user has, counted up to `limit`. Until the end of `tx` whoever else counts them waits,
     * so what follows from the number holds. Lock a session of the user before, not after.
     */
    async countActive(tx: Queryable, userId: string, limit: number): Promise<number> {
      await tx.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [
        activeSessionsLock,
        userId,
      ]);
      const { rows } = await tx.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM (
           SELECT 1 FROM sessions WHERE user_id = $1 AND status = 'active' AND NOT temporary LIMIT $2) AS counted`,
        [userId, limit],
      );
      return rows[0]?.count ?? 0;
    },

    /** Its status and owner, which nobody changes until the end of `tx`; null when it is gone. */
    async lock(
      tx: Queryable,
      sessionId: string,
    ): Promise<Pick<Session, "status" | "userId"> | null> {
      const { rows } = await tx.query<Pick<Session, "status" | "userId">>(
        `SELECT status, user_id AS "userId" FROM sessions WHERE session_id = $1 FOR UPDATE`,
        [sessionId],
      );
      return rows[0] ?? null;
    },

    /**
     * Newest activity first, with `pinnedFirst` behind those that are pinned; fewer than `limit` where they are very large.
     * `after` continues behind that position of the same order.
     */
    async list(
      filter: SessionFilter,
      page: {
        readonly limit: number;
        readonly offset: number;
        readonly after?: SessionPosition | undefined;
        readonly pinnedFirst?: boolean | undefined;
      },
    ): Promise<{ sessions: Session[]; hasMore: boolean }> {
      const { limit, offset, after, pinnedFirst = false } = page;
      /** The first rows of those that `which` is true of, each part by an index of its own. */
      const part = (which: Sql, behind: SessionPosition | undefined, count: Sql) => {
        const conditions = [...conditionsOf(filter), which];
        if (behind !== undefined) {
          conditions.push(
            sql`(s.last_activity, s.session_id) < (${behind.lastActivity}::timestamptz, ${behind.sessionId}::uuid)`,
          );
        }
        return sql`
          SELECT ${raw(columns)}, ${raw(jsonBytes(["s.config", "s.metadata"]))} AS "bytes"
          FROM ${sourceOf(filter)} ${raw(joins)} WHERE ${join(conditions, " AND ")}
          ORDER BY s.last_activity DESC, s.session_id DESC ${count}`;
      };
      const count = sql`LIMIT ${limit + 1} OFFSET ${offset}`;
      const order = sql`"lastActivity" DESC, "sessionId" DESC`;
      const inBoth = sql`"pinned" DESC, ${order}`;
      const enough = sql`LIMIT ${limit + 1 + offset}`;
      const isBehindPinned = after?.pinned === false;
      const rows = pinnedFirst
        ? sql`
          SELECT * FROM (
            (${part(isBehindPinned ? raw("false") : isPinned, after, enough)}) UNION ALL
            (${part(isNotPinned, isBehindPinned ? after : undefined, enough)})) AS parts
          ORDER BY ${inBoth} ${count}`
        : part(raw("true"), after, count);
      const { rows: sessions, hasMore } = await selectPage<Session>(database, {
        rows,
        order: pinnedFirst ? inBoth : order,
        limit,
      });
      return { sessions, hasMore };
    },

    /** All of a user's, oldest first. */
    async idsOf(userId: string): Promise<string[]> {
      const { rows } = await database.query<{ sessionId: string }>(
        `SELECT session_id AS "sessionId" FROM sessions WHERE user_id = $1 ORDER BY created_at, session_id`,
        [userId],
      );
      return rows.map(({ sessionId }) => sessionId);
    },

    async count(filter: SessionFilter): Promise<number> {
      const { text, values } = sql`
        SELECT count(*)::int AS count FROM ${sourceOf(filter)} WHERE ${join(conditionsOf(filter), " AND ")}`;
      const { rows } = await database.query<{ count: number }>(text, values);
      return rows[0]?.count ?? 0;
    },

    /** False when the session is gone. This is no activity: only messages are. Whoever sets a title has chosen it. */
    async update(on: Queryable, sessionId: string, patch: SessionPatch): Promise<boolean> {
      const { rowCount } = await on.query(
        `UPDATE sessions SET
           title = CASE WHEN $2 THEN $3 ELSE title END,
           auto_title = CASE WHEN $2 THEN NULL ELSE auto_title END,
           status = coalesce($4, status),
           agent_id = coalesce($5, agent_id),
           config = ${patched("config", "$6")},
           metadata = ${patched("metadata", "$7")},
           pinned = coalesce($8, pinned),
           tags = coalesce($9::text[], tags)
         WHERE session_id = $1`,
        [
          sessionId,
          patch.title !== undefined,
          patch.title ?? null,
          patch.status ?? null,
          patch.agentId ?? null,
          patch.config === undefined ? null : toJsonb(patch.config),
          patch.metadata === undefined ? null : toJsonb(patch.metadata),
          patch.pinned ?? null,
          patch.tags ?? null,
        ],
      );
      return rowCount > 0;
    },

    /** Exact for any number of sessions: the database counts. */
    async statistics(userId: string): Promise<UserStatistics> {
      const { rows } = await database.query<{
        agentId: string;
        sessions: number;
        active: number;
        messages: number;
      }>(
        `SELECT agent_id AS "agentId", count(*)::int AS sessions,
           (count(*) FILTER (WHERE status = 'active'))::int AS active,
           coalesce(sum(${messageTotal}), 0)::int AS messages
         FROM sessions s WHERE user_id = $1 AND NOT temporary GROUP BY agent_id ORDER BY agent_id`,
        [userId],
      );
      const sum = (value: (row: (typeof rows)[number]) => number) =>
        rows.reduce((total, row) => total + value(row), 0);
      const total = sum((row) => row.sessions);
      const activeCount = sum((row) => row.active);
      return {
        total,
        active: activeCount,
        archived: total - activeCount,
        messages: sum((row) => row.messages),
        agents: rows,
      };
    },

    /** Sessions without activity for `days` that nobody has pinned, the longest-idle first; `after` continues behind that position. */
    async inactive(
      days: number,
      limit: number,
      after?: SessionPosition,
    ): Promise<{ sessionId: string; userId: string; lastActivity: Date; position: string }[]> {
      const { rows } = await database.query<{
        sessionId: string;
        userId: string;
        lastActivity: Date;
        position: string;
      }>(
        `SELECT s.session_id AS "sessionId", s.user_id AS "userId", s.last_activity AS "lastActivity",
           ${position}
         FROM sessions s
         WHERE s.last_activity < now() - make_interval(days => $1) AND NOT s.pinned AND NOT s.temporary AND ${notImportedSince("s.", "$1")}
           AND ($3::timestamptz IS NULL OR (s.last_activity, s.session_id) > ($3::timestamptz, $4::uuid))
         ORDER BY s.last_activity, s.session_id LIMIT $2`,
        [days, limit, after?.lastActivity ?? null, after?.sessionId ?? null],
      );
      return rows;
    },

    /** Temporary ones that nobody has used for so long, the longest-idle first. What is being made, or waits, is used. */
    async spent(seconds: number, limit: number): Promise<string[]> {
      const { rows } = await database.query<{ sessionId: string }>(
        `SELECT s.session_id AS "sessionId" FROM sessions s
         WHERE s.temporary AND s.last_activity < now() - make_interval(secs => $1) AND NOT EXISTS (
           SELECT 1 FROM messages m WHERE m.session_id = s.session_id AND m.status IN ('queued', 'streaming'))
         ORDER BY s.last_activity LIMIT $2`,
        [seconds, limit],
      );
      return rows.map(({ sessionId }) => sessionId);
    },

    async countInactive(days: number): Promise<number> {
      const { rows } = await database.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM sessions
         WHERE last_activity < now() - make_interval(days => $1) AND NOT pinned AND NOT temporary AND ${notImportedSince("", "$1")}`,
        [days],
      );
      return rows[0]?.count ?? 0;
    },
  };
}
