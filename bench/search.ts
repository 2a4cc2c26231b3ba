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
    settings: ["shared_buffers=1GB", "maintenance_work_mem=512MB", "max_wal_size=8GB", "jit=off"],
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

/** A service on a database of so many messages, which it makes with the terms that the service would. */
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
  const run = (sql: string) => postgres.query(sql, [], url);
  const startedMs = performance.now();
  await run("DELETE FROM search_backfill");
  await run("DROP INDEX message_search_terms");
  await run("ALTER TABLE messages DISABLE TRIGGER USER");
  await run(`CREATE TABLE plan AS SELECT md5('usual ' || n)::uuid AS session_id, 'usual' AS user_id, 20 AS size
    FROM generate_series(1, ${usual.sessions}) n`);
  await run(`INSERT INTO plan VALUES (md5('single')::uuid, 'single', ${single.messages})`);
  if (messages >= heavy.messages) {
    await run(`INSERT INTO plan SELECT md5('heavy ' || n)::uuid, 'heavy', ${heavy.messages / heavy.sessions}
      FROM generate_series(1, ${heavy.sessions}) n`);
  }
  await run(`INSERT INTO plan SELECT md5('other ' || n)::uuid, 'user ' || n / 50, 20
    FROM generate_series(1, (${messages} - (SELECT sum(size) FROM plan)) / 20) n`);
  await run(`INSERT INTO sessions (session_id, user_id, agent_id, last_seq, message_count)
    SELECT session_id, user_id, 'general-chat', size, size FROM plan`);
  // Sessions of all users are written at the same time; words come as often as in any language.
  await run(`INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, created_at)
    SELECT session_id, md5(session_id || ' ' || seq)::uuid, seq,
      CASE seq % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, 'complete', 'general-chat',
      'the ' || (SELECT string_agg('w' || floor(power(random(), 4) * 50000)::int, ' ')
        FROM generate_series(1, 40) WHERE plan.size > 0 AND seq > 0)
        || CASE WHEN seq % 3 = 0 THEN ' 数据库' ELSE '' END
        || CASE WHEN seq % 19 = 0 THEN ' quick brown fox' ELSE '' END
        || CASE WHEN seq = 7 AND session_id::text < '1' THEN ' needle' ELSE '' END
        || CASE WHEN seq <= size / 4 THEN ' early' ELSE '' END,
      '2026-01-01'::timestamptz + seq * interval '1 hour' + random() * interval '1 hour'
    FROM plan, generate_series(1, size) AS seq ORDER BY seq`);
  await run(`INSERT INTO message_search (session_id, seq, user_id, created_at, version, terms)
    SELECT m.session_id, seq, user_id, created_at, 0, array_to_tsvector(ARRAY(
      SELECT ${hash("user_id", 5)} || word FROM (
        SELECT DISTINCT unnest(string_to_array(replace(content, '数据库', '数 据 库 数据 据库'), ' ')) AS word
        UNION ALL SELECT '=s' || ${hash("m.session_id::text", 10)}
        UNION ALL SELECT '=r' || ${hash("role", 10)}
        UNION ALL SELECT '=a' || ${hash("agent_id", 10)}) AS words))
    FROM messages m JOIN plan USING (session_id)`);
  await run(
    "CREATE INDEX message_search_terms ON message_search USING gin (terms) WITH (fastupdate = off)",
  );
  await run("VACUUM ANALYZE");
  const [size] = await run(
    `SELECT pg_size_pretty(pg_table_size('messages')) AS messages, pg_size_pretty(pg_table_size('message_search')) AS entries,
       pg_size_pretty(pg_relation_size('message_search_terms')) AS terms`,
  );
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(`  ${messages} messages in ${seconds} s: ${JSON.stringify(size)}`);
  const [row] = await postgres.query<{ id: string }>("SELECT md5('single')::uuid AS id", []);
  return { service, messages, sessionId: row?.id ?? "" };
}
