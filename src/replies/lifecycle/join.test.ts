import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createHeart, type Heart, type HeartNode } from "../../../test/support/heart.ts";
import { openEmbedded } from "../../../test/support/databases.ts";
import type { Attachment } from "../../agents/agent-backend.ts";
import type { Database } from "../../database/database.ts";
import { newId } from "../../lib/ids.ts";
import type { Anchor } from "./anchor.ts";
import type { OnBusy } from "./make-place.ts";

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

interface Sent {
  readonly sessionId?: string;
  readonly on?: HeartNode;
  readonly onBusy?: OnBusy | null;
  readonly agentId?: string;
  readonly at?: Anchor;
  /** Null: without one. */
  readonly key?: string | null;
  readonly attachments?: readonly Attachment[];
  readonly context?: Readonly<Record<string, unknown>>;
  readonly processedMessage?: string;
}

const send = async (text: string, more: Sent = {}) => {
  const { on = node, key = newId(), context, processedMessage } = more;
  return on.commands.send({
    sessionId: more.sessionId,
    at: more.at ?? { kind: "head" },
    ownerId: null,
    userId: "ann",
    identity: null,
    sessionConfig: {},
    agentId: more.agentId ?? "lasting",
    onBusy: more.onBusy === undefined ? "merge" : more.onBusy,
    message: {
      text,
      type: "text",
      metadata: {},
      audio: null,
      attachments: more.attachments ?? [],
    },
    turn: {
      language: "en",
      requestId: "request",
      ...(context && { context }),
      ...(processedMessage !== undefined && { processedMessage }),
    },
    idempotency: key === null ? null : { key, fingerprint: text },
  });
};
/** A session whose reply waits for permission to go on. */
const busy = async () => (await send("say")).sessionId;
/** All messages of a session in their order: what users said, and of replies how they stand. */
const shown = async (sessionId: string) => {
  const { rows } = await database.query<{ role: string; content: string; status: string }>(
    "SELECT role, content, status FROM messages WHERE session_id = $1 ORDER BY seq",
    [sessionId],
  );
  return rows.map(({ role, content, status }) => (role === "user" ? content : status));
};
const numbers = async (sessionId: string) => {
  const { rows } = await database.query<{ seq: number }>(
    "SELECT seq FROM messages WHERE session_id = $1 ORDER BY seq",
    [sessionId],
  );
  return rows.map(({ seq }) => seq);
};
const ended = (replyId: string) => node.commands.settled(replyId, AbortSignal.timeout(20_000));
const asked = (replyId: string) => heart.upstream.asked.get(replyId);
const remove = (messageId: string) => node.commands.remove({ identity: null }, { messageId });

test("messages that wait become one turn, in their order, and all of them stay", async () => {
  const sessionId = await busy();
  const first = await send("say", { sessionId });
  const second = await send("mark say", { sessionId, on: other });
  const third = await send("tool", { sessionId });
  expect(new Set([first.replyId, second.replyId, third.replyId]).size).toBe(1);
  expect(await shown(sessionId)).toEqual(["say", "streaming", "say", "mark say", "tool", "queued"]);
  expect(await numbers(sessionId)).toEqual([1, 2, 3, 4, 5, 6]);
  const { rows } = await database.query(
    "SELECT last_seq, message_count, tree FROM sessions WHERE session_id = $1",
    [sessionId],
  );
  expect(rows).toEqual([{ last_seq: 6, message_count: 6, tree: null }]);
  heart.upstream.release();
  expect((await ended(first.replyId))?.type).toBe("conversation_complete");
  expect(asked(first.replyId)).toBe("say\n\nmark say\n\ntool");
});

test("who comes later follows the same reply from his own message on, and hears what it is part of", async () => {
  const sessionId = await busy();
  const first = await send("say", { sessionId });
  const second = await send("mark", { sessionId });
  expect([first.after, second.after]).toEqual([0, 2]);
  const told = heart.appended.filter(({ replyId }) => replyId === first.replyId);
  expect(told.map(({ seq, json }) => ({ ...JSON.parse(json), seq }))).toMatchObject([
    { seq: 1, type: "user_message", message: "say", user_message_id: first.made?.userMessageId },
    { seq: 2, type: "queued", position: 1 },
    { seq: 3, type: "user_message", message: "mark", user_message_id: second.made?.userMessageId },
    { seq: 4, type: "queued", position: 1, joins: [first.made?.userMessageId] },
  ]);
  heart.upstream.release();
  await ended(first.replyId);
  const all = heart.appended.filter(({ replyId }) => replyId === first.replyId);
  expect(all.map(({ seq }) => seq)).toEqual(all.map((_, at) => at + 1));
});

test("takes no place of the queue", async () => {
  const sessionId = await busy();
  await send("say", { sessionId, onBusy: "enqueue" });
  const { replyId } = await send("say", { sessionId });
  expect((await send("say", { sessionId })).replyId).toBe(replyId);
  await expect(send("say", { sessionId, onBusy: "enqueue" })).rejects.toMatchObject({
    type: "queue_full",
  });
});

describe("stands for itself", () => {
  const file = (size: number) => ({
    name: "a.txt",
    mediaType: "text/plain",
    bytes: new Uint8Array(size),
  });
  const files = (many: number) => Array.from({ length: many }, () => file(1));
  test.each<[string, Sent & { readonly text?: string }, Sent & { readonly text?: string }]>([
    ["behind one that was not to be merged", { onBusy: "enqueue" }, {}],
    ["where it is not to be merged", {}, { onBusy: "enqueue" }],
    ["for another agent", {}, { agentId: "passing" }],
    ["with other context", { context: { a: 1 } }, { context: { a: 2 } }],
    ["when only one was spoken", {}, { processedMessage: "say" }],
    ["on a branch of its own", {}, { at: { kind: "below", messageId: null } }],
    ["beyond the length of a message", { text: "a".repeat(6_000) }, { text: "b".repeat(4_000) }],
    ["beyond the number of files", { attachments: files(6) }, { attachments: files(5) }],
    [
      "beyond the size of files",
      { attachments: [file(600 * 1024)] },
      { attachments: [file(600 * 1024)] },
    ],
  ])("%s", async (_, first, second) => {
    const sessionId = await busy();
    const one = await send(first.text ?? "say", { ...first, sessionId });
    const two = await send(second.text ?? "say", { ...second, sessionId });
    expect(two.replyId).not.toBe(one.replyId);
  });

  test("with the same wishes it does not", async () => {
    const sessionId = await busy();
    const wishes = { sessionId, context: { a: 1, b: [2] }, attachments: files(5) };
    const one = await send("a".repeat(6_000), wishes);
    const two = await send("b".repeat(3_998), { ...wishes, context: { b: [2], a: 1 } });
    expect(two.replyId).toBe(one.replyId);
  });

  test("when the reply has begun", async () => {
    const sessionId = await busy();
    const one = await send("say", { sessionId });
    heart.upstream.allow(sessionId, 1);
    await expect
      .poll(async () => (await shown(sessionId)).filter((each) => each === "streaming").length)
      .toBe(1);
    await expect.poll(() => shown(sessionId)).toEqual(["say", "complete", "say", "streaming"]);
    expect((await send("say", { sessionId })).replyId).not.toBe(one.replyId);
  });
});

test("a repeat with its key finds the reply that it is part of, and adds nothing", async () => {
  const sessionId = await busy();
  const first = await send("say", { sessionId });
  const second = await send("mark", { sessionId, key: "key" });
  const again = await send("mark", { sessionId, key: "key", on: other });
  expect([second.replyId, again.replyId]).toEqual([first.replyId, first.replyId]);
  expect(await shown(sessionId)).toEqual(["say", "streaming", "say", "mark", "queued"]);
});

test("a commit whose answer was lost is not made twice", async () => {
  const sessionId = await busy();
  const first = await send("say", { sessionId });
  node.failCommit("committed, answer lost");
  const second = await send("mark", { sessionId, key: null });
  expect(second.replyId).toBe(first.replyId);
  expect(await shown(sessionId)).toEqual(["say", "streaming", "say", "mark", "queued"]);
});

describe("one of several that wait", () => {
  const three = async () => {
    const sessionId = await busy();
    const sent = [];
    for (const text of ["say", "mark say", "tool"]) sent.push(await send(text, { sessionId }));
    const ids = sent.map(({ made }) => made?.userMessageId ?? "");
    return { sessionId, ids, replyId: sent[0]?.replyId ?? "" };
  };
  const left = ["say", "mark say", "tool"];

  test.each([0, 1, 2])("is taken back alone: number %i", async (at) => {
    const { sessionId, ids, replyId } = await three();
    await remove(ids[at]!);
    const texts = left.filter((_, index) => index !== at);
    expect(await shown(sessionId)).toEqual(["say", "streaming", ...texts, "queued"]);
    const more = await send("say", { sessionId });
    expect(more.replyId).toBe(replyId);
    heart.upstream.release();
    await ended(replyId);
    expect(asked(replyId)).toBe([...texts, "say"].join("\n\n"));
  });

  test("takes the reply along when it is the last one left", async () => {
    const { sessionId, ids, replyId } = await three();
    for (const id of [ids[1]!, ids[2]!, ids[0]!]) await remove(id);
    expect(await shown(sessionId)).toEqual(["say", "streaming"]);
    expect((await ended(replyId))?.type).toBe("cancelled");
  });

  test("goes with the others by the id of their reply", async () => {
    const { sessionId, ids, replyId } = await three();
    await remove(ids[1]!);
    await remove(replyId);
    expect(await shown(sessionId)).toEqual(["say", "streaming"]);
    const { rows } = await database.query(
      "SELECT message_count FROM sessions WHERE session_id = $1",
      [sessionId],
    );
    expect(rows).toEqual([{ message_count: 2 }]);
  });

  test.each([0, 2])("is said otherwise: number %i", async (at) => {
    const { ids, replyId } = await three();
    const change = { text: "say say", attachments: null, agentId: undefined, sessionConfig: {} };
    const named = { messageId: ids[at]! };
    await node.commands.amend({ identity: null }, named, { ...change, ownSettings: {}, turn: {} });
    heart.upstream.release();
    await ended(replyId);
    expect(asked(replyId)).toBe(left.map((text, i) => (i === at ? "say say" : text)).join("\n\n"));
  });

  test("ends with the others when their reply is cancelled: all of them stay", async () => {
    const { sessionId, replyId } = await three();
    await node.commands.cancel({ identity: null }, { messageId: replyId });
    expect(await shown(sessionId)).toEqual(["say", "streaming", ...left, "cancelled"]);
  });
});

describe("a turn of several", () => {
  const turnOf = {
    sessionConfig: {},
    agentId: undefined,
    onBusy: null,
    turn: { language: "en", requestId: "request" },
    idempotency: null,
  } as const;
  const answered = async () => {
    const sessionId = await busy();
    const first = await send("say", { sessionId });
    const second = await send("mark say", { sessionId });
    heart.upstream.release();
    await ended(first.replyId);
    const ids = [first, second].map(({ made }) => made?.userMessageId ?? "");
    return { sessionId, replyId: first.replyId, ids };
  };
  const again = (messageId: string) =>
    node.commands.regenerate({ identity: null }, { messageId }, turnOf);
  const edit = (messageId: string, text: string) =>
    node.commands.edit(
      { identity: null },
      { messageId },
      { text, type: "text", metadata: {}, audio: null, attachments: null },
      turnOf,
    );

  test("is asked again with all of them", async () => {
    const { replyId, ids } = await answered();
    for (const id of [replyId, ids[1]!]) {
      const other = await again(id);
      await ended(other.replyId);
      expect(asked(other.replyId)).toBe("say\n\nmark say");
    }
  });

  test("branches where one of them is said otherwise: what stands before it is asked too", async () => {
    const { ids } = await answered();
    const last = await edit(ids[1]!, "tool");
    await ended(last.replyId);
    expect(asked(last.replyId)).toBe("say\n\ntool");
    const first = await edit(ids[0]!, "tool tool");
    await ended(first.replyId);
    expect(asked(first.replyId)).toBe("tool tool");
  });

  test("leaves the path with all of them when it is rolled back", async () => {
    const sessionId = await busy();
    const { replyId } = await send("say say", { sessionId });
    await send("say", { sessionId });
    heart.upstream.allow(sessionId, 1);
    await expect
      .poll(() => shown(sessionId))
      .toEqual(["say", "complete", "say say", "say", "streaming"]);
    const instead = await send("mark", { sessionId, onBusy: "rollback" });
    expect((await ended(replyId))?.type).toBe("cancelled");
    heart.upstream.release();
    await ended(instead.replyId);
    const { rows } = await database.query(
      "SELECT message_count FROM sessions WHERE session_id = $1",
      [sessionId],
    );
    expect(rows).toEqual([{ message_count: 4 }]);
  });

  test("goes on on another node when its own dies", async () => {
    const sessionId = await busy();
    const { replyId } = await send("say mark", { sessionId });
    await send("say", { sessionId });
    heart.upstream.allow(sessionId, 3);
    await expect.poll(() => asked(replyId)).toBe("say mark\n\nsay");
    node.die();
    heart.upstream.release();
    await heart.expireLeases(node);
    await other.replies.recover(false);
    await other.commands.settled(replyId, AbortSignal.timeout(20_000));
    expect(heart.upstream.faults).toEqual([]);
    expect(await shown(sessionId)).toHaveLength(5);
  });

  test("what was told of it and lost is told before it begins", async () => {
    const sessionId = await busy();
    const { replyId } = await send("say", { sessionId });
    await send("mark", { sessionId });
    await heart.log.drop(replyId);
    heart.upstream.release();
    await ended(replyId);
    const told = heart.appended.filter((each) => each.replyId === replyId && each.epoch > 0);
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, at) => at + 1));
  });
});
