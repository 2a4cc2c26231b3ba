import sql, { empty, join, raw, type Sql } from "sql-template-tag";
import type { Requirement } from "../../agents/agent-backend.ts";
import type { Database } from "../../database/database.ts";
import { jsonBytes, selectPage } from "../../database/select-page.ts";
import { isMoment, isRowNumber } from "../../http/cursor.ts";
import { isId } from "../../lib/ids.ts";
import type { Extras } from "../../replies/extras.ts";
import type { ReplyEnd } from "../../replies/reply.ts";
import type { OutputFormat } from "../../replies/structured-output.ts";
import { contextNamespace } from "./request.ts";

/** A reply and its question, as far as a task tells of them. */
export interface TaskRow {
  readonly taskId: string;
  readonly sessionId: string;
  readonly seq: number;
  readonly agentId: string;
  readonly status: string;
  readonly content: string;
  readonly finishReason: string | null;
  readonly usage: ReplyEnd["usage"];
  readonly error: ReplyEnd["error"];
  readonly requirements: readonly Requirement[] | null;
  readonly outputFormat: OutputFormat | null;
  readonly media: readonly object[] | null;
  readonly extras: Extras | null;
  readonly statusAt: Date;
  /** What its client calls the conversation; null: nothing of its own. */
  readonly contextName: string | null;
  readonly questionId: string;
  readonly question: string;
  /** What its client calls the question. */
  readonly questionName: string | null;
}

export interface TaskFilter {
  readonly userId: string;
  readonly agentId: string | undefined;
  readonly sessionId: string | undefined;
  /** As replies have them; null: any. */
  readonly statuses: readonly string[] | null;
  readonly since: Date | undefined;
}

/** Where a list goes on: behind this reply. */
export interface TaskPosition {
  readonly activity: string;
  readonly sessionId: string;
  readonly seq: number;
}

export function isTaskPosition(value: unknown): value is TaskPosition {
  const { activity, sessionId, seq } = (value ?? {}) as Partial<
    Record<keyof TaskPosition, unknown>
  >;
  return isMoment(activity) && typeof sessionId === "string" && isId(sessionId) && isRowNumber(seq);
}

/** So far a list is counted. */
const maxCounted = 1_000;

/** Of a running reply: when it was accepted, which is near enough. */
const statusAt = sql`m.created_at + make_interval(secs => coalesce(m.duration_ms, 0) / 1000.0)`;

const columns = (withText: boolean) => sql`
  m.message_id AS "taskId", m.session_id AS "sessionId", m.seq, m.agent_id AS "agentId", m.status,
  ${withText ? sql`m.content` : sql`''`} AS content, m.finish_reason AS "finishReason", m.usage, m.error,
  m.requirements, m.output_format AS "outputFormat", m.media, m.extras, ${statusAt} AS "statusAt",
  (SELECT e.external_id FROM external_ids e
   WHERE e.session_id = m.session_id AND e.namespace = ${contextNamespace} LIMIT 1) AS "contextName",
  q.message_id AS "questionId", q.content AS question, q.metadata->'a2a'->>'message_id' AS "questionName"`;

const questionOf = sql`
  JOIN messages q ON q.session_id = m.session_id AND q.message_id = m.reply_to`;

export type TaskStore = ReturnType<typeof createTaskStore>;

/** All SQL of tasks: replies of a user's, with what they answer. */
export function createTaskStore(database: Database) {
  const conditionsOf = ({ userId, agentId, sessionId, statuses, since }: TaskFilter): Sql => {
    const conditions = [
      sql`s.user_id = ${userId}`,
      sql`NOT s.temporary`,
      sql`m.role = 'assistant'`,
    ];
    if (agentId !== undefined) conditions.push(sql`m.agent_id = ${agentId}`);
    if (sessionId !== undefined) conditions.push(sql`s.session_id = ${sessionId}`);
    if (statuses !== null) conditions.push(sql`m.status = ANY(${[...statuses]}::text[])`);
    if (since !== undefined) conditions.push(sql`${statusAt} >= ${since}`);
    return join(conditions, " AND ");
  };

  return {
    /** Null: there is no such reply of the user's. */
    async find(taskId: string, userId: string): Promise<TaskRow | null> {
      const { text, values } = sql`
        SELECT ${columns(true)} FROM messages m ${questionOf} JOIN sessions s ON s.session_id = m.session_id
        WHERE m.message_id = ${taskId} AND m.role = 'assistant' AND s.user_id = ${userId}`;
      const { rows } = await database.query<TaskRow>(text, values);
      return rows[0] ?? null;
    },

    /** Those of the sessions that were used last come first, in each the newest first. */
    async list(
      filter: TaskFilter,
      after: TaskPosition | null,
      { limit, withText }: { readonly limit: number; readonly withText: boolean },
    ): Promise<{ tasks: (TaskRow & { readonly activity: string })[]; hasMore: boolean }> {
      const from =
        after === null
          ? empty
          : sql` AND (s.last_activity, s.session_id, m.seq) <
              (${after.activity}::timestamptz, ${after.sessionId}::uuid, ${after.seq}::int)`;
      const order = sql`"activity" DESC, "sessionId" DESC, "seq" DESC`;
      const { rows, hasMore } = await selectPage<TaskRow & { readonly activity: string }>(
        database,
        {
          rows: sql`
            SELECT ${columns(withText)}, to_char(s.last_activity AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "activity",
              octet_length(q.content) + ${withText ? sql`octet_length(m.content)` : sql`0`} +
              ${raw(jsonBytes(["m.error", "m.requirements", "m.media", "m.extras"]))} AS "bytes"
            FROM sessions s JOIN messages m ON m.session_id = s.session_id ${questionOf}
            WHERE ${conditionsOf(filter)}${from}
            ORDER BY s.last_activity DESC, s.session_id DESC, m.seq DESC LIMIT ${limit + 1}`,
          order,
          limit,
        },
      );
      return { tasks: rows, hasMore };
    },

    /** How many there are, up to a thousand. */
    async count(filter: TaskFilter): Promise<number> {
      const { text, values } = sql`
        SELECT count(*)::int AS count FROM (
          SELECT 1 FROM sessions s JOIN messages m ON m.session_id = s.session_id ${questionOf}
          WHERE ${conditionsOf(filter)} LIMIT ${maxCounted}) AS counted`;
      const { rows } = await database.query<{ count: number }>(text, values);
      return rows[0]?.count ?? 0;
    },
  };
}
