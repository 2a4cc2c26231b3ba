import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createHeart, type Heart, type HeartNode } from "../../../test/support/heart.ts";
import { createHeartReader } from "../../../test/support/heart-reader.ts";
import type { Database } from "../../database/database.ts";
import { newId } from "../../lib/ids.ts";
import { lostEvents } from "../log/log-tail.ts";
import { ReplyStopped } from "../making/reply-stopped.ts";
import type { OnBusy } from "./make-place.ts";
import { lostReplies } from "./take-over.ts";
import { openEmbedded } from "../../../test/support/databases.ts";

let database: Database;
let heart: Heart;
let node: HeartNode;
let other: HeartNode;
const options = { limits: { perNode: 4, perSource: 3, perUser: 0 }, maxQueued: 2 };

beforeAll(async () => {
  database = await openEmbedded();
});
afterAll(() => database.close());
beforeEach(async () => {
  heart = createHeart(database, options);
  node = heart.startNode();
  other = heart.startNode();
  await Promise.all([node.ready, other.ready]);
});
afterEach(async () => {
  await heart.close();
  await database.execute("DELETE FROM sessions; DELETE FROM jobs");
});

interface Message {
  readonly sessionId?: string;
  readonly on?: HeartNode;
  readonly agent?: string;
  readonly onBusy?: OnBusy;
}

const send = async (text: string, { sessionId, on = node, agent, onBusy }: Message = {}) =>
  on.commands.send({
    sessionId,
    at: { kind: "head" },
    ownerId: null,
    userId: "ann",
    identity: null,
    sessionConfig: {},
    agentId: agent ?? "lasting",
    onBusy: onBusy ?? null,
    message: { text, type: "text", metadata: {}, audio: null, attachments: [] },
    turn: { language: "en", requestId: "request" },
    idempotency: { key: newId(), fingerprint: text },
  });

interface Row {
  readonly status: string;
  readonly content: string;
  readonly attempt: number;
  readonly eventSeq: number;
  readonly finishReason: string | null;
  readonly leaseOwner: string | null;
}
const rowOf = async (replyId: string): Promise<Row> => {
  const { rows } = await database.query<Row>(
    `SELECT status, content, attempt, event_seq AS "eventSeq", finish_reason AS "finishReason",
       lease_owner AS "leaseOwner" FROM messages WHERE message_id = $1`,
    [replyId],
  );
  return rows[0]!;
};
const statusOf = async (replyId: string) => (await rowOf(replyId)).status;
/** The number and type of each event that was appended. */
const toldOf = (replyId: string) =>
  heart.appended
    .filter((each) => each.replyId === replyId)
    .map(({ seq, type }) => `${seq} ${type}`);
/** Follows a reply to its end, or until it pauses. */
const follow = async (replyId: string, on = node) => {
  const reader = createHeartReader(replyId, "");
  for await (const events of on.follow(replyId, 0, AbortSignal.timeout(20_000))) {
    for (const { seq, json } of events ?? []) reader.take(JSON.parse(json), seq);
  }
  expect(reader.faults).toEqual([]);
  return reader;
};
const cancel = (replyId: string, on = node) =>
  on.commands.cancel({ identity: null }, { messageId: replyId });
const decide = (replyId: string, id: string, on = node) =>
  on.commands.continue({ identity: null }, { messageId: replyId }, [{ id, approved: true }]);
const jobsDone = async () => {
  await expect
    .poll(
      async () =>
        (await database.query("SELECT 1 FROM jobs WHERE attempts > 0 OR due_at <= now()")).rows,
    )
    .toEqual([]);
};
const idle = () =>
  expect
    .poll(() => [node.replies.stats(), other.replies.stats()])
    .toEqual([
      { running: 0, places: 0 },
      { running: 0, places: 0 },
    ]);

test("a message is answered: told from its first event to its end, as it is stored", async () => {
  heart.upstream.release();
  const { replyId, sessionId } = await send("say tool say");
  const reader = await follow(replyId);
  const row = await rowOf(replyId);
  expect(row).toMatchObject({ status: "complete", finishReason: "stop", leaseOwner: null });
  expect(reader.text()).toBe(row.content);
  expect(reader.end()).toMatchObject({ type: "conversation_complete", full_response: row.content });
  expect(reader.cursor()).toBe(row.eventSeq);
  expect(toldOf(replyId).at(-1)).toBe(`${row.eventSeq} conversation_complete`);
  expect(heart.told).toMatchObject({
    sessions: [sessionId],
    turns: [replyId],
    ends: [{ replyId, status: "complete" }],
    business: [`chat_session.created ${sessionId}`, `chat_message.processed ${replyId}`],
  });
  await idle();
});

test("a message is stored with all that came with it, and its reply knows what it needs", async () => {
  const { sessionId } = await send("say");
  const config = { on_busy: "enqueue", model: "small", temperature: 0.5, instructions: "be brief" };
  await database.query(
    "UPDATE sessions SET config = $2::jsonb, title = NULL WHERE session_id = $1",
    [sessionId, JSON.stringify(config)],
  );
  const text = `  ${"long ".repeat(20)}`;
  const file = { name: "a.txt", mediaType: "text/plain", bytes: Buffer.from("hello") };
  const accepted = await node.replies.accept(
    {
      sessionId,
      newSession: null,
      at: { kind: "head" },
      ownerId: "ann",
      agentId: undefined,
      onBusy: null,
      message: {
        text,
        type: "voice",
        metadata: { mood: "good" },
        audio: { audio_id: "a" },
        attachments: [file],
      },
      turn: { language: "zh", requestId: "request", processedMessage: "heard" },
      idempotency: null,
    },
    undefined,
  );
  if ("earlier" in accepted) throw new Error("there was none before");
  const { rows } = await database.query(
    `SELECT seq, role, content, status, metadata, audio, attachments -> 0 ->> 'name' AS file, turn,
       message_id = $2 AS "isReply"
     FROM messages WHERE session_id = $1 AND seq > 2 ORDER BY seq`,
    [sessionId, accepted.replyId],
  );
  const turn = {
    userId: "ann",
    language: "zh",
    requestId: "request",
    processedMessage: "heard",
    settings: { model: "small", temperature: 0.5, instructions: "be brief" },
    hasAttachments: true,
  };
  expect(rows).toMatchObject([
    {
      seq: 3,
      role: "user",
      content: text,
      status: "complete",
      metadata: { mood: "good" },
      audio: { audio_id: "a" },
      file: "a.txt",
      turn: null,
    },
    { seq: 4, role: "assistant", content: "", status: "queued", audio: null, turn, isReply: true },
  ]);
  expect(accepted).toMatchObject({ message: text, messageSeq: 3, turn });
  const { rows: sessions } = await database.query("SELECT title FROM sessions");
  expect(sessions).toEqual([{ title: `${"long ".repeat(20).slice(0, 59)}…` }]);
});

describe("the queue", () => {
  test("holds as many as it may, and not one more", async () => {
    const { sessionId } = await send("say");
    for (let position = 1; position <= options.maxQueued; position += 1) {
      const { replyId } = await send("say", { sessionId });
      expect(toldOf(replyId)).toEqual(["1 user_message", "2 queued"]);
      const event = heart.appended.find((each) => each.replyId === replyId && each.seq === 2);
      expect(JSON.parse(event!.json)).toMatchObject({ position });
    }
    await expect(send("say", { sessionId })).rejects.toMatchObject({ type: "queue_full" });
    const { rows } = await database.query(
      "SELECT last_seq, message_count FROM sessions WHERE session_id = $1",
      [sessionId],
    );
    expect(rows).toEqual([{ last_seq: 6, message_count: 6 }]);
  });

  test("is answered in its order", async () => {
    const first = await send("say");
    const { sessionId } = first;
    const second = await send("say", { sessionId });
    const third = await send("say", { sessionId, on: other });
    heart.upstream.release();
    for (const { replyId } of [third, second, first]) await follow(replyId);
    expect(heart.told.ends.map(({ replyId }) => replyId)).toEqual(
      [first, second, third].map(({ replyId }) => replyId),
    );
  });

  test.each([
    { log: "has forgotten", opening: ["1 user_message", "2 queued", "1 user_message", "2 queued"] },
    { log: "still has", opening: ["1 user_message", "2 queued"] },
  ])("a message whose beginning the log $log is told from its beginning", async (each) => {
    const { sessionId } = await send("say");
    const { replyId } = await send("say", { sessionId });
    if (each.log === "has forgotten") await heart.log.drop(replyId);
    heart.upstream.release();
    await follow(replyId);
    expect(toldOf(replyId).filter((event) => /^[12] /.test(event))).toEqual(each.opening);
    expect((await heart.log.stat(replyId))?.first).toBe(1);
  });

  test.each(["enqueue", "reject", "interrupt"] as const)(
    "is passed by while nothing is under way (%s)",
    async (onBusy) => {
      heart.upstream.release();
      const { sessionId, replyId } = await send("say");
      await follow(replyId);
      await idle();
      const next = await send("say", { sessionId, onBusy });
      await follow(next.replyId);
      expect(toldOf(next.replyId)).not.toContain("2 queued");
    },
  );

  test("`reject` names what is in its way", async () => {
    const { sessionId, replyId } = await send("say");
    await send("say", { sessionId });
    await expect(send("say", { sessionId, onBusy: "reject" })).rejects.toMatchObject({
      type: "session_busy",
      data: { messageId: replyId },
    });
  });

  test("`interrupt` ends what runs and what waits, and is answered next", async () => {
    const running = await send("say mark hang", { agent: "lasting" });
    const { sessionId } = running;
    heart.upstream.allow(sessionId, 2);
    const waiting = await send("say", { sessionId });
    const last = await send("say", { sessionId, onBusy: "interrupt" });
    heart.upstream.release();
    expect((await follow(last.replyId)).end()?.type).toBe("conversation_complete");
    for (const { replyId } of [running, waiting]) {
      expect(await rowOf(replyId)).toMatchObject({
        status: "cancelled",
        finishReason: "interrupted_by_user",
      });
      expect((await follow(replyId)).end()).toMatchObject({ reason: "interrupted_by_user" });
    }
  });
});

describe("a cancellation", () => {
  test("of what runs is its owner's to carry out, from whatever node it comes", async () => {
    const { replyId, sessionId } = await send("say hang");
    heart.upstream.allow(sessionId, 1);
    await heart.quiet();
    const next = await send("say", { sessionId });
    heart.upstream.release();
    await cancel(replyId, other);
    const row = await rowOf(replyId);
    expect(row).toMatchObject({ status: "cancelled", attempt: 1, finishReason: "cancelled" });
    expect(row.content).toMatch(/^0:\S+ $/);
    expect((await follow(replyId)).text()).toBe(row.content);
    expect((await follow(next.replyId)).end()?.type).toBe("conversation_complete");
    expect(heart.told.business).not.toContain(`chat_message.processed ${replyId}`);
    expect(heart.signals).toContain(replyId);
  });

  test("keeps the first reason", async () => {
    const { replyId, sessionId } = await send("say hang");
    for (const reason of ["first", "second"]) {
      await other.replies.cancel({ sessionId, replyId, reason });
    }
    expect((await follow(replyId)).end()).toMatchObject({ reason: "first" });
  });

  test("of what has ended finds nothing to stop", async () => {
    heart.upstream.release();
    const { replyId, sessionId } = await send("say");
    await follow(replyId);
    expect(await node.replies.cancel({ sessionId, replyId, reason: "late" })).toBe("not_running");
    expect(await statusOf(replyId)).toBe("complete");
  });

  test("of what waits leaves the others in the queue", async () => {
    const { sessionId } = await send("say");
    const second = await send("say", { sessionId });
    const third = await send("say", { sessionId });
    await cancel(second.replyId);
    expect(heart.errors).toEqual([]);
    heart.upstream.release();
    expect((await follow(third.replyId)).end()?.type).toBe("conversation_complete");
  });
});

describe("a paused reply", () => {
  const pauseOne = async () => {
    const sent = await send("say pause say");
    heart.upstream.allow(sent.sessionId, 2);
    await expect.poll(() => statusOf(sent.replyId)).toBe("paused");
    await heart.quiet();
    expect(heart.upstream.paused.has(sent.replyId)).toBe(true);
    return sent;
  };

  test("holds no place and goes on with what was decided, on another node", async () => {
    const { replyId } = await pauseOne();
    await idle();
    heart.upstream.release();
    await decide(replyId, "need 1", other);
    expect((await follow(replyId, other)).end()?.type).toBe("conversation_complete");
    expect(await rowOf(replyId)).toMatchObject({ attempt: 2 });
    await idle();
  });

  test("stays as it is when the decision does not fit, and when there is no room for it", async () => {
    const { replyId } = await pauseOne();
    const before = await rowOf(replyId);
    await expect(decide(replyId, "something else")).rejects.toMatchObject({
      type: "validation_failed",
    });
    for (const _ of [1, 2, 3]) await send("say");
    await expect(decide(replyId, "need 1")).rejects.toMatchObject({ type: "overloaded" });
    expect(await rowOf(replyId)).toEqual(before);
    expect(node.replies.stats()).toEqual({ running: 3, places: 3 });
  });

  test.each(["cancelled", "interrupted", "deleted", "retired"])(
    "that is %s is let go of at its source",
    async (how) => {
      const { replyId, sessionId } = await pauseOne();
      if (how === "cancelled") await cancel(replyId, other);
      else if (how === "interrupted") await send("say", { sessionId, onBusy: "interrupt" });
      else if (how === "deleted") await node.replies.forget(sessionId);
      else {
        await database.query("UPDATE sessions SET last_activity = now() - interval '9 days'");
        expect(await node.replies.forget(sessionId, 8)).toBe(true);
      }
      await jobsDone();
      expect(heart.upstream.abandoned).toEqual(new Set([replyId]));
      expect(toldOf(replyId).at(-1)).toMatch(/cancelled$/);
    },
  );

  test("that is cancelled makes room for what waits behind it", async () => {
    const { replyId, sessionId } = await pauseOne();
    const next = await send("say", { sessionId });
    expect(await statusOf(next.replyId)).toBe("queued");
    heart.upstream.release();
    await cancel(replyId);
    expect((await follow(next.replyId)).end()?.type).toBe("conversation_complete");
  });

  test("is kept by retention while its session is not idle", async () => {
    const { replyId, sessionId } = await pauseOne();
    expect(await node.replies.forget(sessionId, 8)).toBe(false);
    expect(await statusOf(replyId)).toBe("paused");
    expect(heart.upstream.forgotten.size).toBe(0);
  });

  test("takes no further decision once it was cancelled", async () => {
    const { replyId } = await pauseOne();
    await cancel(replyId);
    await expect(decide(replyId, "need 1")).rejects.toMatchObject({
      type: "message_not_running",
      data: { status: "cancelled" },
    });
  });
});

describe("a deleted session", () => {
  test("is forgotten by every agent it had, its readers see the end", async () => {
    const { replyId, sessionId } = await send("say hang");
    const waiting = await send("say", { sessionId, agent: "passing" });
    const readers = [follow(replyId, other), follow(waiting.replyId, other)];
    heart.upstream.failJobs(1);
    await other.replies.forget(sessionId);
    for (const reader of await Promise.all(readers)) {
      expect(reader.end()).toMatchObject({ type: "cancelled", reason: "session_deleted" });
    }
    await database.query("UPDATE jobs SET due_at = now()");
    other.jobs.nudge();
    await jobsDone();
    expect(heart.upstream.forgotten).toEqual(new Set([sessionId]));
    expect(await node.replies.forget(sessionId)).toBe(false);
    await idle();
  });
});

describe("when the answer to a COMMIT is lost", () => {
  test.each(["committed, answer lost", "not committed, answer lost"] as const)(
    "a message is accepted once (%s)",
    async (fault) => {
      node.failCommit(fault);
      const { replyId, sessionId } = await send("say");
      heart.upstream.release();
      await follow(replyId);
      expect(heart.told.turns).toEqual([replyId]);
      expect(heart.told.sessions).toEqual([sessionId]);
      await idle();
    },
  );

  test.each(["committed, answer lost", "not committed, answer lost"] as const)(
    "of an end, what waits is answered all the same (%s)",
    async (fault) => {
      const first = await send("say");
      const second = await send("say", { sessionId: first.sessionId });
      node.failCommit(fault);
      heart.upstream.release();
      expect((await follow(second.replyId)).end()?.type).toBe("conversation_complete");
      expect(await statusOf(first.replyId)).toBe("complete");
    },
  );

  test.each([3, 4])("of an end, %i times, what waits is answered all the same", async (times) => {
    const first = await send("say");
    const second = await send("say", { sessionId: first.sessionId });
    node.failCommit("committed, answer lost", undefined, times);
    heart.upstream.release();
    expect((await follow(second.replyId)).end()?.type).toBe("conversation_complete");
  });

  test("of a waiting message that another node has begun, that node alone makes it", async () => {
    const first = await send("say", { on: other });
    const { sessionId } = first;
    let release = () => {};
    // While this node's second try is on its way, the other one has ended the first reply and begun the second.
    node.failCommit("committed, answer lost", () => {
      heart.upstream.allow(sessionId, 2);
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    const sending = send("say mark say", { sessionId });
    await expect.poll(() => other.replies.stats().running).toBe(1);
    await expect.poll(() => statusOf(first.replyId)).toBe("complete");
    await expect.poll(() => other.replies.stats().running).toBe(1);
    release();
    const { replyId } = await sending;
    expect(node.replies.running(replyId)).toBeUndefined();
    expect(await rowOf(replyId)).toMatchObject({ leaseOwner: other.nodeId, attempt: 1 });
    heart.upstream.release();
    expect((await follow(replyId)).end()?.type).toBe("conversation_complete");
    await idle();
  });

  test("of a message whose reply has ended meanwhile, it is accepted and nothing is started", async () => {
    const first = await send("say");
    const { sessionId } = first;
    node.failCommit("committed, answer lost", async () => {
      const { rows } = await database.query<{ replyId: string }>(
        `SELECT message_id AS "replyId" FROM messages WHERE status = 'queued'`,
      );
      await other.replies.cancel({ sessionId, replyId: rows[0]!.replyId, reason: "cancelled" });
    });
    const { replyId } = await send("say", { sessionId });
    expect(await statusOf(replyId)).toBe("cancelled");
    expect(node.replies.stats()).toEqual({ running: 1, places: 1 });
  });

  test("of a decision, the reply goes on here", async () => {
    const { replyId, sessionId } = await send("say pause say");
    heart.upstream.allow(sessionId, 2);
    await expect.poll(() => statusOf(replyId)).toBe("paused");
    heart.upstream.release();
    node.failCommit("committed, answer lost");
    await decide(replyId, "need 1");
    expect((await follow(replyId)).end()?.type).toBe("conversation_complete");
  });

  test("of a start, what waits is made all the same", async () => {
    const { sessionId } = await send("say");
    const { replyId } = await send("say", { sessionId });
    await node.shutDown();
    other.failCommit("committed, answer lost");
    heart.upstream.release();
    await other.replies.recover(false);
    expect((await follow(replyId, other)).end()?.type).toBe("conversation_complete");
  });

  test("of a cancellation, the end is told", async () => {
    const { sessionId } = await send("say");
    const { replyId } = await send("say", { sessionId });
    other.failCommit("committed, answer lost");
    expect(await other.replies.cancel({ sessionId, replyId, reason: "cancelled" })).toBe(
      "cancelled",
    );
    expect(toldOf(replyId)).toEqual(["1 user_message", "2 queued", "3 cancelled"]);
  });

  test("of a cancellation of what a dead node has left, it ends here", async () => {
    const { replyId, sessionId } = await send("say mark say");
    node.die();
    await heart.expireLeases(node);
    other.failCommit("committed, answer lost");
    expect(await other.replies.cancel({ sessionId, replyId, reason: "cancelled" })).toBe(
      "stopping",
    );
    expect((await follow(replyId, other)).end()).toMatchObject({ type: "cancelled" });
  });

  test("of a cancellation of what another node makes, that node alone ends it", async () => {
    const { replyId, sessionId } = await send("say hang");
    heart.upstream.allow(sessionId, 1);
    await heart.quiet();
    other.failCommit("committed, answer lost");
    expect(await other.replies.cancel({ sessionId, replyId, reason: "cancelled" })).toBe(
      "stopping",
    );
    expect(other.replies.running(replyId)).toBeUndefined();
    expect((await follow(replyId)).end()).toMatchObject({ type: "cancelled" });
    expect(await rowOf(replyId)).toMatchObject({ attempt: 1 });
  });

  test("of a deletion, the session was deleted", async () => {
    const { sessionId } = await send("say");
    node.failCommit("committed, answer lost");
    expect(await node.replies.forget(sessionId)).toBe(true);
    await jobsDone();
    expect(heart.upstream.forgotten).toEqual(new Set([sessionId]));
  });

  test("of a deletion, what runs is told to stop and does not wait for its lease", async () => {
    const { replyId, sessionId } = await send("say hang");
    heart.upstream.allow(sessionId, 1);
    await heart.quiet();
    // All that it has said is stored: it has no cause to look at its row.
    await expect.poll(async () => (await rowOf(replyId))?.eventSeq).toBe(2);
    node.failCommit("committed, answer lost");
    expect(await node.replies.forget(sessionId)).toBe(true);
    await expect.poll(() => node.replies.running(replyId)).toBeUndefined();
  });
});

describe("agents are asked again to forget", () => {
  const looks = async () =>
    (
      await database.query<{ looks: number | null }>(
        "SELECT (data->>'looks')::int AS looks FROM jobs WHERE event_type = 'forget-session'",
      )
    ).rows;

  test.each([
    ["runs", "UPDATE messages SET created_at = created_at - interval '1 hour'", true],
    ["was just answered", "SELECT 1", true],
    [
      "was stopped a while ago",
      "UPDATE messages SET created_at = now() - interval '1 hour', status = 'cancelled' WHERE role = 'assistant'",
      true,
    ],
    [
      "was answered a while ago",
      "UPDATE messages SET created_at = now() - interval '1 hour', status = 'complete' WHERE role = 'assistant'",
      false,
    ],
  ])("a session in which a reply %s: %#", async (_name, before, isAskedAgain) => {
    const { sessionId } = await send("say hang");
    heart.upstream.allow(sessionId, 1);
    await heart.quiet();
    await database.execute(before);
    await node.replies.forget(sessionId);
    await jobsDone();
    expect(heart.upstream.forgotten).toEqual(new Set([sessionId]));
    expect(await looks()).toEqual(isAskedAgain ? [{ looks: 1 }] : []);
  });
});

describe("what a dead node has left", () => {
  const crash = async (message: string, agent: string, steps: number) => {
    const sent = await send(message, { agent });
    heart.upstream.allow(sent.sessionId, steps);
    await heart.quiet();
    node.die();
    return sent;
  };

  /** Its lease runs out just now: nobody has had time to look. */
  const expireNow = (replyId: string) =>
    database.query(
      "UPDATE messages SET lease_until = now() - interval '1 second' WHERE message_id = $1",
      [replyId],
    );

  test("stays its own while its lease lasts", async () => {
    const { replyId } = await crash("say say", "passing", 1);
    expect(await other.replies.recover(false)).toMatchObject({ recovered: 0 });
    expect(await rowOf(replyId)).toMatchObject({ status: "streaming", leaseOwner: node.nodeId });
  });

  test("goes on where its source allows that, and no text is told twice", async () => {
    const { replyId } = await crash("say mark say say", "lasting", 3);
    await heart.expireLeases(node);
    expect(await other.replies.recover(false)).toMatchObject({ recovered: 1 });
    expect(other.replies.stats()).toEqual({ running: 1, places: 1 });
    heart.upstream.release();
    const reader = await follow(replyId, other);
    const row = await rowOf(replyId);
    expect(row).toMatchObject({ status: "complete", attempt: 2 });
    expect(row.content).toMatch(/^0:\S+ 2:\S+ 3:\S+ $/);
    expect(reader.text()).toBe(row.content);
  });

  test("ends where its source can take nothing up again, whatever it has told of its state", async () => {
    const { replyId } = await crash("say mark say", "passing", 2);
    await expireNow(replyId);
    expect(await other.replies.recover(false)).toMatchObject({ recovered: 1 });
    expect((await follow(replyId, other)).end()).toMatchObject({ error_type: "interrupted" });
  });

  test("is refused to its old owner from the first moment, before its source says anything", async () => {
    const { replyId, sessionId } = await send("say mark say say");
    heart.upstream.allow(sessionId, 2);
    await heart.quiet();
    await heart.expireLeases({ replyId });
    await other.replies.recover(false);
    await expect.poll(async () => (await heart.log.stat(replyId))?.epoch).toBe(2);
    await expect(heart.log.append(replyId, 1, [])).rejects.toThrow("taken over");
    // It hears so, and leaves the run to the one that has it now.
    await heart.log.signal(replyId);
    await expect.poll(() => node.replies.stats().running).toBe(0);
    expect(heart.upstream.faults).toEqual([]);
    heart.upstream.release();
    const reader = await follow(replyId, other);
    expect(reader.text()).toBe((await rowOf(replyId)).content);
  });

  test("is told on under numbers that its old owner cannot reach", async () => {
    const { replyId } = await crash("say mark say", "lasting", 2);
    const before = (await heart.log.stat(replyId))?.last ?? 0;
    await heart.expireLeases(node);
    heart.upstream.release();
    await other.replies.recover(false);
    await follow(replyId, other);
    const first = heart.appended.find((event) => event.replyId === replyId && event.epoch === 2);
    expect(first).toMatchObject({ type: "snapshot", seq: before + lostEvents + 1 });
  });

  test("of a node that shuts down goes on at the next one where its source allows that", async () => {
    const { replyId, sessionId } = await send("say mark say");
    heart.upstream.allow(sessionId, 2);
    await heart.quiet();
    await expect.poll(async () => (await rowOf(replyId)).content).not.toBe("");
    await node.shutDown();
    expect(await statusOf(replyId)).toBe("streaming");
    heart.upstream.release();
    expect(await other.replies.recover(false)).toMatchObject({ recovered: 1 });
    expect((await follow(replyId, other)).end()?.type).toBe("conversation_complete");
    expect(heart.upstream.faults).toEqual([]);
  });

  test("is its own node's as long as that makes it, whatever its lease says", async () => {
    const { replyId, sessionId } = await send("say mark say");
    heart.upstream.allow(sessionId, 1);
    await heart.quiet();
    await heart.expireLeases({ replyId });
    expect(await node.replies.recover(false)).toMatchObject({ recovered: 0 });
    heart.upstream.release();
    expect((await follow(replyId)).end()?.type).toBe("conversation_complete");
    expect(await rowOf(replyId)).toMatchObject({ attempt: 1, status: "complete" });
  });

  test("else ends with what had arrived, and what waited is answered", async () => {
    const { replyId, sessionId } = await send("say say", { agent: "passing" });
    const next = await send("say", { sessionId });
    heart.upstream.allow(sessionId, 1);
    await heart.quiet();
    node.die();
    await heart.expireLeases(node);
    heart.upstream.release();
    await other.replies.recover(false);
    const reader = await follow(replyId, other);
    expect(reader.end()).toMatchObject({ type: "error", error_type: "interrupted" });
    expect((await rowOf(replyId)).content).toMatch(/^0:\S+ $/);
    expect((await follow(next.replyId, other)).end()?.type).toBe("conversation_complete");
  });

  test("is left for a while to nodes that have room to go on with it", async () => {
    const { replyId } = await crash("say mark say", "lasting", 2);
    for (const _ of [1, 2, 3]) await send("say", { on: other });
    await expireNow(replyId);
    expect(await other.replies.recover(false)).toMatchObject({ recovered: 0 });
    expect(await rowOf(replyId)).toMatchObject({ attempt: 1, leaseOwner: node.nodeId });
    await heart.expireLeases({ replyId });
    expect(await other.replies.recover(false)).toMatchObject({ recovered: 1 });
    expect((await follow(replyId, other)).end()).toMatchObject({ error_type: "interrupted" });
    expect(other.replies.stats()).toEqual({ running: 3, places: 3 });
  });

  test("keeps none that was lost later from its end while it is left to others", async () => {
    const nodes = Array.from({ length: 7 }, () => heart.startNode());
    const sent: string[] = [];
    for (const on of nodes) {
      await on.ready;
      for (let each = 0; each < 3; each += 1) {
        const { replyId, sessionId } = await send("say mark say", { on });
        sent.push(replyId);
        heart.upstream.allow(sessionId, 2);
      }
    }
    const { replyId } = await send("say", { agent: "passing" });
    await heart.quiet();
    // Only what is known to go on is left to others.
    await expect
      .poll(async () => {
        const { rows } = await database.query(
          "SELECT 1 FROM messages WHERE message_id = ANY($1::uuid[]) AND backend_state IS NOT NULL",
          [sent],
        );
        return rows.length;
      })
      .toBe(sent.length);
    for (const on of [...nodes, node]) on.die();
    for (const _ of [1, 2, 3]) await send("say", { on: other });
    for (const lost of [...sent, replyId]) await expireNow(lost);
    expect(await other.replies.recover(false)).toEqual({ recovered: 1, isMore: false });
    expect((await follow(replyId, other)).end()).toMatchObject({ error_type: "interrupted" });
    for (const lost of sent) expect(await statusOf(lost)).toBe("streaming");
  });

  test("ends at once where it was cancelled, whether there is room or not", async () => {
    const { replyId, sessionId } = await crash("say mark say", "lasting", 2);
    for (const _ of [1, 2, 3]) await send("say", { on: other });
    await other.replies.cancel({ sessionId, replyId, reason: "cancelled" });
    await expireNow(replyId);
    expect(await other.replies.recover(false)).toMatchObject({ recovered: 1 });
    expect((await follow(replyId, other)).end()).toMatchObject({ type: "cancelled" });
  });

  test("is taken over in the order in which it was lost", async () => {
    const [first, second, third] = [await send("say"), await send("say"), await send("say")];
    await heart.expireLeases(node);
    for (const [days, { replyId }] of [third, first, second].entries()) {
      await database.query(
        "UPDATE messages SET lease_until = lease_until - make_interval(days => $2) WHERE message_id = $1",
        [replyId, days],
      );
    }
    const found = await lostReplies(database, { nodeId: "other", leaseSeconds: 1 }, 2, false);
    expect(found.map(({ replyId }) => replyId)).toEqual([second.replyId, first.replyId]);
  });

  test("is taken over by one of two that look", async () => {
    await crash("say mark say", "lasting", 2);
    await heart.expireLeases(node);
    const third = heart.startNode();
    await third.ready;
    const counts = await Promise.all([other.replies.recover(false), third.replies.recover(false)]);
    expect(counts.reduce((sum, { recovered }) => sum + recovered, 0)).toBe(1);
  });

  test("is more than one round takes over where there are many", async () => {
    const nodes = Array.from({ length: 7 }, () => heart.startNode());
    for (const on of nodes) {
      await on.ready;
      for (let each = 0; each < 3; each += 1) await send("say", { on, agent: "passing" });
    }
    await heart.quiet();
    for (const on of nodes) {
      on.die();
      await heart.expireLeases(on);
    }
    expect(await other.replies.recover(false)).toEqual({ recovered: 20, isMore: true });
    expect(await other.replies.recover(false)).toEqual({ recovered: 1, isMore: false });
  });

  test("is taken over at once where no other process can be alive", async () => {
    const { replyId } = await crash("say", "passing", 0);
    expect(await other.replies.recover(true)).toMatchObject({ recovered: 1 });
    expect((await follow(replyId, other)).end()).toMatchObject({ error_type: "interrupted" });
  });

  test("one that cannot be taken over keeps none of the others from it", async () => {
    const bad = await send("say mark say");
    const good = await send("say", { agent: "passing" });
    heart.upstream.allow(bad.sessionId, 2);
    await heart.quiet();
    node.die();
    await heart.expireLeases(node);
    await database.query(
      "UPDATE messages SET lease_until = lease_until - interval '1 day' WHERE message_id = $1",
      [bad.replyId],
    );
    other.failWhen((sql, params) => sql.includes("recoveries") && params.includes(bad.replyId));
    expect(await other.replies.recover(false)).toMatchObject({ recovered: 1 });
    expect((await follow(good.replyId, other)).end()).toMatchObject({ error_type: "interrupted" });
    expect(await statusOf(bad.replyId)).toBe("streaming");
    expect(heart.errors).toEqual(["a lost reply could not be taken over: Error: refused"]);
    other.failWhen(null);
    heart.upstream.release();
    await other.replies.recover(false);
    expect((await follow(bad.replyId, other)).end()?.type).toBe("conversation_complete");
  });

  test("whose log cannot be read ends all the same", async () => {
    const { replyId } = await crash("say say", "passing", 1);
    await heart.expireLeases(node);
    heart.refuseLog(true);
    await other.replies.recover(false);
    await expect.poll(() => statusOf(replyId)).toBe("interrupted");
    heart.refuseLog(false);
    expect((await follow(replyId, other)).end()).toMatchObject({ type: "error" });
  });

  test("that waited and begins while the log refuses ends all the same", async () => {
    const first = await send("say hang");
    const second = await send("say", { sessionId: first.sessionId });
    await heart.quiet();
    heart.upstream.release();
    heart.refuseLog(true);
    await node.replies.cancel({ ...first, reason: "cancelled" });
    await expect.poll(() => statusOf(second.replyId)).toBe("failed");
    heart.refuseLog(false);
    expect((await follow(second.replyId)).end()).toMatchObject({ type: "error" });
  });

  test.each([
    { how: "and got no further", already: "recoveries = 3" },
    { how: "a hundred times", already: "attempt = 100" },
  ])("is given up when it was taken over again and again $how", async ({ already }) => {
    const { replyId } = await crash("say", "lasting", 0);
    await heart.expireLeases(node);
    await database.query(`UPDATE messages SET ${already} WHERE message_id = $1`, [replyId]);
    expect(await other.replies.recover(false)).toMatchObject({ recovered: 1 });
    const row = await rowOf(replyId);
    expect(row).toMatchObject({ status: "failed", leaseOwner: null });
    expect(toldOf(replyId).at(-1)).toBe(`${row.eventSeq} error`);
    expect((await follow(replyId, other)).end()).toMatchObject({ error_type: "internal_error" });
  });

  test("is still made when it was taken over less often", async () => {
    const { replyId } = await crash("say mark say", "lasting", 2);
    await heart.expireLeases(node);
    await database.query("UPDATE messages SET recoveries = 2 WHERE message_id = $1", [replyId]);
    heart.upstream.release();
    await other.replies.recover(false);
    expect((await follow(replyId, other)).end()?.type).toBe("conversation_complete");
  });

  test("is ended by whoever cancels it", async () => {
    const { replyId, sessionId } = await crash("say mark say", "lasting", 2);
    await heart.expireLeases(node);
    expect(await other.replies.cancel({ sessionId, replyId, reason: "cancelled" })).toBe(
      "stopping",
    );
    expect((await follow(replyId, other)).end()).toMatchObject({ type: "cancelled" });
    expect(await rowOf(replyId)).toMatchObject({ status: "cancelled", finishReason: "cancelled" });
    await jobsDone();
    expect(heart.upstream.abandoned).toEqual(new Set([replyId]));
  });

  test("what waits behind it is answered when it was cancelled", async () => {
    const { replyId, sessionId } = await send("say");
    const next = await send("say", { sessionId });
    node.die();
    await heart.expireLeases(node);
    heart.upstream.release();
    await other.replies.cancel({ sessionId, replyId, reason: "cancelled" });
    expect((await follow(next.replyId, other)).end()?.type).toBe("conversation_complete");
    await expect.poll(() => other.replies.stats()).toEqual({ running: 0, places: 0 });
  });

  test("keeps being cancelled when its node died before it heard of that", async () => {
    const { replyId, sessionId } = await crash("say mark say", "lasting", 2);
    await other.replies.cancel({ sessionId, replyId, reason: "cancelled" });
    await heart.expireLeases(node);
    await other.replies.recover(false);
    expect((await follow(replyId, other)).end()).toMatchObject({ type: "cancelled" });
  });
});

test("an owner whose lease is over and whose reply was taken over changes nothing any more", async () => {
  const { replyId, sessionId } = await send("say mark say say");
  heart.upstream.allow(sessionId, 2);
  await heart.quiet();
  await heart.expireLeases({ replyId });
  await other.replies.recover(false);
  // Its first checkpoint under the new attempt.
  await expect.poll(async () => (await rowOf(replyId)).eventSeq).toBeGreaterThan(lostEvents);
  const taken = await rowOf(replyId);
  expect(taken).toMatchObject({ attempt: 2, leaseOwner: other.nodeId, status: "streaming" });
  // Its old owner cannot have been told yet: it ends what it makes.
  node.replies.running(replyId)?.stop(new ReplyStopped("timeout"));
  await expect.poll(() => node.replies.stats().running).toBe(0);
  expect(await rowOf(replyId)).toEqual(taken);
  heart.upstream.release();
  expect((await follow(replyId, other)).end()?.type).toBe("conversation_complete");
  await expect
    .poll(() => heart.told.ends)
    .toEqual([
      { replyId, status: "dropped" },
      { replyId, status: "complete" },
    ]);
});

describe("places", () => {
  test("are as many as the node and a source have, for messages that come at once", async () => {
    const sent = await Promise.allSettled(Array.from({ length: 20 }, () => send("say")));
    expect(sent.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    expect(node.replies.stats()).toEqual({ running: 3, places: 3 });
    await send("say", { agent: "passing" });
    await expect(send("say", { agent: "passing" })).rejects.toMatchObject({ type: "overloaded" });
    heart.upstream.release();
    await idle();
    expect(heart.upstream.faults).toEqual([]);
  });

  test("a refused message leaves nothing behind", async () => {
    const { sessionId } = await send("say");
    for (const _ of [1, 2]) await send("say");
    await expect(send("say")).rejects.toMatchObject({ type: "overloaded" });
    const { rows } = await database.query<{ sessions: number }>(
      "SELECT count(*)::int AS sessions FROM sessions",
    );
    expect(rows).toEqual([{ sessions: 3 }]);
    expect(heart.told.sessions).toHaveLength(3);
    // A message that waits needs no place of its own for long.
    await send("say", { sessionId, agent: "passing" });
    expect(node.replies.stats()).toEqual({ running: 3, places: 3 });
  });
});

test("what waits is not begun where its agent's source has no room, and is when there is some", async () => {
  const first = await send("say", { agent: "passing" });
  const waiting = await send("say", { sessionId: first.sessionId });
  for (const _ of [1, 2, 3]) await send("say");
  heart.upstream.allow(first.sessionId, 1);
  await follow(first.replyId);
  await expect.poll(() => node.replies.stats()).toEqual({ running: 3, places: 3 });
  expect(await statusOf(waiting.replyId)).toBe("queued");
  heart.upstream.release();
  await idle();
  await node.replies.recover(false);
  expect((await follow(waiting.replyId)).end()?.type).toBe("conversation_complete");
});

describe("a reply that was talked over", () => {
  const found = async (replyId: string) => {
    const { rows } = await database.query<{ content: string; unspoken: string }>(
      "SELECT content, unspoken FROM messages WHERE message_id = $1",
      [replyId],
    );
    return rows[0];
  };
  /** A complete reply that says "brown fox". */
  const spoken = async () => {
    heart.upstream.release();
    const { replyId, sessionId } = await send("say");
    await follow(replyId);
    await database.query("UPDATE messages SET content = 'brown fox' WHERE message_id = $1", [
      replyId,
    ]);
    return { replyId, sessionId, content: "brown fox", length: 6 };
  };

  test("says what was heard, and keeps the rest", async () => {
    const cut = await spoken();
    expect(await node.replies.cutToHeard(cut)).toBe(true);
    expect(await found(cut.replyId)).toEqual({ content: "brown ", unspoken: "fox" });
  });

  test("is cut only once", async () => {
    const cut = await spoken();
    await node.replies.cutToHeard({ ...cut, length: 0 });
    const again = { ...cut, content: "", length: 0 };
    expect(await node.replies.cutToHeard(again)).toBe(false);
    expect(await found(cut.replyId)).toMatchObject({ unspoken: "brown fox" });
  });

  test("stays as it is where the cut is meant for another text, and while it is made", async () => {
    const cut = await spoken();
    expect(await node.replies.cutToHeard({ ...cut, content: "brown dog" })).toBe(false);
    await database.query("UPDATE messages SET status = 'streaming' WHERE message_id = $1", [
      cut.replyId,
    ]);
    expect(await node.replies.cutToHeard(cut)).toBe(false);
    expect(await found(cut.replyId)).toMatchObject({ content: "brown fox", unspoken: null });
  });
});

describe("a node that shuts down", () => {
  test("ends what runs as interrupted, and takes nothing any more", async () => {
    const { replyId, sessionId } = await send("say hang");
    const waiting = await send("say", { sessionId });
    heart.upstream.allow(sessionId, 1);
    await heart.quiet();
    const reader = follow(replyId, other);
    await node.shutDown();
    expect((await reader).end()).toMatchObject({ error_type: "interrupted" });
    expect(await statusOf(waiting.replyId)).toBe("queued");
    heart.upstream.release();
    await other.replies.recover(false);
    expect((await follow(waiting.replyId, other)).end()?.type).toBe("conversation_complete");
    expect(heart.upstream.faults).toEqual([]);
  });

  test("holds nothing that was accepted at the last moment", async () => {
    const first = await send("say", { on: other });
    const sending = Promise.allSettled([send("say mark"), send("say mark", { agent: "passing" })]);
    await node.shutDown();
    await sending;
    expect(heart.upstream.faults).toEqual([]);
    heart.upstream.release();
    await follow(first.replyId, other);
  });

  /** The next transaction of the node is committed; the node hears of it at `answer`. */
  const holdCommit = () => {
    const [committed, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    node.failCommit("committed, answer lost", () => {
      committed.resolve();
      return answered.promise;
    });
    return { committed: committed.promise, answer: answered.resolve };
  };
  const drain = (graceMs: number) => {
    const state = { isDrained: false, done: Promise.resolve() };
    state.done = node.replies.drain(graceMs).then(() => {
      state.isDrained = true;
    });
    return state;
  };

  test("waits for what was let in, and ends it here", async () => {
    const { committed, answer } = holdCommit();
    const sending = send("say hang");
    await committed;
    const draining = drain(0);
    await new Promise(setImmediate);
    expect(draining.isDrained).toBe(false);
    answer();
    const { replyId } = await sending;
    await draining.done;
    expect(await rowOf(replyId)).toMatchObject({ status: "interrupted", leaseOwner: null });
  });

  test("waits for what is asked of it until its last reply has ended, and keeps nothing of that", async () => {
    const lost = await send("say", { on: other });
    other.die();
    await heart.expireLeases(other);
    const running = await send("say");
    const draining = drain(3_600_000);
    const { committed, answer } = holdCommit();
    const cancelling = node.replies.cancel({ ...lost, reason: "cancelled" });
    await committed;
    heart.upstream.release();
    await expect.poll(() => node.replies.stats()).toEqual({ running: 0, places: 0 });
    await new Promise(setImmediate);
    expect(await statusOf(running.replyId)).toBe("complete");
    expect(draining.isDrained).toBe(false);
    answer();
    await cancelling;
    await draining.done;
    expect(await rowOf(lost.replyId)).toMatchObject({ status: "streaming", leaseOwner: null });
  });

  test("does not wait for a database that takes no end", { timeout: 20_000 }, async () => {
    const { replyId } = await send("say hang", { agent: "passing" });
    await heart.quiet();
    node.failCommit("not committed, answer lost", undefined, 1_000);
    await node.replies.drain(0);
    // It is taken over as soon as anybody looks.
    expect(await rowOf(replyId)).toMatchObject({ status: "streaming", leaseOwner: null });
  });

  test("takes nothing over", async () => {
    const { replyId } = await send("say", { on: other });
    other.die();
    await heart.expireLeases(other);
    const draining = node.replies.drain(0);
    expect(await node.replies.recover(false)).toMatchObject({ recovered: 0 });
    await draining;
    expect(await rowOf(replyId)).toMatchObject({ status: "streaming", attempt: 1 });
  });
});
