/** Runs SQL in the database that is being filled. */
export type Run = (sql: string) => Promise<unknown>;

/** Every table that grows with what people do, and not with how the service is set up. */
export const bigTables = [
  "attachments",
  "audio",
  "audit_log",
  "external_ids",
  "feedback",
  "idempotency_keys",
  "jobs",
  "message_search",
  "messages",
  "outbox",
  "search_queue",
  "session_event_counters",
  "session_events",
  "session_search",
  "sessions",
  "shares",
  "stored_bytes",
  "summaries",
  "usage",
  "usage_totals",
] as const;

/** So many messages has each of the sessions, and so many sessions each of the users, that tables are filled with. */
export const messagesOfEach = 5;
export const sessionsOfEach = 20;

const idOf = (name: string) => `md5(${name})::uuid`;
const userOf = (n: string) => `'filled ' || ${n} / ${sessionsOfEach}`;
const sessionOf = (n: string) => idOf(`'session ' || ${n}`);
const messageOf = (n: string, seq: string) => idOf(`${n} || ' message ' || ${seq}`);
/** As ids are that begin with their time. */
const timeIdOf = (n: string) =>
  `(lpad(to_hex((extract(epoch FROM ${at(n)}) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(${n}), 19, '0'))::uuid`;
/** All of it in the last hours: nothing of it is old yet. */
const at = (n: string) => `now() - (${n} % 36000) * interval '1 second'`;

const putAside = `
  CREATE TABLE put_aside AS
  SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS made
  FROM pg_index i
  WHERE i.indrelid = ANY(ARRAY['${bigTables.join("','")}']::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
  DO $$
  DECLARE it text;
  BEGIN
    FOR it IN SELECT name FROM put_aside LOOP EXECUTE 'DROP INDEX ' || it; END LOOP;
  END $$`;
const makeAgain = `
  DO $$
  DECLARE it text;
  BEGIN
    FOR it IN SELECT made FROM put_aside LOOP EXECUTE it; END LOOP;
  END $$;
  DROP TABLE put_aside`;

/** What others have, so many sessions of them: everybody's tables are as large as in a service that is much used. */
export async function fillBigTables(run: Run, sessions: number): Promise<void> {
  const messages = sessions * messagesOfEach;
  const each = (count: number) => `generate_series(1, ${count}) AS n`;
  const eachMessage = `generate_series(1, ${sessions}) AS n, generate_series(1, ${messagesOfEach}) AS seq`;
  // One statement a table: triggers and foreign keys rest, as in a restore.
  const fill = (...statements: string[]) =>
    run(`BEGIN; SET LOCAL session_replication_role = replica; ${statements.join(";")}; COMMIT`);
  const parts: string[][] = [];
  parts.push([
    `INSERT INTO sessions (session_id, user_id, agent_id, title, status, last_seq, message_count, created_at, last_activity, pinned, tags)
     SELECT ${sessionOf("n")}, ${userOf("n")}, CASE n % 3 WHEN 0 THEN 'other-agent' ELSE 'general-chat' END, 'Title ' || n,
       CASE n % 10 WHEN 0 THEN 'archived' ELSE 'active' END, ${messagesOfEach}, ${messagesOfEach}, ${at("n")}, ${at("n")},
       n % 40 = 0, CASE n % 7 WHEN 0 THEN ARRAY['work'] ELSE '{}' END
     FROM ${each(sessions)}`,
    `INSERT INTO session_counts (status, agent_id, sessions)
     SELECT status, agent_id, count(*) FROM sessions GROUP BY status, agent_id`,
  ]);
  parts.push([
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to, created_at)
     SELECT ${sessionOf("n")}, ${messageOf("n", "seq")}, seq, CASE seq % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, 'complete',
       'general-chat', 'What was said as number ' || seq || ' in ' || n,
       CASE seq % 2 WHEN 0 THEN ${messageOf("n", "(seq - 1)")} END, ${at("n")}
     FROM ${eachMessage}`,
  ]);
  parts.push([
    `INSERT INTO message_search (session_id, seq, user_id, created_at, version, terms)
     SELECT ${sessionOf("n")}, seq, ${userOf("n")}, ${at("n")}, 0,
       ('abcde' || ' ' || 'fghij' || n % 1000 || ' w' || n % 500 || ' v' || seq)::tsvector
     FROM ${eachMessage} WHERE seq <= 4`,
    `INSERT INTO session_search (session_id, user_id, created_at, version, terms)
     SELECT ${sessionOf("n")}, ${userOf("n")}, ${at("n")}, 0, ('title t' || n % 1000)::tsvector FROM ${each(sessions)}`,
    // Those that nothing can be made of, and those that are not due.
    `INSERT INTO search_queue (user_id, session_id, seq, due_at, attempts, given_up_rule)
     SELECT ${userOf("n")}, ${sessionOf("n")}, 1, 'infinity', 9, 1 FROM ${each(sessions)}`,
  ]);
  parts.push([
    `INSERT INTO attachments (attachment_id, session_id, message_id, position, name, media_type, size, bytes, created_at)
     SELECT ${idOf("'file ' || n")}, ${sessionOf("n")}, ${messageOf("n", "1")}, 0, 'a.txt', 'text/plain', 1, 'x', ${at("n")}
     FROM ${each(sessions)}`,
    `INSERT INTO audio (audio_id, session_id, user_id, message_id, format, media_type, bytes, created_at)
     SELECT ${idOf("'audio ' || n")}, ${sessionOf("n")}, ${userOf("n")}, ${messageOf("n", "1")}, 'wav', 'audio/wav', 'x', ${at("n")}
     FROM ${each(sessions)}`,
    `INSERT INTO stored_bytes (user_id, bytes, is_whole) SELECT 'filled ' || n, 2, n % 1000 > 0 FROM ${each(sessions)}`,
    `INSERT INTO feedback (session_id, message_id, user_id, agent_id, model, rating, created_at)
     SELECT ${sessionOf("n")}, ${messageOf("n", "2")}, ${userOf("n")}, 'general-chat', 'm' || n % 3,
       CASE n % 4 WHEN 0 THEN 'down' ELSE 'up' END, ${at("n")} FROM ${each(sessions)}`,
    `INSERT INTO summaries (session_id, first_seq, last_seq, message_id, agent_id, content, created_at)
     SELECT ${sessionOf("n")}, 1, ${messagesOfEach}, ${idOf("'summary ' || n")}, 'general-chat', 'In short', ${at("n")} FROM ${each(sessions)}`,
    `INSERT INTO shares (share_id, session_id, path, include_files, created_at, expires_at)
     SELECT md5('share ' || n), ${sessionOf("n")}, '[{"first": 1, "last": 2}]', false, ${at("n")}, now() + n % 90 * interval '1 day' + interval '1 day'
     FROM ${each(sessions)}`,
    `INSERT INTO external_ids (user_id, namespace, external_id, session_id)
     SELECT ${userOf("n")}, 'ai-sdk', 'name ' || n, ${sessionOf("n")} FROM ${each(sessions)}`,
  ]);
  parts.push([
    `INSERT INTO idempotency_keys (user_id, key, fingerprint, session_id, message_id, created_at)
     SELECT ${userOf("n")}, 'key ' || n, 'f', ${sessionOf("n")}, ${messageOf("n", "2")}, ${at("n")} FROM ${each(sessions)}`,
    `INSERT INTO usage (message_id, model, user_id, agent_id, ended_at, input_tokens, output_tokens, cached_tokens, reasoning_tokens)
     SELECT ${messageOf("n", "seq")}, 'm' || n % 3, ${userOf("n")}, 'general-chat', ${at("n")}, 1, 1, 0, 0
     FROM ${eachMessage} WHERE seq % 2 = 0 AND seq <= 4`,
    `INSERT INTO usage_totals (scope, name, day, tokens, cost)
     SELECT 'user', 'filled ' || n / 30, current_date - n % 30, 1, 0 FROM ${each(sessions)}`,
    `INSERT INTO session_event_counters (user_id) SELECT 'filled ' || n FROM ${each(sessions)}`,
    `INSERT INTO session_events (user_id, number, type, session_id, created_at)
     SELECT ${userOf("n")}, n * 1000 + seq, 'session_updated', ${sessionOf("n")}, ${at("n")} FROM ${eachMessage} WHERE seq <= 3`,
    `INSERT INTO audit_log (entry_id, at, actor, action, subject, target, request_id, address, outcome)
     SELECT ${timeIdOf("n")}, ${at("n")}, 'root', 'read_session', ${userOf("n")}, '{}', 'r', '::1', 'done' FROM ${each(sessions)}`,
  ]);
  // A receiver that is away for long: what waits for it is not due yet.
  for (const table of ["outbox", "jobs"]) {
    parts.push([
      `INSERT INTO ${table} (event_id, event_type, data, created_at, due_at, dead_at)
       SELECT ${timeIdOf("n")}, 'filled', jsonb_build_object('sessionId', ${sessionOf("n")}), ${at("n")},
         CASE n % 2 WHEN 0 THEN now() - interval '1 hour' ELSE '2199-01-01' END, CASE n % 2 WHEN 0 THEN ${at("n")} END
       FROM ${each(Math.min(sessions, messages))}`,
    ]);
  }
  // An index is made faster of all its rows than row by row.
  await run(putAside);
  await Promise.all(parts.map((statements) => fill(...statements)));
  await run(makeAgain);
  // What autovacuum would do of it later, beside those who ask.
  await run("VACUUM (ANALYZE)");
}
