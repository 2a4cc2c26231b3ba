import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Database } from "../../database/database.ts";
import { newId } from "../../lib/ids.ts";
import { createCheckpoints } from "./checkpoints.ts";
import { openEmbedded } from "../../../test/support/databases.ts";

let database: Database;
/** Statements of checkpoints, and how many rows each had. */
let statements: number[] = [];
let watched: Database;
const sessionIds: string[] = [];

beforeAll(async () => {
  database = await openEmbedded();
  watched = {
    ...database,
    query: (sql: string, params: unknown[] = []) => {
      statements.push((JSON.parse(String(params[0])) as unknown[]).length);
      return database.query(sql, params);
    },
  } as Database;
});
beforeEach(() => (statements = []));
afterAll(() => database.close());

/** Running replies of one session each. */
async function replies(count: number) {
  const made = [];
  for (let index = 0; index < count; index += 1) {
    const [sessionId, replyId, question] = [newId(), newId(), newId()];
    sessionIds.push(sessionId);
    await database.query(
      "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'a')",
      [sessionId],
    );
    await database.query(
      `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content)
       VALUES ($1, $2, 1, 'user', 'complete', 'a', 'hello')`,
      [sessionId, question],
    );
    await database.query(
      `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to, attempt,
         event_seq, lease_owner, lease_until)
       VALUES ($1, $2, 2, 'assistant', 'streaming', 'a', '', $3, 1, 1, 'node', now())`,
      [sessionId, replyId, question],
    );
    made.push({ sessionId, replyId, attempt: 1 });
  }
  return made;
}

async function rowOf({ replyId }: { replyId: string }) {
  const { rows } = await database.query<Record<string, unknown>>(
    `SELECT content, reasoning, event_seq, tool_calls, media, extras, backend_state,
       lease_until > now() + interval '10 s' AS leased
     FROM messages WHERE message_id = $1`,
    [replyId],
  );
  return rows[0];
}

const call = { tool_call_id: "t", name: "n", status: "started", agent_id: "a" } as const;

test("stores what has changed, leaves the rest as it was, and renews the lease", async () => {
  const [reply] = await replies(1);
  const { store } = createCheckpoints(watched, 15);
  expect(await store(reply!, null)).toMatchObject({ cancelReason: null });
  expect(await rowOf(reply!)).toEqual({
    content: "",
    reasoning: null,
    event_seq: 1,
    tool_calls: null,
    media: null,
    extras: null,
    backend_state: null,
    leased: true,
  });
  await store(reply!, {
    content: "c",
    reasoning: "r",
    eventSeq: 5,
    toolCalls: [call],
    media: [{ url: "u" }],
    extras: { sources: [{ title: "t" }] },
    backendState: { run: 1 },
  });
  const whole = {
    content: "c",
    reasoning: "r",
    event_seq: 5,
    tool_calls: [call],
    media: [{ url: "u" }],
    extras: { sources: [{ title: "t" }] },
    backend_state: { run: 1 },
    leased: true,
  };
  expect(await rowOf(reply!)).toEqual(whole);
  await store(reply!, { content: "", eventSeq: 6 });
  expect(await rowOf(reply!)).toEqual({ ...whole, content: "", event_seq: 6 });
  await store(reply!, { backendState: { run: 2 } });
  expect(await rowOf(reply!)).toEqual({
    ...whole,
    content: "",
    event_seq: 6,
    backend_state: { run: 2 },
  });
});

test("a reply that has got further is taken over as often as before; one that has not, counts on", async () => {
  const checkpoints = createCheckpoints(watched, 30);
  const [reply] = (await replies(1)) as [{ sessionId: string; replyId: string; attempt: number }];
  await database.query(
    "UPDATE messages SET content = 'so far', recoveries = 2 WHERE message_id = $1",
    [reply.replyId],
  );
  const recoveries = async () =>
    (
      await database.query<{ recoveries: number }>(
        "SELECT recoveries FROM messages WHERE message_id = $1",
        [reply.replyId],
      )
    ).rows[0]?.recoveries;
  await checkpoints.store(reply, null);
  await checkpoints.store(reply, { content: "so far", eventSeq: 2_000 });
  expect(await recoveries()).toBe(2);
  await checkpoints.store(reply, { content: "so far, so good", eventSeq: 2_001 });
  expect(await recoveries()).toBe(0);
});

test("what is empty stays absent", async () => {
  const [reply] = await replies(1);
  await createCheckpoints(watched, 15).store(reply!, {
    content: "c",
    reasoning: "",
    eventSeq: 2,
    toolCalls: [],
    media: [],
    extras: {},
    backendState: null,
  });
  expect(await rowOf(reply!)).toMatchObject({
    reasoning: null,
    tool_calls: null,
    media: null,
    extras: null,
    backend_state: null,
  });
});

test("text that JSON cannot carry is stored all the same", async () => {
  const [reply] = await replies(1);
  const toolCalls = [{ ...call, result: "a\0b\uD83D" }];
  await createCheckpoints(watched, 15).store(reply!, { content: "c", toolCalls });
  expect(await rowOf(reply!)).toMatchObject({ tool_calls: [{ result: "a\uFFFDb\uFFFD" }] });
});

test("an older attempt, an ended reply and a deleted one are nobody's; a wish to stop is told", async () => {
  const [fenced, over, wished] = await replies(3);
  await database.query("UPDATE messages SET status = 'complete' WHERE message_id = $1", [
    over!.replyId,
  ]);
  await database.query("UPDATE messages SET cancel_reason = 'why' WHERE message_id = $1", [
    wished!.replyId,
  ]);
  const { store } = createCheckpoints(watched, 15);
  const kept = await Promise.all([
    store({ ...fenced!, attempt: 2 }, { content: "x" }),
    store(over!, { content: "x" }),
    store({ ...fenced!, replyId: newId() }, { content: "x" }),
    store(wished!, { content: "x" }),
  ]);
  expect(kept).toMatchObject([null, null, null, { cancelReason: "why" }]);
  expect(await rowOf(fenced!)).toMatchObject({ content: "" });
  expect(await rowOf(over!)).toMatchObject({ content: "" });
  expect(statements).toEqual([4]);
});

test("a row that the database refuses fails alone", async () => {
  const all = await replies(3);
  const { store } = createCheckpoints(watched, 15);
  const results = await Promise.allSettled(
    all.map((reply, index) =>
      store(reply, index === 1 ? { eventSeq: 2 ** 40 } : { content: "stored" }),
    ),
  );
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(await rowOf(all[0]!)).toMatchObject({ content: "stored", leased: true });
  expect(await rowOf(all[2]!)).toMatchObject({ content: "stored", leased: true });
  expect(statements).toEqual([3, 1, 1, 1]);
});

test("a database that is away is asked once for all", async () => {
  const all = await replies(2);
  const away = {
    query: async (_sql: string, params: unknown[]) => {
      statements.push((JSON.parse(String(params[0])) as unknown[]).length);
      throw new Error("away");
    },
  } as unknown as Database;
  const { store } = createCheckpoints(away, 15);
  const results = await Promise.allSettled(all.map((reply) => store(reply, null)));
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(statements).toEqual([2]);
});

test("a statement has a hundred rows or a mebibyte, of whatever it is; what comes meanwhile goes with the next", async () => {
  const all = await replies(101);
  const { store } = createCheckpoints(watched, 15);
  await Promise.all(all.map((reply) => store(reply, null)));
  expect(statements).toEqual([100, 1]);
  statements = [];
  const half = "x".repeat(600_000);
  await Promise.all([
    store(all[0]!, { content: half }),
    store(all[1]!, { reasoning: half }),
    store(all[2]!, { toolCalls: [{ ...call, result: half }] }),
    store(all[3]!, { media: [{ url: half }] }),
    store(all[4]!, { backendState: { half } }),
    store(all[5]!, null),
  ]);
  expect(statements).toEqual([1, 1, 1, 1, 2]);
  statements = [];
  const first = store(all[0]!, { content: `${half}${half}` });
  await new Promise((resolve) => setImmediate(resolve));
  const others = [store(all[1]!, null), store(all[2]!, null)];
  await Promise.all([first, ...others]);
  expect(statements).toEqual([1, 2]);
});

test("all replies keep one beat, which stops with the last of them", async () => {
  const { onBeat } = createCheckpoints(watched, 0.03);
  const beats: string[] = [];
  let next = Promise.withResolvers<void>();
  const stopOne = onBeat(() => beats.push("one"));
  const stopTwo = onBeat(() => {
    beats.push("two");
    next.resolve();
  });
  await next.promise;
  expect(beats).toEqual(["one", "two"]);
  stopOne();
  next = Promise.withResolvers<void>();
  await next.promise;
  expect(beats).toEqual(["one", "two", "two"]);
  stopTwo();
  const again = Promise.withResolvers<void>();
  const stopThree = onBeat(() => {
    beats.push("three");
    again.resolve();
  });
  await again.promise;
  expect(beats).toEqual(["one", "two", "two", "three"]);
  stopThree();
});
