import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrate } from "../../src/database/migrate.ts";
import { createPostgresDatabase } from "../../src/database/postgres.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";
import { startSecurityStage } from "../security/stage.ts";
import { bigTables, fillBigTables } from "../support/big-tables.ts";
import { createClient } from "../support/client.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService } from "../support/start-service.ts";
import type { RecordedPlan, RecordedScan } from "../support/record-plans.ts";
import { everythingEnv, useEverything } from "../support/use-everything.ts";

const postgres = await startPostgres();
const sessions = 40_000;
/** Nobody of those who ask has more than this of anything. */
const mostRows = 2_000;

describe.skipIf(postgres === null)("what the service asks of tables that have grown large", () => {
  const directory = mkdtempSync(join(tmpdir(), "query-plans-"));
  const plansFile = join(directory, "plans.jsonl");
  const coverage = join(directory, "coverage");
  let leading: Map<string, string>;
  let counts: readonly Record<"counted" | "there", string | null>[];

  beforeAll(async () => {
    if (postgres === null) return;
    const url = await postgres.freshDatabase();
    const run = (sql: string) => postgres.query<never>(sql, [], url);
    const database = createPostgresDatabase({
      url,
      maxConnections: 1,
      poolTimeoutMs: 10_000,
      connectTimeoutMs: 10_000,
      statementTimeoutMs: 0,
      pooler: "none",
      log: silentLogger,
    });
    await migrate(database);
    await database.close();
    // What is still to be noted of it: of a few.
    await run("UPDATE search_backfill SET session_id = '00200000-0000-0000-0000-000000000000'");
    await fillBigTables(run, sessions);
    const name = new URL(url).pathname.slice(1);
    for (const [setting, value] of Object.entries({
      session_preload_libraries: "auto_explain",
      "auto_explain.log_min_duration": "0",
      "auto_explain.log_level": "notice",
      "auto_explain.log_format": "json",
      "auto_explain.log_nested_statements": "on",
      "auto_explain.log_analyze": "on",
      "auto_explain.log_timing": "off",
      // What a statement gets on a connection that has run it six times.
      plan_cache_mode: "force_generic_plan",
      jit: "off",
    })) {
      await run(`ALTER DATABASE ${name} SET ${setting} = '${value}'`);
    }
    const env = {
      ...everythingEnv,
      DATABASE_URL: url,
      NODE_OPTIONS: `--import=${join(import.meta.dirname, "../support/record-plans.ts")}`,
      NODE_V8_COVERAGE: coverage,
      PLANS_FILE: plansFile,
    };
    const stage = await startSecurityStage(env);
    const second = await startSecurityStage(env);
    try {
      await useEverything(stage, second);
    } finally {
      await stage.stop();
      await second.stop();
    }
    await talkShortly(env);
    counts = await postgres.query(
      `SELECT (SELECT jsonb_object_agg(name, sessions) FROM (
           SELECT concat_ws(' ', status, agent_id) AS name, sum(sessions)::int AS sessions
           FROM session_counts GROUP BY 1 HAVING sum(sessions) <> 0) AS counted)::text AS counted,
         (SELECT jsonb_object_agg(name, sessions) FROM (
           SELECT concat_ws(' ', status, agent_id) AS name, count(*) AS sessions
           FROM sessions WHERE NOT temporary GROUP BY 1) AS there)::text AS there`,
      [],
      url,
    );
    const indexes = await postgres.query<{ index: string; column: string }>(
      `SELECT c.relname AS index, pg_get_indexdef(i.indexrelid, 1, true) AS column
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid`,
      [],
      url,
    );
    leading = new Map(indexes.map(({ index, column }) => [index, column]));
  }, 600_000);
  afterAll(async () => {
    await postgres?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it("reads what it is about, and never all there is", () => {
    const plans = readFileSync(plansFile, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as RecordedPlan);
    const faults = new Map<string, string>();
    for (const { sql, scans } of plans) {
      const text = sql.replaceAll(/\s+/g, " ").trim();
      for (const scan of scans) {
        const fault = faultOf(text, scan, leading);
        if (fault !== null) faults.set(`${fault}\n${text}`, text);
      }
    }
    expect([...faults.keys()]).toEqual([]);
  });

  it("has counted its sessions right, whatever was done to them", () => {
    expect(counts[0]?.counted).toContain("archived");
    expect(counts[0]?.counted).toBe(counts[0]?.there);
  });

  it("has been seen asking everything that it can ask", () => {
    expect(neverAsked(coverage)).toEqual([]);
  });
});

/** Turns that are stored in one round trip, which those that others are told of are not. */
async function talkShortly({ EVENTS_URL: _, ...env }: Readonly<Record<string, string>>) {
  const service = await startService({ env });
  const client = createClient(service.url);
  const user = "somebody";
  const sessionId = await client.session(user);
  for (const headers of [{}, {}, { "idempotency-key": "one" }]) {
    const turn = { session_id: sessionId, user_id: user, message: "Hello?" };
    const { status } = await client.send("POST", "/chat/message", turn, headers);
    expect(status).toBe(200);
  }
  await service.stop();
}

interface Exception {
  readonly sql: RegExp;
  readonly scan: RegExp;
  readonly reason: string;
}

/** Plans that are right although they read all of something. */
const exceptions: readonly Exception[] = [
  {
    sql: /"overdueMs" FROM messages m /,
    scan: /of messages messages_one_active /,
    reason: "looks for lost replies among all that run, which are all that this index holds",
  },
  {
    sql: /^SELECT DISTINCT q\.session_id AS "sessionId" FROM messages q /,
    scan: /of messages messages_(queued|one_active) /,
    reason:
      "looks for what waits for nothing among all that waits and runs, which these indexes hold",
  },
  {
    sql: /^UPDATE search_queue SET due_at = now\(\)/,
    scan: /^Index Scan of search_queue search_queue_waiting /,
    reason: "goes on behind the few that nodes are at work on, in the order of what waits",
  },
  {
    sql: /^WITH wanted AS \( SELECT \*, .* FROM usage WHERE ended_at >= \$1::timestamptz AND ended_at < \$2::timestamptz\)/,
    scan: /usage_by_time|Bitmap Heap Scan of usage /,
    reason: "an administrator asks for the sum of everybody's, over as long as he likes",
  },
  {
    sql: /^SELECT entry_id .* FROM audit_log WHERE .* (key_name|action|outcome|request_id) = /,
    scan: / audit_log(_pkey)? /,
    reason: "an administrator looks through the log, the newest first, for what no index has",
  },
];

/** Steps that pass on what they get, as far as it is asked for. */
const passing = new Set([
  "LockRows",
  "Subquery Scan",
  "Result",
  "Nested Loop",
  "ProjectSet",
  "Unique",
]);

function faultOf(
  sql: string,
  scan: RecordedScan,
  leading: ReadonlyMap<string, string>,
): string | null {
  const { type, table, index, indexCond, filter, above, rows } = scan;
  const isBig = bigTables.some((each) => each === table || index?.startsWith(each) === true);
  if (!isBig) return null;
  const what = `${type} of ${table ?? ""} ${index ?? ""} (${indexCond ?? ""}; ${filter ?? ""}) below ${above.join(" < ")}, ${rows} rows`;
  if (exceptions.some((each) => each.sql.test(sql) && each.scan.test(what))) return null;
  if (type === "Seq Scan" || rows > mostRows) return what;
  if (type === "Bitmap Heap Scan") return null;
  // Read in its order, and no further than a limit.
  const first = above.find((step) => !passing.has(step));
  if (indexCond === null && filter === null && first === "Limit") return null;
  const column = leading.get(index ?? "") ?? "";
  // Of an expression there is but one.
  const isNarrowed = indexCond !== null && (/\W/.test(column) || indexCond.includes(column));
  return isNarrowed ? null : what;
}

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly ranges: readonly {
        readonly startOffset: number;
        readonly endOffset: number;
        readonly count: number;
      }[];
    }[];
  }[];
}

/** Statements that nothing here gives occasion to, each with whom it asks for by a key. */
const unasked: readonly { readonly sql: RegExp; readonly reason: string }[] = [
  {
    sql: /lifecycle\/(accept|cancel|claim)\.ts: (SELECT \$\{claimedColumns\}|turn">>\(|SELECT 1 FROM messages|SELECT attempt, event_seq)/,
    reason: "only after a COMMIT whose answer was lost: one reply, by its session and its id",
  },
  {
    sql: /cut-to-heard\.ts: UPDATE messages/,
    reason: "only in a spoken conversation: one reply, by its key",
  },
  {
    sql: /reply-store\.ts: UPDATE messages SET lease_until/,
    reason: "only of a node that is full: one reply, by its key",
  },
  {
    sql: /take-over\.ts: UPDATE messages SET status/,
    reason: "only of a reply that ended three nodes: by its key",
  },
  {
    sql: /conversation-name\.ts: (DELETE FROM external_ids|UPDATE sessions)/,
    reason: "one session, by its id",
  },
  {
    sql: /idempotency-store\.ts: (UPDATE idempotency_keys SET answer|SELECT (1|session_id AS "sessionId", message_id AS "messageId") FROM idempotency_keys)/,
    reason: "one key, by the primary key",
  },
  { sql: /attachment-store\.ts: SELECT FROM attachments/, reason: "one file, by its primary key" },
  {
    sql: /audio-store\.ts: DELETE FROM audio WHERE audio_id = /,
    reason: "one recording, by its primary key",
  },
  {
    sql: /search-index\.ts: UPDATE search_queue SET due_at = 'infinity'/,
    reason: "one note, by its primary key",
  },
  { sql: /search-index\.ts: INSERT INTO search_backfill/, reason: "two rows; by hand" },
  {
    sql: /session-event-store\.ts: user_id = ANY/,
    reason: "only after an hour: rows of those who are followed, by their keys",
  },
];

/** Places in the sources that send a statement and have not been run. */
function neverAsked(directory: string): string[] {
  const src = join(import.meta.dirname, "../../src");
  const reports = readdirSync(directory).map(
    (file) => JSON.parse(readFileSync(join(directory, file), "utf8")) as Coverage,
  );
  const missing: string[] = [];
  for (const file of globSync("**/*.ts", { cwd: src })) {
    if (/\.(test|contract)\.ts$|^(cli|database)\//.test(file)) continue;
    const text = readFileSync(join(src, file), "utf8");
    const url = pathToFileURL(join(src, file)).href;
    const scripts = reports.flatMap(({ result }) => result.filter((each) => each.url === url));
    for (const { index } of text.matchAll(/\.query[(<]/g)) {
      const isRun = scripts.some(({ functions }) => {
        const around = functions
          .flatMap(({ ranges }) => ranges)
          .filter(({ startOffset, endOffset }) => startOffset <= index && index < endOffset)
          .sort((a, b) => a.endOffset - a.startOffset - (b.endOffset - b.startOffset));
        return (around[0]?.count ?? 0) > 0;
      });
      const [, sql = ""] = /[`"']\s*([^]*)/.exec(text.slice(index, index + 400)) ?? [];
      const place = `${file}: ${sql.replaceAll(/\s+/g, " ").slice(0, 120)}`;
      if (!isRun && !unasked.some((each) => each.sql.test(place))) missing.push(place);
    }
  }
  return missing;
}
