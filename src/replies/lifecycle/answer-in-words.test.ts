import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../database/database.ts";
import { createHeart, type Heart, type HeartNode } from "../../../test/support/heart.ts";
import { startDatabases } from "../../../test/support/databases.ts";
import type { AnswerTurn } from "../asked.ts";
import { createReplyStore } from "./reply-store.ts";

const limits = { perNode: 3, perSource: 3, perUser: 3 };
const databases = await startDatabases();
afterAll(() => databases.stop());

describe.each(databases.kinds)("answers in words, on $kind", ({ open }) => {
  let database: Database;
  let heart: Heart;
  let node: HeartNode;
  let other: HeartNode;

  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    heart = createHeart(database, { limits, maxQueued: 3 });
    node = heart.startNode();
    other = heart.startNode();
    await Promise.all([node.ready, other.ready]);
  });
  afterEach(async () => {
    await heart.close();
    await database.execute("DELETE FROM sessions; DELETE FROM jobs; DELETE FROM idempotency_keys");
  });

  const send = (
    text: string,
    {
      sessionId,
      on = node,
      key = text,
      ...more
    }: {
      sessionId?: string;
      on?: HeartNode;
      key?: string;
      onBusy?: "enqueue" | "interrupt";
      isAlone?: boolean;
      agentId?: string;
    } = {},
  ) =>
    on.commands.send({
      sessionId,
      at: { kind: "head" },
      ownerId: null,
      userId: "ann",
      identity: null,
      sessionConfig: {},
      agentId: undefined,
      onBusy: null,
      message: { text, type: "text", metadata: {}, audio: null, attachments: [] },
      turn: { language: "en", requestId: "request" },
      idempotency: { key: `${sessionId ?? "new"} ${key}`, fingerprint: text },
      ...more,
    });
  const decide = (replyId: string, on = node) =>
    on.commands.continue({ identity: null }, { messageId: replyId }, [
      { id: "need 1", approved: true },
    ]);
  interface Row {
    readonly seq: number;
    readonly role: string;
    readonly status: string;
    readonly content: string;
    readonly messageId: string;
    readonly turn: AnswerTurn | null;
    readonly extras: { steered?: object[] } | null;
  }
  const rows = async (sessionId: string): Promise<Row[]> =>
    (
      await database.query<Row>(
        `SELECT seq, role, status, content, message_id AS "messageId", turn, extras
         FROM messages WHERE session_id = $1 ORDER BY seq`,
        [sessionId],
      )
    ).rows;
  const shown = async (sessionId: string) =>
    (await rows(sessionId)).map(({ role, status, content }) =>
      role === "user" ? content : status,
    );
  /** A reply that asks `need 1`. */
  const pauseOne = async (text = "say pause say") => {
    const sent = await send(text);
    heart.upstream.allow(sent.sessionId, text.split(" ").indexOf("pause") + 1);
    await expect.poll(async () => shown(sent.sessionId)).toContain("paused");
    return sent;
  };
  const complete = (sessionId: string) =>
    expect.poll(async () => (await shown(sessionId)).at(-2)).toBe("complete");

  test("the reply goes on, and the message stands where it was said, without a reply of its own", async () => {
    const { replyId, sessionId } = await pauseOne();
    const text = (await rows(sessionId))[1]!.content;
    const sent = await send("Yes, please.", { sessionId, on: other });
    expect(sent).toMatchObject({ replyId, made: { message: "Yes, please." } });
    const told = heart.appended.filter((each) => each.replyId === replyId);
    expect(told.find(({ seq }) => seq === (sent.after ?? 0) + 1)?.type).toBe("steered");
    heart.upstream.release();
    await expect.poll(async () => (await rows(sessionId))[1]?.status).toBe("complete");
    const [, reply, answer, ...rest] = await rows(sessionId);
    expect(rest).toEqual([]);
    expect(answer).toMatchObject({
      seq: 3,
      role: "user",
      content: "Yes, please.",
      messageId: sent.made?.userMessageId,
      turn: { answers: { replyId, decisions: [{ id: "need 1", approved: true }] } },
    });
    expect(reply?.extras?.steered).toEqual([
      { message_id: answer?.messageId, text_start: text.length },
    ]);
    const { rows: counts } = await database.query(
      `SELECT last_seq AS "lastSeq", message_count AS count, tree FROM sessions WHERE session_id = $1`,
      [sessionId],
    );
    expect(counts).toEqual([{ lastSeq: 3, count: 3, tree: null }]);
    // What is said next hangs below it, and is all that the agent is asked.
    const next = await send("say", { sessionId });
    await expect.poll(async () => shown(sessionId)).toHaveLength(5);
    expect(heart.upstream.asked.get(next.replyId)).toBe("say");
    expect(heart.upstream.faults).toEqual([]);
  });

  test("agents are never told it again, nor is it part of what is asked anew", async () => {
    const { replyId, sessionId } = await pauseOne();
    await send("yes", { sessionId });
    heart.upstream.release();
    await expect.poll(async () => (await rows(sessionId))[1]?.status).toBe("complete");
    const next = await send("say", { sessionId });
    const history = await createReplyStore(database).history(sessionId, [{ first: 1, last: 4 }], {
      messages: 0,
    });
    expect(history.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(JSON.stringify(history)).not.toContain("yes");
    await expect.poll(async () => (await shown(sessionId)).at(-1)).toBe("complete");
    // Another question in its place is asked alone.
    const edited = await node.commands.edit(
      { identity: null },
      { messageId: next.made?.userMessageId ?? "" },
      { text: "say say", type: "text", metadata: {}, audio: null, attachments: null },
      {
        sessionConfig: {},
        agentId: undefined,
        onBusy: null,
        turn: { language: "en", requestId: "request" },
        idempotency: null,
      },
    );
    await expect.poll(() => heart.upstream.asked.get(edited.replyId)).toBe("say say");
    const again = await node.commands.regenerate(
      { identity: null },
      { messageId: replyId },
      {
        sessionConfig: {},
        agentId: undefined,
        onBusy: null,
        turn: { language: "en", requestId: "request" },
        idempotency: null,
      },
    );
    await expect.poll(() => heart.upstream.asked.get(again.replyId)).toBe("say pause say");
  });

  test.each([
    ["yes, but not now", {}],
    ["yes", { onBusy: "enqueue" as const }],
    ["yes", { isAlone: true }],
    ["yes", { agentId: "passing" }],
  ])("%j with %j is a message that waits", async (text, more) => {
    const { replyId, sessionId } = await pauseOne();
    const sent = await send(text, { sessionId, ...more });
    expect(sent.replyId).not.toBe(replyId);
    expect(await shown(sessionId)).toEqual(["say pause say", "paused", text, "queued"]);
  });

  test("no is told the agent as no, with its reason; what waits behind hears that it waits for the reply", async () => {
    const { replyId, sessionId } = await pauseOne();
    const waiting = await send("say", { sessionId });
    await send("no, use the other account", { sessionId });
    const [, , , , answer] = await rows(sessionId);
    expect(answer?.turn?.answers.decisions).toEqual([
      { id: "need 1", approved: false, note: "use the other account" },
    ]);
    const told = heart.appended.filter((each) => each.replyId === waiting.replyId);
    expect(told.map(({ type }) => type)).toEqual(["user_message", "queued", "queued"]);
    expect(JSON.parse(told.at(-1)?.json ?? "{}")).toMatchObject({
      reason: "running",
      waits_for: replyId,
    });
    heart.upstream.release();
    await expect
      .poll(() => shown(sessionId))
      .toEqual(["say pause say", "complete", "say", "complete", "no, use the other account"]);
  });

  test("a repeat with the same key is led to the same reply, also while that asks again", async () => {
    const { replyId, sessionId } = await pauseOne("say pause say pause say");
    const first = await send("yes", { sessionId, key: "k" });
    heart.upstream.allow(sessionId, 2);
    await expect.poll(() => heart.upstream.paused.has(replyId)).toBe(true);
    await expect.poll(async () => (await rows(sessionId))[1]?.status).toBe("paused");
    const again = await send("yes", { sessionId, key: "k", on: other });
    expect(again).toEqual({
      sessionId,
      replyId,
      after: first.after,
      made: {
        sessionId,
        agentId: "lasting",
        userMessageId: first.made?.userMessageId,
        message: "yes",
      },
    });
    expect(await shown(sessionId)).toEqual(["say pause say pause say", "paused", "yes"]);
  });

  test("a button and a text at the same moment on two nodes: one decides, the other is told", async () => {
    for (let round = 0; round < 6; round += 1) {
      const { replyId, sessionId } = await pauseOne();
      const [pressed, typed] = await Promise.allSettled([
        decide(replyId, round % 2 === 0 ? node : other),
        send("yes", { sessionId, on: round % 2 === 0 ? other : node }),
      ]);
      if (typed.status === "rejected") throw typed.reason;
      if (pressed.status === "rejected") {
        expect(pressed.reason).toMatchObject({ type: "message_not_running" });
        expect(typed.value.replyId).toBe(replyId);
        expect(await rows(sessionId)).toHaveLength(3);
      } else {
        // It waits for the reply that goes on, and was told so.
        expect(typed.value.replyId).not.toBe(replyId);
        expect(await rows(sessionId)).toHaveLength(4);
      }
      await node.replies.forget(sessionId);
    }
  });

  test.each(["committed, answer lost", "not committed, answer lost"] as const)(
    "it decides once (%s)",
    async (fault) => {
      const { replyId, sessionId } = await pauseOne();
      node.failCommit(fault);
      expect((await send("yes", { sessionId })).replyId).toBe(replyId);
      heart.upstream.release();
      await complete(sessionId);
      expect(await shown(sessionId)).toEqual(["say pause say", "complete", "yes"]);
      expect(heart.upstream.faults).toEqual([]);
    },
  );

  test("a node that dies right after it leaves the decision to the next one", async () => {
    const { replyId, sessionId } = await pauseOne();
    node.failCommit("dies after it");
    await send("yes", { sessionId }).catch(() => undefined);
    await database.query(
      "UPDATE messages SET lease_until = now() - interval '1 minute' WHERE message_id = $1",
      [replyId],
    );
    heart.upstream.release();
    expect(await other.replies.recover(false)).toMatchObject({ recovered: 1 });
    await complete(sessionId);
    expect(await shown(sessionId)).toEqual(["say pause say", "complete", "yes"]);
    expect(heart.upstream.decided.get(replyId)).toEqual([{ id: "need 1", approved: true }]);
  });

  test("without room for the reply it is refused, and nothing has changed", async () => {
    const { sessionId } = await pauseOne();
    for (const each of [1, 2, 3]) await send("say hang", { key: `busy ${each}` });
    await expect(send("yes", { sessionId })).rejects.toMatchObject({ type: "overloaded" });
    expect(await shown(sessionId)).toEqual(["say pause say", "paused"]);
  });
});
