import { expect, test } from "vitest";
import type { Identity } from "../identity/identity.ts";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { CancelResult } from "../replies/lifecycle/cancel.ts";
import type { NewTurn } from "../replies/lifecycle/replies.ts";
import type { ReplyState } from "../replies/reply.ts";
import type { Payer } from "../usage/budgets.ts";
import { createCommands, type SendMessage } from "./commands.ts";

const replyId = newId();
const sessionId = newId();
const ann: Identity = { userId: "ann", roles: [], kind: "token", token: "secret" };
const bob: Identity = { userId: "bob", roles: [], kind: "token" };
const admin: Identity = { userId: "eve", roles: ["admin"], kind: "token" };
const anybody = { identity: null };

const overdrawn = new Problem("budget_exceeded", {
  scope: "user",
  period: "day",
  renewsAt: "2026-11-23T00:00:00.000Z",
});

interface Scene {
  readonly status?: string;
  /** What it has come to when it is looked at again. */
  readonly statusLater?: string;
  readonly cancels?: readonly CancelResult[];
  readonly earlierMessage?: string | null;
  readonly rateLimit?: number;
  readonly keyRate?: number;
  readonly isAllowed?: boolean;
  readonly isOverdrawn?: boolean;
}

/** The commands over a heart that holds one reply of Ann's. */
function stage(scene: Scene = {}) {
  const { status = "streaming", cancels = ["cancelled"] } = scene;
  const done: string[] = [];
  const accepted: NewTurn[] = [];
  const scopes: string[] = [];
  const looked: string[] = [];
  const payers: Payer[] = [];
  let looks = 0;
  let cancelled = 0;
  const find = async (id: string): Promise<ReplyState | null> => {
    looked.push(id);
    if (id !== replyId) return null;
    looks += 1;
    return {
      replyId,
      sessionId,
      userId: "ann",
      agentId: "agent",
      status: looks > 1 ? (scene.statusLater ?? status) : status,
    } as ReplyState;
  };
  const commands = createCommands({
    identity: {
      mode: "jwt",
      authenticate: async () => null,
      async authorize({ userId }, action) {
        done.push(`authorize ${userId} ${action}`);
      },
      async close() {},
    },
    sessions: {
      prepare: async ({ userId, agentId, config }) => ({
        sessionId,
        userId,
        agentId: agentId ?? "default",
        title: null,
        config,
        metadata: {},
      }),
    },
    catalogue: {
      seenBy: ({ identity }) => ({
        isSeen: (agentId) => identity?.agents?.includes(agentId) !== false,
        list: () => [],
        entry: () => undefined,
        async resolve(agentId) {
          if (agentId === "unknown") throw new Problem("agent_not_found", { agentId });
          return { agentId: `resolved ${agentId}` } as never;
        },
      }),
    },
    replies: {
      async accept(turn: NewTurn) {
        accepted.push(turn);
        return scene.earlierMessage === undefined
          ? { sessionId: turn.sessionId, replyId, turn: turn.turn }
          : { earlier: { sessionId, messageId: scene.earlierMessage } };
      },
      async cancel() {
        done.push("cancel");
        return cancels[(cancelled += 1) - 1]!;
      },
      async continue({ check, userToken }: { check(open: object[]): void; userToken?: string }) {
        check([
          { id: "one", kind: "confirm" },
          { id: "two", kind: "input" },
        ]);
        done.push(`continue ${userToken}`);
        return { eventSeq: 7 };
      },
    } as never,
    replyStore: {
      find,
      owner: find,
      messageOwner: find,
      answered: async () => null,
      queued: async () => null,
      steers: async () => null,
    },
    async *follow(_, after) {
      done.push(`follow ${after}`);
      yield null;
      done.push("end");
    },
    limiter: {
      async take(key) {
        scopes.push(key);
        return { allowed: scene.isAllowed ?? true, retryAfterMs: 1_500, remaining: 0 };
      },
    },
    budgets: {
      async check(payer) {
        payers.push(payer);
        return scene.isOverdrawn === true ? overdrawn : null;
      },
    },
    messageRateLimit: scene.rateLimit ?? 0,
    keyRateLimit: scene.keyRate ?? 0,
  });
  return { commands, done, accepted, scopes, looked, payers };
}

const message = (more: Partial<SendMessage> = {}): SendMessage => ({
  sessionId: undefined,
  at: { kind: "head" },
  ownerId: "ann",
  userId: "ann",
  identity: { userId: "ann", roles: [], kind: "token", token: "secret" },
  sessionConfig: {},
  agentId: undefined,
  onBusy: null,
  message: { text: "hello", type: "text", metadata: {}, audio: null, attachments: [] },
  turn: { language: "en", requestId: "request" },
  idempotency: null,
  ...more,
});

test("who has proven to be somebody is asked whether he may send messages", async () => {
  const { commands, done } = stage();
  await commands.authorize(anybody);
  expect(done).toEqual([]);
  await commands.authorize({ identity: ann });
  expect(done).toEqual(["authorize ann send_message"]);
});

test("a message without a session makes one, for the agent that was asked for", async () => {
  const { commands, accepted } = stage();
  expect(await commands.send(message({ agentId: "a" }))).toMatchObject({ sessionId, replyId });
  expect(accepted).toMatchObject([
    { sessionId, agentId: "resolved a", newSession: { userId: "ann", agentId: "resolved a" } },
  ]);
});

test("who has used up a budget is refused before anything is looked for, unless it may be a repeat", async () => {
  const { commands, accepted, payers } = stage({ isOverdrawn: true });
  const given = message({
    identity: { userId: "ann", roles: [], kind: "api_key", keyName: "shop" },
  });
  await expect(commands.send(given)).rejects.toBe(overdrawn);
  expect(payers).toEqual([{ userId: "ann", sessionId: undefined, keyName: "shop" }]);
  expect(accepted).toEqual([]);
  // Whoever takes it checks the key first, and then this.
  await commands.send({ ...given, idempotency: { key: "k", fingerprint: "f" } });
  expect(accepted[0]?.turn).toMatchObject({ keyName: "shop" });
  expect(() => accepted[0]?.check?.("agent")).toThrow(overdrawn);
});

test("a message to a session is for its own agent unless another one is asked for", async () => {
  const { commands, accepted } = stage();
  await commands.send(message({ sessionId }));
  expect(accepted[0]).toMatchObject({ sessionId, newSession: null, ownerId: "ann" });
  expect(accepted[0]?.agentId).toBeUndefined();
});

test("what is no id is no session, and an unknown agent none: nothing is stored", async () => {
  const { commands, accepted } = stage();
  await expect(commands.send(message({ sessionId: "nonsense" }))).rejects.toMatchObject({
    type: "session_not_found",
  });
  await expect(commands.send(message({ agentId: "unknown" }))).rejects.toMatchObject({
    type: "agent_not_found",
  });
  expect(accepted).toEqual([]);
});

test("a repeat leads to what the first request has led to, if that is there; one that made a session is another request", async () => {
  const there = stage({ earlierMessage: replyId });
  expect(await there.commands.send(message())).toEqual({ sessionId, replyId });
  await expect(stage({ earlierMessage: newId() }).commands.send(message())).rejects.toMatchObject({
    type: "message_not_found",
  });
  await expect(stage({ earlierMessage: null }).commands.send(message())).rejects.toMatchObject({
    type: "idempotency_conflict",
  });
});

test("messages are counted for their user, else for their session, where there is a limit", async () => {
  const { commands, scopes } = stage({ rateLimit: 5 });
  await commands.send(message());
  await commands.send(message({ sessionId, userId: undefined }));
  expect(scopes).toEqual(["messages:ann", `messages:session:${sessionId}`]);
  const free = stage({ isAllowed: false });
  await free.commands.send(message());
  expect(free.scopes).toEqual([]);
});

test("those of a key are counted for it too, behind its user's own", async () => {
  const { commands, scopes } = stage({ rateLimit: 5, keyRate: 50 });
  const key = { roles: [], kind: "api_key", keyName: "webui" } as const;
  await commands.send(message({ userId: "ann", identity: { ...key, userId: "ann" } }));
  await commands.send(message());
  expect(scopes).toEqual(["messages:ann", "messages of key:webui", "messages:ann"]);
  const refused = stage({ rateLimit: 5, keyRate: 50, isAllowed: false });
  await expect(
    refused.commands.send(message({ identity: { ...key, userId: "ann" } })),
  ).rejects.toMatchObject({ type: "rate_limited" });
  expect(refused.scopes).toEqual(["messages:ann"]);
});

test("one too many is refused with the time to wait, and not stored", async () => {
  const { commands, accepted } = stage({ rateLimit: 5, isAllowed: false });
  await expect(commands.send(message())).rejects.toMatchObject({
    type: "rate_limited",
    data: { seconds: 2 },
  });
  expect(accepted).toEqual([]);
});

test.each(["state", "owner"] as const)(
  "%s of a reply is for its owner and admins",
  async (look) => {
    const { commands, looked } = stage();
    const missing = { type: "message_not_found" };
    for (const identity of [ann, admin]) {
      expect(await commands[look]({ identity }, { messageId: replyId })).toMatchObject({
        sessionId,
      });
    }
    expect(await commands[look](anybody, { messageId: replyId, userId: "ann" })).toBeTruthy();
    await expect(commands[look]({ identity: bob }, { messageId: replyId })).rejects.toMatchObject(
      missing,
    );
    await expect(
      commands[look](anybody, { messageId: replyId, userId: "bob" }),
    ).rejects.toMatchObject(missing);
    await expect(commands[look]({ identity: ann }, { messageId: newId() })).rejects.toMatchObject(
      missing,
    );
    looked.length = 0;
    await expect(commands[look]({ identity: ann }, { messageId: "no id" })).rejects.toMatchObject(
      missing,
    );
    expect(looked).toEqual([]);
  },
);

test("a cancellation that has to wait for the end sees to it that there is one", async () => {
  const { commands, done } = stage({ cancels: ["stopping", "not_running"] });
  expect(await commands.cancel({ identity: ann }, { messageId: replyId })).toMatchObject({
    replyId,
  });
  expect(done).toEqual(["cancel", "follow 1", "end", "cancel"]);
});

test("one that ends the reply itself waits for nothing", async () => {
  const { commands, done } = stage();
  await commands.cancel({ identity: ann }, { messageId: replyId });
  expect(done).toEqual(["cancel"]);
});

test("what was cancelled stays cancelled, whoever was first", async () => {
  const before = stage({ status: "cancelled", cancels: ["not_running"] });
  await before.commands.cancel({ identity: ann }, { messageId: replyId });
  expect(before.done).toEqual([]);
  const meanwhile = stage({ statusLater: "cancelled", cancels: ["not_running"] });
  await meanwhile.commands.cancel({ identity: ann }, { messageId: replyId });
  const ended = stage({ statusLater: "complete", cancels: ["not_running"] });
  await expect(
    ended.commands.cancel({ identity: ann }, { messageId: replyId }),
  ).rejects.toMatchObject({ type: "message_not_running", data: { status: "complete" } });
});

test("nobody else's reply is cancelled or continued", async () => {
  const { commands, done } = stage({ status: "paused" });
  for (const act of [commands.cancel, commands.continue]) {
    await expect(act({ identity: bob }, { messageId: replyId }, [])).rejects.toMatchObject({
      type: "message_not_found",
    });
  }
  expect(done).toEqual([]);
});

const yes = (id: string, result?: unknown) => ({ id, approved: true, result });

test("a paused reply goes on when each open requirement is decided once", async () => {
  const { commands, done } = stage({ status: "paused" });
  for (const two of [yes("two", false), { id: "two", approved: false }]) {
    const decisions = [two, yes("one")];
    expect(await commands.continue({ identity: ann }, { messageId: replyId }, decisions)).toEqual({
      replyId,
      sessionId,
      after: 7,
    });
  }
  expect(done).toEqual(["continue secret", "continue secret"]);
});

test.each([
  ["one is missing", [yes("one")], ["/decisions"]],
  ["one is not open", [yes("one"), yes("two", 2), yes("three")], ["/decisions/2/id"]],
  ["what is asked for does not come", [yes("one"), yes("two")], ["/decisions/1/result"]],
  ["one is decided twice", [yes("one"), yes("one")], ["/decisions/1/id", "/decisions"]],
])("decisions do not fit when %s", async (_, decisions, paths) => {
  const { commands, done } = stage({ status: "paused" });
  const refused = await commands
    .continue({ identity: ann }, { messageId: replyId }, decisions)
    .catch((error: unknown) => error as Problem);
  expect(refused).toMatchObject({ type: "validation_failed" });
  expect((refused as Problem).details?.map(({ path }) => path)).toEqual(paths);
  expect(done).toEqual([]);
});

test("nobody decides for an agent that he may no longer use", async () => {
  const { commands, done } = stage({ status: "paused" });
  const limited = { identity: { ...ann, agents: ["another"] } };
  await expect(
    commands.continue(limited, { messageId: replyId }, [yes("two", 1), yes("one")]),
  ).rejects.toMatchObject({ type: "agent_not_found" });
  expect(done).toEqual([]);
});

test("what does not wait for a decision is not continued", async () => {
  const { commands } = stage({ status: "streaming" });
  await expect(
    commands.continue({ identity: ann }, { messageId: replyId }, []),
  ).rejects.toMatchObject({ type: "message_not_running", data: { status: "streaming" } });
});
