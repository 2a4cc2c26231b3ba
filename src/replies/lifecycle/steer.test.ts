import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createHeart, type Heart, type HeartNode } from "../../../test/support/heart.ts";
import { createHeartReader } from "../../../test/support/heart-reader.ts";
import { openEmbedded } from "../../../test/support/databases.ts";
import type { Database } from "../../database/database.ts";
import { newId } from "../../lib/ids.ts";
import { headOf, parentOf, readTree, type TreeRow } from "../../tree/tree.ts";
import type { OnBusy } from "./make-place.ts";

let database: Database;
let heart: Heart;
let node: HeartNode;
let other: HeartNode;

beforeAll(async () => {
  database = await openEmbedded();
});
afterAll(() => database.close());
beforeEach(async () => {
  const limits = { perNode: 8, perSource: 8, perUser: 0 };
  heart = createHeart(database, { limits, maxQueued: 3 });
  node = heart.startNode();
  other = heart.startNode();
  await Promise.all([node.ready, other.ready]);
});
afterEach(async () => {
  await heart.close();
  await database.execute("DELETE FROM sessions; DELETE FROM idempotency_keys; DELETE FROM jobs");
});

interface Message {
  readonly sessionId?: string;
  readonly on?: HeartNode;
  readonly agent?: string;
  readonly onBusy?: OnBusy;
  readonly key?: string;
}

const send = (text: string, { sessionId, on = node, agent, onBusy, key }: Message = {}) =>
  on.commands.send({
    sessionId,
    at: { kind: "head" },
    ownerId: null,
    userId: "ann",
    identity: null,
    sessionConfig: {},
    agentId: agent,
    onBusy: onBusy ?? null,
    message: { text, type: "text", metadata: {}, audio: null, attachments: [] },
    turn: { language: "en", requestId: "request" },
    idempotency: { key: key ?? newId(), fingerprint: text },
  });
const steer = (text: string, sessionId: string, more: Message = {}) =>
  send(text, { ...more, sessionId, onBusy: "steer" });

/** What stands on the active path: of users what they say, of replies their state. */
const path = async (sessionId: string) => {
  const { rows: sessions } = await database.query<TreeRow & { readonly many: number }>(
    `SELECT last_seq AS "lastSeq", tree, message_count AS many FROM sessions WHERE session_id = $1`,
    [sessionId],
  );
  const { many, ...row } = sessions[0]!;
  const tree = readTree(row);
  const { rows } = await database.query<{ seq: number; says: string }>(
    `SELECT seq, CASE role WHEN 'user' THEN content ELSE status END AS says FROM messages WHERE session_id = $1`,
    [sessionId],
  );
  const found: string[] = [];
  for (let seq = headOf(tree); seq !== 0; seq = parentOf(tree, seq)) {
    found.unshift(rows.find((each) => each.seq === seq)?.says ?? "nothing");
  }
  expect(found).toHaveLength(many);
  return found;
};
const follow = async (replyId: string, on = node) => {
  const reader = createHeartReader(replyId, "");
  const types: string[] = [];
  for await (const events of on.follow(replyId, 0, AbortSignal.timeout(20_000))) {
    for (const { seq, json, type } of events ?? []) {
      reader.take(JSON.parse(json), seq);
      types.push(type);
    }
  }
  expect(reader.faults).toEqual([]);
  return { end: reader.end(), types };
};
const rows = (sql: string, params: unknown[]) =>
  database.query<Record<string, unknown>>(sql, params).then((found) => found.rows);

test("a running reply takes messages in at its next step, in their order, and answers them", async () => {
  const first = await send("say tool say");
  const { sessionId, replyId } = first;
  const second = await steer("one", sessionId, { on: other });
  const third = await steer("two", sessionId);
  expect([second.replyId, third.replyId]).toEqual([replyId, replyId]);
  expect(await path(sessionId)).toEqual([
    "say tool say",
    "streaming",
    "one",
    "queued",
    "two",
    "queued",
  ]);
  heart.upstream.release();
  const { types, end } = await follow(replyId);
  expect(types.filter((type) => ["tool_call", "steered"].includes(type))).toEqual([
    "tool_call",
    "steered",
    "steered",
  ]);
  expect(end?.type).toBe("conversation_complete");
  expect(heart.upstream.taken.get(replyId)).toEqual(["one", "two"]);
  expect(await path(sessionId)).toEqual(["say tool say", "one", "two", "complete"]);
  for (const { waiting } of [second, third]) {
    expect((await follow(waiting!)).end).toMatchObject({ type: "cancelled", reason: "taken_in" });
    expect(await rows("SELECT 1 FROM messages WHERE message_id = $1", [waiting])).toEqual([]);
  }
  const [row] = await rows(
    `SELECT m.extras, u.content, u.message_id FROM messages m JOIN messages u ON u.message_id = m.reply_to WHERE m.message_id = $1`,
    [replyId],
  );
  expect(row).toMatchObject({ content: "two" });
  const { steered } = (row as { extras: { steered: { message_id: string; text_start: number }[] } })
    .extras;
  expect(steered.map(({ text_start }) => text_start)).toEqual([
    `0:${replyId.slice(-4)} `.length,
    `0:${replyId.slice(-4)} `.length,
  ]);
  expect(steered[1]?.message_id).toBe((row as { message_id: string }).message_id);
});

test("a reply that ends before it takes the message in leaves it to be answered next", async () => {
  const first = await send("say");
  const second = await steer("say", first.sessionId);
  heart.upstream.release();
  expect((await follow(first.replyId)).types).not.toContain("steered");
  expect((await follow(second.waiting!)).end?.type).toBe("conversation_complete");
  expect(await path(first.sessionId)).toEqual(["say", "complete", "say", "complete"]);
});

test("where the agent has no steps, the reply is stopped, and what it said is kept", async () => {
  const first = await send("say hang", { agent: "passing" });
  const { sessionId, replyId } = first;
  heart.upstream.allow(sessionId, 1);
  await expect.poll(() => node.replies.running(replyId)?.snapshot().content).toContain("0:");
  const second = await steer("say", sessionId, { on: other });
  expect(second.waiting).toBeUndefined();
  expect(second.replyId).not.toBe(replyId);
  const { end } = await follow(replyId);
  expect(end).toMatchObject({ type: "cancelled", reason: "steered" });
  expect(end).toHaveProperty("full_response", `0:${replyId.slice(-4)} `);
  heart.upstream.release();
  expect((await follow(second.replyId)).end?.type).toBe("conversation_complete");
  expect(await path(sessionId)).toEqual(["say hang", "cancelled", "say", "complete"]);
});

test.each([
  ["others wait in front", async (sessionId: string) => send("say", { sessionId })],
  [
    "it asks for another agent",
    async (sessionId: string) => ({ sessionId, agent: "passing" as const }),
  ],
])("it waits its turn when %s", async (_name, before) => {
  const first = await send("say tool say");
  const { sessionId } = first;
  const prepared = await before(sessionId);
  const agent = "agent" in prepared ? { agent: prepared.agent } : {};
  const second = await steer("say", sessionId, agent);
  expect(second.waiting).toBeUndefined();
  heart.upstream.release();
  expect((await follow(first.replyId)).types).not.toContain("steered");
  expect((await follow(second.replyId)).end?.type).toBe("conversation_complete");
});

test("behind a pause it waits; one that came before is taken in after the decision", async () => {
  const first = await send("say pause tool say");
  const { sessionId, replyId } = first;
  const early = await steer("early", sessionId);
  expect(early.replyId).toBe(replyId);
  heart.upstream.allow(sessionId, 2);
  await follow(replyId);
  const late = await steer("say", sessionId);
  expect(late.waiting).toBeUndefined();
  heart.upstream.release();
  await other.commands.continue({ identity: null }, { messageId: replyId }, [
    { id: "need 1", approved: true },
  ]);
  expect((await follow(replyId, other)).end?.type).toBe("conversation_complete");
  expect((await follow(late.replyId)).end?.type).toBe("conversation_complete");
  expect(heart.upstream.taken.get(replyId)).toEqual(["early"]);
  expect(heart.upstream.faults).toEqual([]);
  expect(await path(sessionId)).toEqual([
    "say pause tool say",
    "early",
    "complete",
    "say",
    "complete",
  ]);
});

test("what was taken in before a pause is not part of what the run is called with after it", async () => {
  const first = await send("tool pause say");
  const { sessionId, replyId } = first;
  await steer("early", sessionId);
  heart.upstream.allow(sessionId, 2);
  await follow(replyId);
  heart.upstream.release();
  await other.commands.continue({ identity: null }, { messageId: replyId }, [
    { id: "need 1", approved: true },
  ]);
  expect((await follow(replyId, other)).end?.type).toBe("conversation_complete");
  expect(heart.upstream.asked.get(replyId)).toBe("tool pause say");
  expect(heart.upstream.faults).toEqual([]);
  expect(heart.upstream.taken.get(replyId)).toEqual(["early"]);
});

test("a reply that is to stop takes nothing in", async () => {
  const first = await send("say tool say");
  const { sessionId, replyId } = first;
  const second = await steer("say", sessionId);
  await database.query("UPDATE messages SET cancel_reason = 'cancelled' WHERE message_id = $1", [
    replyId,
  ]);
  expect(await steer("say", sessionId)).not.toHaveProperty("waiting");
  heart.upstream.release();
  expect((await follow(second.waiting!)).end?.type).toBe("conversation_complete");
  expect(heart.upstream.taken.get(replyId) ?? []).toEqual([]);
});

test.each(["committed, answer lost", "not committed, answer lost"] as const)(
  "taken in once, and given once, where the database's answer is lost (%s)",
  async (fault) => {
    const first = await send("tool say tool say");
    const { sessionId, replyId } = first;
    await steer("one", sessionId);
    node.failCommit(fault);
    heart.upstream.release();
    expect((await follow(replyId)).end?.type).toBe("conversation_complete");
    expect(heart.upstream.taken.get(replyId)).toEqual(["one"]);
    expect(await path(sessionId)).toEqual(["tool say tool say", "one", "complete"]);
  },
);

test("the owner dies: what it has not taken in is answered, what it has stays with its reply", async () => {
  const first = await send("tool say hang", { on: other });
  const { sessionId, replyId } = first;
  await steer("early", sessionId);
  heart.upstream.allow(sessionId, 2);
  await expect.poll(() => heart.upstream.taken.get(replyId)).toEqual(["early"]);
  const late = await steer("say", sessionId);
  other.die();
  await heart.expireLeases(other);
  heart.upstream.release();
  await node.commands.cancel({ identity: null }, { messageId: replyId });
  expect((await follow(late.waiting!)).end?.type).toBe("conversation_complete");
  expect(await path(sessionId)).toEqual(["tool say hang", "early", "cancelled", "say", "complete"]);
});

test("the same request again is answered alike, before and after it was taken in", async () => {
  const first = await send("say tool say");
  const { sessionId, replyId } = first;
  const key = newId();
  const sent = await steer("one", sessionId, { key });
  const { waiting } = sent;
  expect(await steer("one", sessionId, { key })).toEqual({ sessionId, replyId, waiting });
  heart.upstream.release();
  await follow(replyId);
  expect(await steer("one", sessionId, { key })).toEqual({ sessionId, replyId });
  expect(heart.upstream.taken.get(replyId)).toEqual(["one"]);
});

test("of an acceptance whose answer was lost and that was taken in meanwhile, nothing is doubled", async () => {
  const first = await send("tool say", { on: other });
  const { sessionId, replyId } = first;
  node.failCommit("committed, answer lost", async () => {
    heart.upstream.release();
    await follow(replyId, other);
  });
  const sent = await steer("one", sessionId);
  expect(sent.replyId).toBe(replyId);
  expect(await path(sessionId)).toEqual(["tool say", "one", "complete"]);
});

test("with the others that it answers, it gives way to what rolls it back", async () => {
  const first = await send("tool hang");
  const { sessionId, replyId } = first;
  await steer("one", sessionId);
  heart.upstream.allow(sessionId, 1);
  await expect.poll(() => heart.upstream.taken.get(replyId)).toEqual(["one"]);
  const next = await send("say", { sessionId, onBusy: "rollback" });
  heart.upstream.release();
  expect((await follow(next.replyId)).end?.type).toBe("conversation_complete");
  expect(await path(sessionId)).toEqual(["say", "complete"]);
});
