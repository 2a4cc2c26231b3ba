import type { QueryResultRow } from "pg";
import { createClient } from "../test/support/client.ts";
import { startPostgres, type TestPostgres } from "../test/support/postgres.ts";
import { startService, type TestService } from "../test/support/start-service.ts";
import { median } from "./processes.ts";

const samples = 40;
const small = 10_000;
const hash = (value: string, length: number) =>
  `left(translate(encode(sha256((${value})::bytea), 'base64'), '+/', '-_'), ${length})`;

/** Who searches: messages and sessions of each. Everybody else has 1,000 messages in 50 sessions too. */
const heavy = { user: "heavy", messages: 100_000, sessions: 500 };
const usual = { user: "usual", messages: 1_000, sessions: 50 };
const single = { user: "single", messages: 100, sessions: 1 };

const queries = {
  "the commonest word": "the",
  "one Chinese character": "数",
  "a rare word": "needle",
  "a word of long ago": "early",
  "a phrase": '"quick brown fox"',
  "a phrase of common words that nobody said": '"fox the"',
};

/**
 * npm run bench search [-- --messages N]: searches in a database of N messages (default 1,000,000) and in one of 10,000.
 * Needs about 2 GB of disk for each million.
 */
export async function benchSearch(): Promise<void> {
  const given = process.argv.indexOf("--messages");
  const large = given === -1 ? 1_000_000 : Number(process.argv[given + 1]);
  const postgres = await startPostgres({
    settings: [
      "shared_buffers=1GB",
      "maintenance_work_mem=2GB",
      "max_wal_size=8GB",
      "wal_level=minimal",
      "max_wal_senders=0",
      "autovacuum=off",
      "jit=off",
    ],
    own: true,
  });
  if (postgres === null) throw new Error("needs the programs of a PostgreSQL server");
  const services: TestService[] = [];
  try {
    const stages = [];
    for (const messages of [small, large]) {
      const stage = await fill(postgres, messages);
      services.push(stage.service);
      stages.push(stage);
    }
    console.log(
      `search: p50 / p95 in ms, ${samples} samples each, of ${small} and ${large} messages`,
    );
    for (const who of [usual, heavy, single]) {
      for (const [name, q] of Object.entries(queries)) {
        const figures = [];
        for (const { service, sessionId, messages } of stages) {
          if (messages < who.messages) continue;
          const path =
            who === single
              ? `/chat/history/${sessionId}?limit=20&q=${encodeURIComponent(q)}`
              : `/chat/search?user_id=${who.user}&q=${encodeURIComponent(q)}`;
          figures.push(await measure(service, path));
        }
        const shown = figures.map(({ p50, p95 }) => `${p50.toFixed(1)} / ${p95.toFixed(1)}`);
        const [first, last] = figures;
        const ratio =
          first !== undefined && last !== undefined && first !== last
            ? `, ratio ${(last.p50 / first.p50).toFixed(2)}`
            : "";
        const place = who === single ? "session of 100" : `user of ${who.messages}`;
        console.log(`  ${place}, ${name}: ${shown.join(" and ")}${ratio}`);
      }
    }
  } finally {
    for (const service of services) await service.kill();
    await postgres.stop();
  }
}

async function measure(service: TestService, path: string) {
  const client = createClient(service.url);
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    const startedMs = performance.now();
    const { status } = await client.get(path);
    if (status !== 200) throw new Error(`${path}: ${status}`);
    times.push(performance.now() - startedMs);
  }
  const sorted = times.toSorted((left, right) => left - right);
  return { p50: median(times), p95: sorted[Math.floor(samples * 0.95)] ?? 0 };
}

/** So many different texts are said, by everybody in another order. */
const texts = 20_000;

/**
 * A service on a database of so many messages, which it makes with the terms that the service would. The database does it
 * alone, messages and what is searched at the same time, and indexes last.
 */
async function fill(postgres: TestPostgres, messages: number) {
  const url = await postgres.freshDatabase();
  const service = await startService({
    env: {
      DATABASE_URL: url,
      LIMITS_SEARCH_RATE_LIMIT: "0",
      LIMITS_READ_RATE_LIMIT: "0",
      LIMITS_ADDRESS_RATE_LIMIT: "0",
    },
  });
  const run = <R extends QueryResultRow>(sql: string) => postgres.query<R>(sql, [], url);
  const startedMs = performance.now();
  await run("DELETE FROM search_backfill");
  await run(`CREATE TABLE plan AS SELECT md5('usual ' || n)::uuid AS session_id, 'usual' AS user_id, 20 AS size
    FROM generate_series(1, ${usual.sessions}) n`);
  await run(`INSERT INTO plan VALUES (md5('single')::uuid, 'single', ${single.messages})`);
  if (messages >= heavy.messages) {
    await run(`INSERT INTO plan SELECT md5('heavy ' || n)::uuid, 'heavy', ${heavy.messages / heavy.sessions}
      FROM generate_series(1, ${heavy.sessions}) n`);
  }
  await run(`INSERT INTO plan SELECT md5('other ' || n)::uuid, 'user ' || n / 50, 20
    FROM generate_series(1, (${messages} - (SELECT sum(size) FROM plan)) / 20) n`);
  await run(`ALTER TABLE plan ADD COLUMN prefix text, ADD COLUMN mark text`);
  await run(
    `UPDATE plan SET prefix = ${hash("user_id", 5)}, mark = '=s' || ${hash("session_id::text", 10)}`,
  );
  await run(`INSERT INTO sessions (session_id, user_id, agent_id, last_seq, message_count)
    SELECT session_id, user_id, 'general-chat', size, size FROM plan`);
  // Words come as often as in any language.
  await run(`CREATE TABLE said AS
    SELECT n, string_agg('w' || floor(power(random(), 4) * 50000)::int, ' ') AS words
    FROM generate_series(0, ${texts - 1}) AS n, generate_series(1, 40) GROUP BY n`);
  await run(`ALTER TABLE said ADD PRIMARY KEY (n)`);
  await run(`ANALYZE plan, said`);
  // Sessions of all users are written at the same time.
  const eachNumber = async (insert: (seq: number) => string) => {
    const [longest] = await run<{ size: number }>("SELECT max(size) AS size FROM plan");
    for (let seq = 1; seq <= (longest?.size ?? 0); seq += 1) {
      await run(`${insert(seq)}
        FROM plan JOIN said ON n = abs(hashint8(hashtext(session_id::text)::bigint * 1000 + ${seq})::bigint) % ${texts}
        WHERE size >= ${seq}`);
    }
  };
  const role = (seq: number) => (seq % 2 === 1 ? "user" : "assistant");
  const createdAt = (seq: number) =>
    `'2026-01-01'::timestamptz + ${seq} * interval '1 hour' + hashtext(session_id::text) % 1800 * interval '1 second'`;
  const [agentMark] = await run<{ mark: string }>(
    `SELECT '=a' || ${hash("'general-chat'", 10)} AS mark`,
  );
  const marks: Record<string, string> = {};
  for (const each of ["user", "assistant"]) {
    const [row] = await run<{ mark: string }>(`SELECT '=r' || ${hash(`'${each}'`, 10)} AS mark`);
    marks[each] = `${row?.mark} ${agentMark?.mark}`;
  }
  /** What is said besides, for one who searches: apart, and as terms. */
  const besides = (seq: number, chinese: string) =>
    `'${seq % 3 === 0 ? ` ${chinese}` : ""}${seq % 19 === 0 ? " quick brown fox" : ""}'
      || CASE WHEN ${seq} = 7 AND session_id::text < '1' THEN ' needle' ELSE '' END
      || CASE WHEN ${seq} <= size / 4 THEN ' early' ELSE '' END`;
  await Promise.all([
    withoutIndexes(run, "messages", () =>
      eachNumber(
        (
          seq,
        ) => `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, created_at)
          SELECT session_id, md5(session_id || ' ${seq}')::uuid, ${seq}, '${role(seq)}', 'complete', 'general-chat',
            'the ' || words || ${besides(seq, "数据库")}, ${createdAt(seq)}`,
      ),
    ),
    withoutIndexes(run, "message_search", () =>
      eachNumber(
        (seq) => `INSERT INTO message_search (session_id, seq, user_id, created_at, version, terms)
          SELECT session_id, ${seq}, user_id, ${createdAt(seq)}, 0,
            (prefix || replace('the ' || words || ${besides(seq, "数 据 库 数据 据库")} || ' ' || mark || ' ${marks[role(seq)]}',
              ' ', ' ' || prefix))::tsvector`,
      ),
    ),
  ]);
  const [size] = await run(
    `SELECT pg_size_pretty(pg_table_size('messages')) AS messages, pg_size_pretty(pg_table_size('message_search')) AS entries,
       pg_size_pretty(pg_relation_size('message_search_terms')) AS terms, pg_size_pretty(pg_database_size(current_database())) AS all`,
  );
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(`  ${messages} messages in ${seconds} s: ${JSON.stringify(size)}`);
  const [row] = await postgres.query<{ id: string }>("SELECT md5('single')::uuid AS id", []);
  return { service, messages, sessionId: row?.id ?? "" };
}

/** Triggers, of foreign keys too, rest while the table is filled, and its indexes are made when all is there. */
async function withoutIndexes(
  run: <R extends QueryResultRow>(sql: string) => Promise<R[]>,
  table: string,
  work: () => Promise<void>,
): Promise<void> {
  const indexes = await run<{ name: string; sql: string }>(
    `SELECT indexname AS name, indexdef AS sql FROM pg_indexes
     WHERE tablename = '${table}' AND indexname NOT IN (SELECT conname FROM pg_constraint)`,
  );
  for (const { name } of indexes) await run(`DROP INDEX ${name}`);
  await run(`ALTER TABLE ${table} DISABLE TRIGGER ALL`);
  await work();
  await run(`ALTER TABLE ${table} ENABLE TRIGGER ALL`);
  for (const { sql } of indexes) await run(sql);
  await run(`VACUUM ANALYZE ${table}`);
}
