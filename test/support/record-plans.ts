import { appendFileSync } from "node:fs";
import pg from "pg";

/**
 * Loaded before the service (`--import`): writes the scans of every plan that auto_explain tells its connections to the
 * file PLANS_FILE, one JSON object a line; of plans of the same form only those that read much more than those before.
 */

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Filter?: string;
  readonly "Actual Rows"?: number;
  readonly "Actual Loops"?: number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly Plan[];
}

export interface RecordedScan {
  readonly type: string;
  readonly table: string | null;
  readonly index: string | null;
  readonly indexCond: string | null;
  readonly filter: string | null;
  /** Types of the steps above it, the next one first. */
  readonly above: readonly string[];
  readonly rows: number;
}

export interface RecordedPlan {
  readonly sql: string;
  readonly scans: readonly RecordedScan[];
}

function* scansOf(plan: Plan, above: readonly string[]): Generator<RecordedScan, void, void> {
  const type = plan["Node Type"];
  if (type.endsWith("Scan") && (plan["Relation Name"] ?? plan["Index Name"]) !== undefined) {
    yield {
      type,
      table: plan["Relation Name"] ?? null,
      index: plan["Index Name"] ?? null,
      indexCond: plan["Index Cond"] ?? null,
      filter: plan.Filter ?? null,
      above,
      rows:
        (plan["Actual Loops"] ?? 0) *
        ((plan["Actual Rows"] ?? 0) +
          (plan["Rows Removed by Filter"] ?? 0) +
          (plan["Rows Removed by Index Recheck"] ?? 0)),
    };
  }
  for (const child of plan.Plans ?? []) yield* scansOf(child, [type, ...above]);
}

const file = process.env["PLANS_FILE"] ?? "";
const most = new Map<string, number>();

function record(message: string): void {
  const start = message.indexOf("{");
  if (!message.startsWith("duration:") || start === -1) return;
  const { "Query Text": sql, Plan: plan } = JSON.parse(message.slice(start)) as {
    readonly "Query Text": string;
    readonly Plan: Plan;
  };
  const scans = [...scansOf(plan, [])];
  const key = JSON.stringify([sql, scans.map(({ rows: _, ...form }) => form)]);
  const rows = Math.max(0, ...scans.map((scan) => scan.rows));
  const before = most.get(key);
  if (before !== undefined && rows <= before * 2 + 10) return;
  most.set(key, rows);
  appendFileSync(file, `${JSON.stringify({ sql, scans } satisfies RecordedPlan)}\n`);
}

const prototype = pg.Client.prototype as unknown as {
  connect: (...given: unknown[]) => unknown;
};
const { connect } = prototype;
prototype.connect = function (this: pg.Client, ...given) {
  this.on("notice", ({ message }) => {
    if (message !== undefined) record(message);
  });
  return connect.apply(this, given);
};
