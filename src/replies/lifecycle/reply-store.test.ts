import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../database/database.ts";
import { storageUnavailable } from "../../database/unavailable.ts";
import { newId } from "../../lib/ids.ts";
import { createReplyStore } from "./reply-store.ts";
import { openEmbedded } from "../../../test/support/databases.ts";

let database: Database;
const sessionId = newId();

beforeAll(async () => {
  database = await openEmbedded();
  await database.query(
    "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'a')",
    [sessionId],
  );
  // The messages 41 to 100 say nothing: empty, or failed.
  await database.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content)
     SELECT $1, gen_random_uuid(), seq, 'user', CASE WHEN seq > 70 THEN 'failed' ELSE 'complete' END, 'a',
       CASE WHEN seq BETWEEN 41 AND 70 THEN '' ELSE 'message ' || seq END
     FROM generate_series(1, 100) AS seq`,
    [sessionId],
  );
});
afterAll(() => database.close());

const upTo = (last: number) => (last === 0 ? [] : [{ first: 1, last }]);

test.each([
  { beforeSeq: 101, limit: 3, found: ["message 38", "message 39", "message 40"] },
  { beforeSeq: 3, limit: 20, found: ["message 1", "message 2"] },
  { beforeSeq: 21, limit: 2, found: ["message 19", "message 20"] },
  { beforeSeq: 1, limit: 20, found: [] },
])(
  "the last $limit messages before $beforeSeq that say something, however far back",
  async ({ beforeSeq, limit, found }) => {
    const store = createReplyStore(database);
    const history = await store.history(sessionId, upTo(beforeSeq - 1), { messages: limit });
    expect(history.map(({ content }) => content)).toEqual(found);
  },
);

test("a history is asked for again where the connection broke, and not where it takes too long", async () => {
  const failing = (...errors: unknown[]) => {
    const query: Database["query"] = (...statement) => {
      const error = errors.shift();
      return error === undefined ? database.query(...statement) : Promise.reject(error);
    };
    return createReplyStore({ ...database, query });
  };
  const read = (store: ReturnType<typeof createReplyStore>) =>
    store.history(sessionId, upTo(2), { messages: 20 });
  const lost = storageUnavailable(new Error("read ECONNRESET"));
  expect(await read(failing(lost, lost))).toHaveLength(2);
  const tooLong = storageUnavailable(Object.assign(new Error("too long"), { code: "57014" }));
  await expect(read(failing(tooLong))).rejects.toBe(tooLong);
  const defect = new Error("a defect");
  await expect(read(failing(defect))).rejects.toBe(defect);
});

test("a history is bounded by its text, without reading what is beyond, and has its files", async () => {
  const store = createReplyStore(database);
  const long = newId();
  await database.query(
    "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'a')",
    [long],
  );
  await database.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, attachments)
     SELECT $1, gen_random_uuid(), seq, 'user', 'complete', 'a', repeat('é', 500),
       '[{"attachment_id": "f", "name": "n", "media_type": "t/t", "size": 3, "url": "/f"}]'
     FROM generate_series(1, 300) AS seq`,
    [long],
  );
  const read = async (messages: number, maxBytes?: number) =>
    (await store.history(long, upTo(300), { messages, ...(maxBytes && { maxBytes }) })).map(
      ({ seq }) => seq,
    );
  expect(await read(0, 2_500)).toEqual([298, 299, 300]);
  expect(await read(0, 3_000)).toEqual([298, 299, 300]);
  expect(await read(2, 3_000)).toEqual([299, 300]);
  expect(await read(0, 1)).toEqual([300]);
  expect(await read(0)).toHaveLength(300);
  expect(await read(0, 250_000)).toHaveLength(250);
  const [last] = await store.history(long, upTo(300), { messages: 1 });
  expect(last?.files).toEqual([{ id: "f", name: "n", mediaType: "t/t", size: 3 }]);
});

test("a reply is let go of by its owner alone, and only while it runs", async () => {
  const store = createReplyStore(database);
  const [running, replyId, question] = [newId(), newId(), newId()];
  await database.query(
    "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'a')",
    [running],
  );
  await database.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to,
       attempt, lease_owner, lease_until)
     VALUES ($1, $2, 1, 'user', 'complete', 'a', 'hello', NULL, 0, NULL, NULL),
       ($1, $3, 2, 'assistant', 'streaming', 'a', '', $2, 2, 'here', now() + interval '1 hour')`,
    [running, question, replyId],
  );
  const row = async () => {
    const { rows } = await database.query<{ owner: string | null; isLost: boolean }>(
      `SELECT lease_owner AS owner, lease_until < now() AS "isLost" FROM messages
       WHERE message_id = $1`,
      [replyId],
    );
    return rows[0];
  };
  const held = { owner: "here", isLost: false };
  await store.letGo({ sessionId: running, replyId, attempt: 1 });
  expect(await row()).toEqual(held);
  await database.query("UPDATE messages SET status = 'complete' WHERE message_id = $1", [replyId]);
  await store.letGo({ sessionId: running, replyId, attempt: 2 });
  expect(await row()).toEqual(held);
  await database.query("UPDATE messages SET status = 'streaming' WHERE message_id = $1", [replyId]);
  await store.letGo({ sessionId: running, replyId, attempt: 2 });
  expect(await row()).toEqual({ owner: null, isLost: true });
});

test("many replies are found at once as each is by itself, and those that are not there are not", async () => {
  const store = createReplyStore(database);
  const [asked, question, first, second] = [newId(), newId(), newId(), newId()];
  await database.query(
    "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'a')",
    [asked],
  );
  await database.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to)
     VALUES ($1, $2, 1, 'user', 'complete', 'a', 'hello', NULL),
       ($1, $3, 2, 'assistant', 'complete', 'a', 'one', $2),
       ($1, $4, 3, 'assistant', 'failed', 'a', 'two', $2)`,
    [asked, question, first, second],
  );
  const found = await store.findAll([first, second, newId(), question]);
  expect([...found.keys()].toSorted()).toEqual([first, second].toSorted());
  for (const [replyId, reply] of found) expect(reply).toEqual(await store.find(replyId));
});
