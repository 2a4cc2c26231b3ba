import type { Queryable } from "../database/database.ts";
import { toJsonb } from "../lib/clean-text.ts";
import type { PricedSpent } from "./spent.ts";

/** What models are used for. */
export const usageKinds = ["reply", "title", "summary"] as const;
export type UsageKind = (typeof usageKinds)[number];

/** Whom something counts for. */
interface Spender {
  readonly sessionId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly keyName?: string | undefined;
}

/** The days of all users together are spread over so many rows: each end waits for a sixteenth of the others. */
const shardOf = (sessionId: string) => sessionId.slice(-1);

/**
 * What was used, written where `ended` has a row: its own rows, and the running totals of whom it counts for. A
 * reply that goes on after a pause replaces its rows, and only what is new is added to the totals; so does a repeat.
 * `message` is the parameter of its id, `from` the first of `spendingValues`.
 */
export function spending(message: string, from: number, kind: UsageKind = "reply"): string {
  const [spent, user, agent, shard, key, session] = [0, 1, 2, 3, 4, 5].map(
    (more) => `$${from + more}`,
  );
  return `
  spent AS (
    SELECT s.* FROM ended CROSS JOIN jsonb_to_recordset(${spent}::jsonb)
      AS s (model text, input bigint, output bigint, cached bigint, reasoning bigint, cost numeric)),
  used AS (
    INSERT INTO usage (message_id, model, kind, user_id, agent_id, session_id, input_tokens, output_tokens,
      cached_tokens, reasoning_tokens, cost)
    SELECT ${message}::uuid, model, '${kind}', ${user}, ${agent}, ${session}::uuid,
      input, output, cached, reasoning, cost FROM spent
    ON CONFLICT (message_id, model) DO UPDATE SET ended_at = excluded.ended_at,
      input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
      cached_tokens = excluded.cached_tokens, reasoning_tokens = excluded.reasoning_tokens,
      cost = excluded.cost),
  added AS (
    SELECT sum(input + output - coalesce(u.input_tokens + u.output_tokens, 0)) AS tokens,
      sum(coalesce(s.cost, 0) - coalesce(u.cost, 0)) AS cost
    FROM spent s LEFT JOIN LATERAL (
      SELECT * FROM usage WHERE message_id = ${message}::uuid AND model = s.model LIMIT 1) AS u ON true),
  totals AS (
    INSERT INTO usage_totals (scope, name, day, tokens, cost)
    SELECT scope, name, (now() AT TIME ZONE 'UTC')::date, tokens, cost
    FROM added CROSS JOIN (VALUES ('all', ${shard}), ('key', ${key}), ('user', ${user})) AS whose (scope, name)
    WHERE name IS NOT NULL AND (tokens <> 0 OR cost <> 0)
    -- Always in the same order, so that two ends never wait for each other.
    ORDER BY scope, name
    ON CONFLICT (scope, name, day) DO UPDATE SET
      tokens = usage_totals.tokens + excluded.tokens, cost = usage_totals.cost + excluded.cost)`;
}

export function spendingValues(
  spent: readonly PricedSpent[],
  { sessionId, userId, agentId, keyName }: Spender,
): unknown[] {
  return [toJsonb(spent), userId, agentId, shardOf(sessionId), keyName ?? null, sessionId];
}

/** By itself, of what is no reply; `id` is of this alone. */
export async function recordSpending(
  tx: Queryable,
  kind: UsageKind,
  id: string,
  spent: readonly PricedSpent[],
  spender: Spender,
): Promise<void> {
  await tx.query(
    `WITH ended AS (SELECT 1 WHERE $1::uuid IS NOT NULL), ${spending("$1", 2, kind)} SELECT 1`,
    [id, ...spendingValues(spent, spender)],
  );
}
