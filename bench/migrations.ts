import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { migrate } from "../src/database/migrate.ts";
import { createPostgresDatabase } from "../src/database/postgres.ts";
import { silentLogger } from "../src/telemetry/logger.ts";
import { startPostgres } from "../test/support/postgres.ts";

const folder = join(import.meta.dirname, "../src/database/migrations");
/** What there was before search, branches and marks; and before usage had its session. */
const stages = ["0011", "0033"] as const;
const writers = 4;
const quietMs = 5_000;
const usageOf = `(message_id, model, user_id, agent_id, input_tokens, output_tokens, cached_tokens, reasoning_tokens)
  SELECT id, 'm', 'user', 'general-chat', 1, 1, 0, 0 FROM`;

/**
 * node bench/migrations.ts [--messages N]: the migrations since 0011 on a database of N messages (default 3,000,000) that
 * older nodes go on writing, and those since 0033 with as many rows of usage: how long they take, and how long a message
 * waits at most.
 */
const given = process.argv.indexOf("--messages");
const messages = given === -1 ? 3_000_000 : Number(process.argv[given + 1]);
const postgres = await startPostgres({ settings: ["shared_buffers=512MB"], own: true });
if (postgres === null) throw new Error("needs the programs of a PostgreSQL server");
const before = await mkdtemp(join(tmpdir(), "bench-migrations-"));
/** So far, and no further. */
const copyUpTo = async (last: string) => {
  for (const name of await readdir(folder)) {
    if (name.slice(0, 4) <= last) await cp(join(folder, name), join(before, name));
  }
};
await copyUpTo(stages[0]);
const url = await postgres.freshDatabase();
const database = createPostgresDatabase({
  url,
  maxConnections: 4,
  poolTimeoutMs: 10_000,
  connectTimeoutMs: 10_000,
  statementTimeoutMs: 10_000,
  pooler: "none",
  log: silentLogger,
});
await migrate(database, { from: before });
const run = (sql: string) => postgres.query(sql, [], url);
await run(`INSERT INTO sessions (session_id, user_id, agent_id, title, last_seq, message_count)
  SELECT md5(n::text)::uuid, 'user ' || n / 50, 'general-chat', 'about ' || n, 20, 20 FROM generate_series(1, ${messages / 20}) n`);
await run("ALTER TABLE messages DISABLE TRIGGER ALL");
await run(`INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content)
  SELECT md5((n / 20 + 1)::text)::uuid, md5('m' || n)::uuid, n % 20 + 1,
    CASE n % 2 WHEN 0 THEN 'user' ELSE 'assistant' END, 'complete', 'general-chat', repeat(md5(n::text) || ' ', 7)
  FROM generate_series(0, ${messages} - 1) n`);
await run("ALTER TABLE messages ENABLE TRIGGER ALL");
await run("VACUUM ANALYZE");

/** As an older node stores a message, and what it has used. */
const write = async (number: number, waits: number[], signal: AbortSignal, usage: boolean) => {
  const client = new Client({ connectionString: url });
  await client.connect();
  for (let count = 0; !signal.aborted; count += 1) {
    const session = 1 + ((count * writers + number) % (messages / 20));
    const startedMs = performance.now();
    await client.query("BEGIN");
    const { rows } = await client.query<{ seq: number }>(
      `UPDATE sessions SET last_seq = last_seq + 1, message_count = message_count + 1, last_activity = now()
       WHERE session_id = md5($1::text)::uuid RETURNING last_seq AS seq`,
      [String(session)],
    );
    await client.query(
      `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content)
       VALUES (md5($1::text)::uuid, gen_random_uuid(), $2, 'user', 'complete', 'general-chat', 'hello')`,
      [String(session), rows[0]?.seq],
    );
    if (usage) await client.query(`INSERT INTO usage ${usageOf} gen_random_uuid() AS id`);
    await client.query("COMMIT");
    waits.push(performance.now() - startedMs);
    await delay(5);
  }
  await client.end();
};
const migrateBesideWriters = async (from: string | undefined, usage: boolean) => {
  const stopping = new AbortController();
  const waits: number[] = [];
  const writing = Promise.all(
    Array.from({ length: writers }, (_, number) => write(number, waits, stopping.signal, usage)),
  );
  await delay(quietMs);
  const quiet = Math.max(...waits.splice(0));
  const startedMs = performance.now();
  const { applied } = await migrate(database, from === undefined ? {} : { from });
  const took = performance.now() - startedMs;
  stopping.abort();
  await writing;
  console.log(
    `migrations: ${applied[0]} to ${applied.at(-1)} on ${messages} messages${usage ? " and rows of usage" : ""} in ${took.toFixed(0)} ms; ` +
      `the longest of ${waits.length} writes beside them ${Math.max(...waits).toFixed(0)} ms (before: ${quiet.toFixed(0)} ms)`,
  );
};
await copyUpTo(stages[1]);
await migrateBesideWriters(before, false);
await run("ALTER TABLE usage DISABLE TRIGGER ALL");
await run(
  `INSERT INTO usage ${usageOf} (
  SELECT md5('m' || n)::uuid AS id FROM generate_series(1, ${messages}) AS n) AS m`,
);
await run("ALTER TABLE usage ENABLE TRIGGER ALL");
await run("VACUUM ANALYZE usage");
await migrateBesideWriters(undefined, true);
await database.close();
await postgres.stop();
await rm(before, { recursive: true });
