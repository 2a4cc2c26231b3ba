import type { Budget } from "../config/sections/limits.ts";
import type { Database } from "../database/database.ts";
import type { RecordEvent } from "../events/business-event.ts";
import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";

/** Whose budgets a message draws on, besides that of all. */
export interface Payer {
  /** Undefined: whoever owns the session. */
  readonly userId: string | undefined;
  readonly sessionId?: string | undefined;
  /** Of the API key with which it came. */
  readonly keyName?: string | undefined;
}

/** What may be used in a time. Several nodes share the figures: they are in the database. */
export interface Budgets {
  /**
   * `budget_exceeded` for a payer who has nothing left, else null. What runs then is not counted yet, so it may go over
   * by what runs at a time. Costs one statement, whatever has been used; nothing where there are no budgets.
   */
  check(payer: Payer): Promise<Problem | null>;
  /** Something was used: looks in the background whether somebody has to be warned. */
  used(payer: Payer): void;
  /** Resolves when nothing is looked at in the background. */
  idle(): Promise<void>;
}

interface BudgetParts {
  readonly budgets: readonly Budget[];
  readonly database: Database;
  readonly recordEvent: RecordEvent;
  readonly log: Logger;
}

/** Where none is configured. */
export const noBudgets: Budgets = {
  check: () => Promise.resolve(null),
  used() {},
  idle: () => Promise.resolve(),
};

/** Of a budget; from here on somebody is told. */
const warnFrom = 0.8;
/** Warnings that this process knows to have been given; with more it asks the database again. */
const maxKnownWarnings = 10_000;

interface Standing {
  readonly budget: Budget;
  /** The user or key; null: all. */
  readonly name: string | null;
  readonly used: number;
  readonly limit: number;
  /** The first day, such as 2026-11-01. */
  readonly begins: string;
  readonly renewsAt: Date;
}

interface SumRow {
  readonly now: Date;
  readonly scope: Budget["scope"] | null;
  readonly name: string | null;
  readonly dayTokens: number;
  readonly monthTokens: number;
  readonly dayCost: number;
  readonly monthCost: number;
}

export function createBudgets({ budgets, database, recordEvent, log }: BudgetParts): Budgets {
  if (budgets.length === 0) return noBudgets;
  const scopes = new Set(budgets.map(({ scope }) => scope));
  const warned = new Set<string>();
  const looks = new Set<Promise<void>>();

  async function standings(payer: Payer): Promise<readonly Standing[]> {
    const { rows } = await database.query<SumRow>(
      `WITH wanted (scope, name) AS (
         SELECT 'user', coalesce($1::text, (SELECT user_id FROM sessions WHERE session_id = $2::uuid))
         WHERE $4
         UNION ALL SELECT 'key', $3::text WHERE $3 IS NOT NULL AND $5
         UNION ALL SELECT 'all', shard FROM unnest(string_to_array('0123456789abcdef', NULL)) AS shard WHERE $6),
       sums AS (
         SELECT scope, CASE WHEN scope <> 'all' THEN name END AS name,
           sum(tokens) FILTER (WHERE day >= (now() AT TIME ZONE 'UTC')::date)::float8 AS "dayTokens",
           sum(tokens)::float8 AS "monthTokens",
           sum(cost) FILTER (WHERE day >= (now() AT TIME ZONE 'UTC')::date)::float8 AS "dayCost",
           sum(cost)::float8 AS "monthCost"
         FROM wanted JOIN usage_totals USING (scope, name)
         WHERE day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date GROUP BY 1, 2)
       SELECT now(), sums.* FROM (SELECT now()) AS clock LEFT JOIN sums ON true`,
      [
        payer.userId ?? null,
        payer.sessionId ?? null,
        payer.keyName ?? null,
        scopes.has("user"),
        scopes.has("key"),
        scopes.has("all"),
      ],
    );
    return rows.flatMap((row) =>
      budgets.filter(({ scope }) => scope === row.scope).map((budget) => standingOf(budget, row)),
    );
  }

  async function warn(standing: Standing): Promise<void> {
    const { budget, name, used, limit, begins, renewsAt } = standing;
    if (used < warnFrom * limit) return;
    const { scope, period } = budget;
    const unit = budget.tokens === undefined ? "money" : "tokens";
    const id = `${scope} ${period} ${unit} ${limit}`;
    const whose = `${scope}:${name ?? ""}`;
    const key = JSON.stringify([id, whose, begins]);
    if (warned.has(key)) return;
    const isNew = await database.transaction(async (tx) => {
      const { rowCount } = await tx.query(
        "INSERT INTO budget_warnings (budget, name, day) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        [id, whose, begins],
      );
      if (rowCount === 0) return false;
      await recordEvent(tx, {
        type: "budget.warning",
        data: {
          scope,
          user_id: scope === "user" ? name : null,
          key: scope === "key" ? name : null,
          period,
          unit,
          used,
          limit,
          renews_at: renewsAt.toISOString(),
        },
      });
      return true;
    });
    if (warned.size >= maxKnownWarnings) warned.clear();
    warned.add(key);
    if (isNew) {
      log.warn({ scope, name, period, unit, used, limit, renewsAt }, "a budget is nearly used up");
    }
  }

  async function look(payer: Payer): Promise<void> {
    try {
      for (const standing of await standings(payer)) await warn(standing);
    } catch (error) {
      log.warn({ err: error }, "budgets cannot be looked at; the next reply looks again");
    }
  }

  return {
    async check(payer) {
      const over = (await standings(payer))
        .filter(({ used, limit }) => used >= limit)
        // Whoever waits for the first of several to be renewed would be refused again.
        .toSorted((one, other) => other.renewsAt.getTime() - one.renewsAt.getTime())[0];
      if (over === undefined) return null;
      const { scope, period } = over.budget;
      const renewsAt = over.renewsAt.toISOString();
      const seconds = Math.max(1, Math.ceil((over.renewsAt.getTime() - Date.now()) / 1000));
      return new Problem(
        "budget_exceeded",
        { scope, period, renewsAt },
        { retryAfterSeconds: seconds },
      );
    },
    used(payer) {
      const done = look(payer).finally(() => looks.delete(done));
      looks.add(done);
    },
    async idle() {
      await Promise.all(looks);
    },
  };
}

function standingOf(budget: Budget, row: SumRow): Standing {
  const isDay = budget.period === "day";
  const year = row.now.getUTCFullYear();
  const month = row.now.getUTCMonth();
  const day = row.now.getUTCDate();
  const begins = new Date(Date.UTC(year, month, isDay ? day : 1));
  const renewsAt = new Date(isDay ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1));
  const tokens = isDay ? row.dayTokens : row.monthTokens;
  const cost = isDay ? row.dayCost : row.monthCost;
  return {
    budget,
    name: row.name,
    used: (budget.tokens === undefined ? cost : tokens) ?? 0,
    limit: budget.tokens ?? budget.money ?? 0,
    begins: begins.toISOString().slice(0, 10),
    renewsAt,
  };
}
