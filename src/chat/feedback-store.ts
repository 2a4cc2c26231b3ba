import sql, { join, raw, type Sql } from "sql-template-tag";
import type { Database } from "../database/database.ts";
import { jsonBytes, selectPage } from "../database/select-page.ts";
import { toJsonb } from "../lib/clean-text.ts";

type Rating = "up" | "down";

/** What the user thinks of a reply, as it stands in the message. */
export interface Feedback {
  readonly rating: Rating;
  readonly tags: readonly string[];
  readonly comment: string | null;
  readonly timestamp: string;
}

/** Whose reply is rated. */
export interface RatedReply {
  readonly sessionId: string;
  readonly messageId: string;
  readonly userId: string;
  readonly agentId: string;
}

export interface GivenFeedback extends RatedReply {
  /** That answered; null: the agent does not say. */
  readonly model: string | null;
  readonly feedback: Feedback;
  /** Null: it is gone. */
  readonly question: string | null;
  readonly answer: string;
  readonly createdAt: Date;
}

export interface FeedbackFilter {
  readonly agentId?: string | undefined;
  readonly rating?: Rating | undefined;
  readonly since?: string | undefined;
}

/** In the list of all feedback: the last one of the page before. */
export interface FeedbackPosition {
  readonly createdAt: string;
  readonly messageId: string;
}

export type FeedbackStore = ReturnType<typeof createFeedbackStore>;

/** The model that said most of a reply, by what it has used. */
const answeredBy = (messageId: Sql) => sql`
  SELECT model FROM usage WHERE message_id = ${messageId} AND kind = 'reply' AND model <> ''
  ORDER BY output_tokens DESC, input_tokens DESC, model LIMIT 1`;

/** Looked up for each: how many there will be the planner cannot know, and it would rather read all messages. */
const messageOf = (messageId: string) =>
  raw(`LATERAL (
    SELECT content, feedback, reply_to FROM messages WHERE session_id = f.session_id AND message_id = ${messageId} OFFSET 0)`);

/** All SQL of feedback. It goes with its message. */
export function createFeedbackStore(database: Database) {
  return {
    /** In place of what there was; null takes it back. Tells which model is rated; null when the message is gone. */
    put: (reply: RatedReply, feedback: Feedback | null): Promise<{ model: string | null } | null> =>
      database.transaction(async (tx) => {
        const { sessionId, messageId, userId, agentId } = reply;
        // As whoever changes a session's messages: its row first.
        await tx.query("SELECT 1 FROM sessions WHERE session_id = $1 FOR NO KEY UPDATE", [
          sessionId,
        ]);
        // Whoever rates it at the same moment waits here, so both places say the same in the end.
        const { rowCount } = await tx.query(
          "UPDATE messages SET feedback = $3::jsonb WHERE session_id = $1 AND message_id = $2",
          [sessionId, messageId, feedback === null ? null : toJsonb(feedback)],
        );
        if (rowCount === 0) return null;
        if (feedback === null) {
          await tx.query("DELETE FROM feedback WHERE session_id = $1 AND message_id = $2", [
            sessionId,
            messageId,
          ]);
          return { model: null };
        }
        const { text, values } = sql`
          INSERT INTO feedback (session_id, message_id, user_id, agent_id, model, rating, created_at)
          VALUES (${sessionId}, ${messageId}, ${userId}, ${agentId}, (${answeredBy(sql`${messageId}`)}),
            ${feedback.rating}, ${feedback.timestamp})
          ON CONFLICT (session_id, message_id) DO UPDATE SET
            model = excluded.model, rating = excluded.rating, created_at = excluded.created_at
          RETURNING model`;
        const { rows } = await tx.query<{ model: string | null }>(text, values);
        return rows[0] ?? null;
      }),

    /** Newest first, fewer than `limit` where they are very long; `after` continues behind that position. */
    async list(
      { agentId, rating, since }: FeedbackFilter,
      page: { readonly limit: number; readonly after?: FeedbackPosition | undefined },
    ): Promise<{ feedback: GivenFeedback[]; hasMore: boolean }> {
      const { limit, after } = page;
      const conditions: Sql[] = [raw("true")];
      if (agentId !== undefined) conditions.push(sql`f.agent_id = ${agentId}`);
      if (since !== undefined) conditions.push(sql`f.created_at >= ${since}::timestamptz`);
      if (after !== undefined) {
        conditions.push(
          sql`(f.created_at, f.message_id) < (${after.createdAt}::timestamptz, ${after.messageId}::uuid)`,
        );
      }
      const order = sql`ORDER BY f.created_at DESC, f.message_id DESC LIMIT ${limit + 1}`;
      const part = (more: Sql) =>
        sql`SELECT * FROM feedback f WHERE ${join([...conditions, more], " AND ")} ${order}`;
      const rated = (value: Rating) => part(sql`f.rating = ${value}`);
      // An agent's stand by rating in their index, and by time within that: the first of both are read, and no others.
      const found =
        rating !== undefined
          ? rated(rating)
          : agentId === undefined
            ? part(raw("true"))
            : sql`SELECT * FROM ((${rated("up")}) UNION ALL (${rated("down")})) f ${order}`;
      const { rows, hasMore } = await selectPage<GivenFeedback>(database, {
        rows: sql`
          SELECT f.session_id AS "sessionId", f.message_id AS "messageId", f.user_id AS "userId",
            f.agent_id AS "agentId", coalesce((${answeredBy(raw("f.message_id"))}), f.model) AS model, f.created_at AS "createdAt", a.feedback, q.content AS question,
            a.content AS answer, octet_length(a.content) + coalesce(octet_length(q.content), 0) +
              ${raw(jsonBytes(["a.feedback"]))} AS "bytes"
          FROM (${found}) f
          JOIN ${messageOf("f.message_id")} a ON true LEFT JOIN ${messageOf("a.reply_to")} q ON true`,
        order: sql`"createdAt" DESC, "messageId" DESC`,
        limit,
      });
      return { feedback: rows, hasMore };
    },

    /** Of the replies that a user has, how many are rated how. */
    async countOf(userId: string): Promise<Readonly<Record<Rating, number>>> {
      const { rows } = await database.query<{ rating: Rating; count: number }>(
        "SELECT rating, count(*)::int AS count FROM feedback WHERE user_id = $1 GROUP BY rating",
        [userId],
      );
      const counts = new Map(rows.map(({ rating, count }) => [rating, count]));
      return { up: counts.get("up") ?? 0, down: counts.get("down") ?? 0 };
    },
  };
}
