import { afterAll, beforeAll, expect, test } from "vitest";
import pg from "pg";
import { accessTable, type Call } from "../security/access-table.ts";
import { startSecurityStage, type SecurityStage } from "../security/stage.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { eventually } from "../support/stage.ts";

/** Tables by which a statement can be held up, and with it all that was asked behind it. */
const tables = [
  "sessions",
  "messages",
  "idempotency_keys",
  "usage",
  "jobs",
  "attachments",
  "shares",
  "outbox",
  "session_events",
];

let postgres: TestPostgres | null;
let url: string;
let stage: SecurityStage;
beforeAll(async () => {
  postgres = await startPostgres();
  if (postgres === null) return;
  url = await postgres.freshDatabase();
  stage = await startSecurityStage({ DATABASE_URL: url });
});
afterAll(async () => {
  await stage?.stop();
  await postgres?.stop();
});

const callers = accessTable.flatMap((access) => {
  const caller = (["owner", "admin"] as const).find((each) => access.expected[each] === 200);
  return caller === undefined ? [] : [{ access, caller }];
});

test.each(tables)(
  "the service outlives connections that break while statements wait for %s, whoever has asked them",
  async (table) => {
    if (postgres === null) return;
    const mine = await stage.belongings();
    const calls: { route: string; call: Call; headers: Record<string, string> }[] = [];
    for (const { access, caller } of callers) {
      const given = access.consumes === true ? await stage.belongings() : mine;
      const call = access.call(given, stage);
      calls.push({ route: access.route, call, headers: { ...stage.headers[caller] } });
    }
    const db = new pg.Client({ connectionString: url });
    await db.connect();
    const waiting = "datname = current_database() AND wait_event_type = 'Lock'";
    const answers: Record<string, number> = {};
    try {
      await db.query("BEGIN");
      await db.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
      const all = calls.map(async ({ route, call, headers }) => {
        const response = await fetch(stage.service.url + call.path, {
          method: route.split(" ")[0] ?? "",
          headers: {
            ...headers,
            ...call.headers,
            ...(call.body !== undefined && { "content-type": "application/json" }),
          },
          body: call.form ?? (call.body === undefined ? null : JSON.stringify(call.body)),
        });
        answers[route] = response.status;
        await response.body?.cancel();
      });
      let ended = 0;
      for (let round = 0; round < 30; round += 1) {
        const { rowCount } = await db.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${waiting}`,
        );
        ended += rowCount ?? 0;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await db.query("COMMIT");
      await Promise.all(all);
      expect(ended).toBeGreaterThan(0);
    } finally {
      await db.end();
    }
    // What was cut off says so; nothing is a fault of the service.
    expect(Object.entries(answers).filter(([, status]) => status === 500)).toEqual([]);
    const { owner } = stage.clients;
    await eventually("it is well", async () => {
      const { status } = await owner.get("/health/readiness");
      return status === 200;
    });
    const stream = await owner.stream({ session_id: mine.sessionId, message: "hello" });
    expect((await stream.all()).at(-1)).toMatchObject({ type: "conversation_complete" });
    expect(stage.service.output()).not.toContain("nobody has caught");
  },
);
