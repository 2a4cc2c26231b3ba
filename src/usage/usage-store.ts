import sql, { join, type Sql } from "sql-template-tag";
import type { Database } from "../database/database.ts";
import type { UsageKind } from "./spending.ts";

const groups = {
  day: "(ended_at AT TIME ZONE 'UTC')::date::text",
  agent: "agent_id",
  model: "model",
  kind: "kind",
} as const;

export type UsageGroup = keyof typeof groups;

export interface UsageFilter {
  /** Null: everybody. */
  readonly userId: string | null;
  readonly sessionId?: string | undefined;
  /** ISO 8601; from this moment on. */
  readonly since?: string | undefined;
  /** ISO 8601; before this moment. */
  readonly until?: string | undefined;
  readonly agentId?: string | undefined;
  readonly model?: string | undefined;
  readonly kind?: UsageKind | undefined;
}

export interface UsageSum {
  readonly replies: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly reasoningTokens: number;
  /** Null: nothing of it had a price. */
  readonly cost: number | null;
}

export interface UsageRow extends UsageSum {
  /** Null: the sum of all. Of models '' is not known. */
  readonly name: string | null;
}

/**
 * Only what is asked for: of conditions that may be none the planner makes no use. A time has two ends in any case: of one
 * that is open it would expect a third of all there is.
 */
function conditionsOf({
  userId,
  sessionId,
  since,
  until,
  agentId,
  model,
  kind,
}: UsageFilter): Sql[] {
  const conditions = [
    sql`ended_at >= ${since ?? "-infinity"}::timestamptz AND ended_at < ${until ?? "infinity"}::timestamptz`,
  ];
  if (userId !== null) conditions.push(sql`user_id = ${userId}`);
  if (sessionId !== undefined) conditions.push(sql`session_id = ${sessionId}::uuid`);
  if (agentId !== undefined) conditions.push(sql`agent_id = ${agentId}`);
  if (model !== undefined) conditions.push(sql`model = ${model}`);
  if (kind !== undefined) conditions.push(sql`kind = ${kind}`);
  return conditions;
}

export type UsageStore = ReturnType<typeof createUsageStore>;

/** What users have used. Rows are written with what was made (`spending.ts`). */
export function createUsageStore(database: Database) {
  return {
    /** One row for each name, in their order, and the sum of all as the last one, also of nothing. */
    async sums(filter: UsageFilter, group: UsageGroup): Promise<readonly UsageRow[]> {
      const conditions = join(conditionsOf(filter), " AND ");
      const { rows } = await database.query<UsageRow>(
        `WITH wanted AS (
           SELECT *, ${groups[group]} AS name FROM usage WHERE ${conditions.text})
         SELECT name, count(DISTINCT message_id) FILTER (WHERE kind = 'reply')::int AS replies,
           coalesce(sum(input_tokens), 0)::float8 AS "inputTokens",
           coalesce(sum(output_tokens), 0)::float8 AS "outputTokens",
           coalesce(sum(cached_tokens), 0)::float8 AS "cachedTokens",
           coalesce(sum(reasoning_tokens), 0)::float8 AS "reasoningTokens",
           sum(cost)::float8 AS cost
         FROM wanted GROUP BY GROUPING SETS ((name), ()) ORDER BY GROUPING(name), name COLLATE "C"`,
        conditions.values,
      );
      return rows;
    },

    /** Running totals that no budget is compared with any more, because their month is over. */
    async purge(): Promise<void> {
      const isOver = "day < date_trunc('month', now() AT TIME ZONE 'UTC')::date";
      await database.query(`DELETE FROM usage_totals WHERE ${isOver}`);
      await database.query(`DELETE FROM budget_warnings WHERE ${isOver}`);
    },

    /** Nothing of the user is left, his running totals included; how many rows there were. */
    async erase(userId: string): Promise<number> {
      return database.transaction(async (tx) => {
        const { rowCount } = await tx.query("DELETE FROM usage WHERE user_id = $1", [userId]);
        await tx.query("DELETE FROM usage_totals WHERE scope = 'user' AND name = $1", [userId]);
        await tx.query("DELETE FROM budget_warnings WHERE name = $1", [`user:${userId}`]);
        // Of one who has nothing left no row stays.
        await tx.query("SELECT settle_stored_bytes($1)", [userId]);
        return rowCount;
      });
    },
  };
}
