import { EventEmitter } from "node:events";
import type { WebSocket } from "@fastify/websocket";
import { describe, expect, test } from "vitest";
import type { RateLimiter } from "../cache/rate-limiter.ts";
import { createBodyCheck } from "../http/validation.ts";
import { Shares } from "../lib/shares.ts";
import type { Identity } from "../identity/identity.ts";
import { isId, newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { LoggedEvent } from "../replies/log/reply-log.ts";
import type { ReplyState } from "../replies/reply.ts";
import { ChatConnection } from "./chat-connection.ts";
import type { Commands, SendMessage } from "./commands.ts";
import { messageBody } from "./message-body.ts";
import type { ConversationLine, FollowedReply } from "./spoken-conversation.ts";

const [sessionId, replyId] = [newId(), newId()];
const ann: Identity = { userId: "ann", roles: [], kind: "token" };
const bob: Identity = { userId: "bob", roles: [], kind: "token" };

class Socket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  isPaused = false;
  /** Why it was closed. */
  closed: string | null = null;
  readonly sent: Record<string, unknown>[] = [];
  pause = () => void (this.isPaused = true);
  resume = () => void (this.isPaused = false);
  send(text: string, taken: (error?: Error) => void): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
    taken();
  }
  close(code: number, reason: string): void {
    this.closed = `${code} ${reason}`;
  }
  terminate(): void {
    this.closed = "terminated";
    this.end();
  }
  end(): void {
    this.readyState = 3;
    this.emit("close");
  }
}

interface Scene {
  readonly opening?: { readonly sessionId?: string; readonly userId?: string };
  readonly commands?: Partial<Commands>;
  readonly pace?: RateLimiter;
}

const event = (seq: number, type: LoggedEvent["type"] = "assistant_chunk"): LoggedEvent => ({
  seq,
  type,
  json: JSON.stringify({ type }),
});

/** What has come to the socket is handled, and what is to be said is said. */
const settled = async () => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
};

/** A connection over commands that say what they were asked for. */
function stage(scene: Scene = {}) {
  const socket = new Socket();
  const done: string[] = [];
  const turns: SendMessage[] = [];
  const followed: FollowedReply[] = [];
  const faults: string[] = [];
  let line: ConversationLine | undefined;
  /** By replies that are shown: whether they still are, and what ends them. */
  const shown = new Map<string, AbortSignal>();
  const ends = new Map<string, (error?: Error) => void>();
  const commands: Partial<Commands> = {
    async authorize({ identity }) {
      done.push(`authorize ${identity?.userId}`);
    },
    async send(turn) {
      turns.push(turn);
      return { sessionId, replyId };
    },
    async state(_caller, { messageId, userId }) {
      done.push(`state ${messageId} ${userId}`);
      return { replyId: messageId, turn: { voice: {} } } as ReplyState;
    },
    async cancel(_caller, { messageId }) {
      done.push(`cancel ${messageId}`);
      return { replyId: messageId };
    },
    async continue(_caller, { messageId }, decisions) {
      done.push(`continue ${messageId} ${JSON.stringify(decisions)}`);
      return { sessionId, replyId: messageId, after: 7 };
    },
    ...scene.commands,
  };
  const connection = new ChatConnection(
    socket as unknown as WebSocket,
    {
      connection: Object.assign(new EventEmitter(), { bytesRead: 0 }) as never,
      requestId: "request",
      auditOf: () => ({
        note: async () => {},
        entry: () => {
          throw new Error("nothing is stored with it");
        },
        failed: async () => {},
      }),
      traceparent: undefined,
      language: "en",
      sessionId: scene.opening?.sessionId,
      userId: scene.opening?.userId,
      log: { error: (_fields, message) => faults.push(message) },
    },
    {
      commands: commands as Commands,
      async *follow(id, after, signal) {
        shown.set(id, signal);
        yield [event(after + 1)];
        if (signal.aborted) return;
        await new Promise<void>((resolve, reject) => {
          ends.set(id, (error) => (error === undefined ? resolve() : reject(error)));
          signal.addEventListener("abort", () => resolve());
        });
      },
      async *followSessions() {},
      sessions: {
        async find(id) {
          if (!isId(id)) throw new Error("the database takes none but ids");
          return id === sessionId ? ({ userId: "ann" } as never) : null;
        },
      },
      openConversation: (its) => {
        line = its;
        return {
          async receive({ type }) {
            done.push(`speech ${String(type)}`);
          },
          sound: (frame) => {
            if (frame[0] === 0) throw new Problem("validation_failed", {});
            done.push(`sound ${frame.length}`);
          },
          following: (reply) => followed.push(reply),
          shown: (id, { seq }) => done.push(`shown ${id} ${seq}`),
          close: () => done.push("conversation closed"),
        };
      },
      checkMessage: createBodyCheck(messageBody(1_000)),
      checkEdit: (body) => body as never,
      maxUploadBytes: 1_000,
      maxBodyBytes: 100_000,
      room: new Shares({ total: 1, each: 1, maxWaiting: 1 }),
      uploadRate: 0,
      pace: scene.pace ?? {
        take: async () => ({ allowed: true, retryAfterMs: 0, remaining: 1 }),
      },
    },
  );
  const say = async (message: unknown, isBinary = false) => {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    socket.emit("message", Buffer.from(text), isBinary);
    await settled();
  };
  return {
    socket,
    connection,
    done,
    turns,
    followed,
    faults,
    shown,
    ends,
    line: () => line!,
    say,
    last: () => socket.sent.at(-1),
    /** As somebody who is known from the handshake. */
    async enter(identity: Identity | null = ann) {
      connection.identify(async () => identity);
      await settled();
      socket.sent.splice(0);
      done.splice(0);
    },
  };
}

describe("who it is", () => {
  test("is told when it is known; until then nothing more is read", async () => {
    const { socket, connection, last } = stage({ opening: { sessionId } });
    connection.identify(async () => ann);
    expect(socket.isPaused).toBe(true);
    await settled();
    expect(last()).toMatchObject({
      type: "connection_established",
      session_id: sessionId,
      user_id: "ann",
    });
    expect(socket.isPaused).toBe(false);
  });

  test.each([
    {
      of: "a session of somebody else",
      opening: { sessionId },
      who: bob,
      type: "session_not_found",
    },
    { of: "no session", opening: { sessionId: newId() }, who: ann, type: "session_not_found" },
    { of: "what is no id", opening: { sessionId: "1" }, who: ann, type: "session_not_found" },
    { of: "somebody else's name", opening: { userId: "bob" }, who: ann, type: "forbidden" },
  ])("comes to nothing with $of", async ({ opening, who, type }) => {
    const { socket, connection, last, say, turns } = stage({ opening });
    connection.identify(async () => who);
    await settled();
    expect(last()).toMatchObject({ type: "error", error_type: type });
    expect(socket.closed).toMatch(new RegExp(`^4\\d{3} ${type}$`));
    await say({ message: "hello" });
    expect(turns).toEqual([]);
    connection.refuse(new Problem("unauthorized", { reason: "expired" }));
    expect(socket.sent).toHaveLength(1);
    socket.end();
  });

  test("may be said with the first message, and nothing else may come before", async () => {
    const tokens: unknown[] = [];
    const authenticate = async (credentials: unknown) => {
      tokens.push(credentials);
      return ann;
    };
    const known = stage();
    known.connection.awaitToken(authenticate);
    await known.say({ type: "auth", token: "secret" });
    expect(tokens).toHaveLength(1);
    expect(known.last()).toMatchObject({ type: "connection_established", user_id: "ann" });
    for (const [message, isBinary] of [
      [{ type: "ping" }, false],
      [{ message: "hello" }, false],
      ["sound", true],
      ["nonsense", false],
    ] as const) {
      const unknown = stage();
      unknown.connection.awaitToken(authenticate);
      await unknown.say(message, isBinary);
      expect(unknown.last()).toMatchObject({ error_type: "unauthorized" });
      expect(unknown.socket.closed).toBe("4401 unauthorized");
      unknown.socket.end();
    }
    expect(tokens).toHaveLength(1);
  });

  test("keeps nothing else waiting while a token is looked at", async () => {
    const { socket, connection, say } = stage();
    const { promise, resolve } = Promise.withResolvers<Identity>();
    connection.awaitToken(() => promise);
    await say({ type: "auth", token: "secret" });
    expect(socket.isPaused).toBe(true);
    resolve(ann);
    await settled();
    expect(socket.isPaused).toBe(false);
  });
});

describe("a message", () => {
  test.each([
    { opening: {}, message: { session_id: sessionId }, to: { sessionId, ownerId: "ann" } },
    { opening: { sessionId }, message: {}, to: { sessionId, ownerId: "ann" } },
    { opening: { userId: "ann" }, message: {}, to: { sessionId: undefined, userId: "ann" } },
  ])("goes where it says, else where the connection does ($opening)", async (each) => {
    const { enter, say, turns, done, followed, socket } = stage({ opening: each.opening });
    await enter();
    await say({ type: "chat", message: "hello", ...each.message });
    expect(turns).toMatchObject([{ ...each.to, message: { text: "hello", type: "text" } }]);
    expect(done).toEqual(["authorize ann", `shown ${replyId} 1`]);
    expect(followed).toEqual([{ replyId, after: 0, isSpoken: false, isResumed: false }]);
    expect(socket.sent).toMatchObject([{ seq: 1, type: "assistant_chunk" }]);
    socket.end();
  });

  test("is not sent by who may not, nor when it is none", async () => {
    const { enter, say, turns, last } = stage({
      commands: { authorize: () => Promise.reject(new Problem("forbidden", { action: "x" })) },
    });
    await enter();
    await say({ message: "hello" });
    expect(last()).toMatchObject({ error_type: "forbidden", request_id: "request" });
    for (const bad of [{ message: "" }, { message: "x".repeat(1_001) }, { message: 7 }]) {
      await say(bad);
      expect(last()).toMatchObject({ error_type: "validation_failed" });
    }
    for (const bad of ["[]", "null", "7", "{", '"text"']) {
      await say(bad);
      expect(last()).toMatchObject({ error_type: "bad_request" });
    }
    expect(turns).toEqual([]);
  });

  test.each([
    { type: "regenerate", message_id: replyId },
    { type: "edit", message_id: replyId, message: "hello" },
    { type: "continue", message_id: replyId, decisions: [{ id: "1", approved: true }] },
    { type: "cancel", message_id: replyId },
  ])("$type changes nothing for who may not send", async (message) => {
    const changed: string[] = [];
    const never = (name: string) => async () => {
      changed.push(name);
      return { sessionId, replyId, after: 0 };
    };
    const { enter, say, last } = stage({
      commands: {
        authorize: () => Promise.reject(new Problem("forbidden", { action: "x" })),
        regenerate: never("regenerate"),
        edit: never("edit"),
        continue: never("continue"),
        cancel: never("cancel"),
      },
    });
    await enter();
    await say(message);
    expect(last()).toMatchObject({ type: "error", error_type: "forbidden" });
    expect(changed).toEqual([]);
  });

  test.each([
    { what: "of too many values", metadata: { list: Array.from({ length: 20_001 }, () => 0) } },
    { what: "with too much beside its files", metadata: { text: "x".repeat(100_001) } },
  ])("$what is refused", async ({ metadata }) => {
    const { enter, say, turns, last } = stage({ opening: { sessionId } });
    await enter();
    await say({ message: "hello", metadata });
    expect(last()).toMatchObject({ error_type: "payload_too_large" });
    expect(turns).toEqual([]);
  });

  test("of a type that is not known is told which there are", async () => {
    const { enter, say, last } = stage();
    await enter();
    await say({ type: "shout" });
    expect(last()).toMatchObject({ error_type: "validation_failed" });
    expect(JSON.stringify(last())).toContain(
      "chat, regenerate, edit, cancel, continue, resume, subscribe, ping, voice_start",
    );
  });

  test("that breaks something is told as that, and logged", async () => {
    const { enter, say, last, faults } = stage({
      commands: { send: () => Promise.reject(new TypeError("x")) },
    });
    await enter();
    await say({ session_id: sessionId, message: "hello" });
    expect(last()).toMatchObject({ error_type: "internal_error", code: 500 });
    expect(faults).toEqual(["a message of a WebSocket could not be handled"]);
  });

  test("waits for the one before it; a ping and what is said do not", async () => {
    const { promise, resolve } = Promise.withResolvers<{ sessionId: string; replyId: string }>();
    const { enter, say, done, last } = stage({ commands: { send: () => promise } });
    await enter();
    await say({ session_id: sessionId, message: "hello" });
    await say({ type: "cancel", message_id: replyId });
    await say({ type: "voice_start" });
    await say("sound", true);
    await say({ type: "ping" });
    expect(last()).toMatchObject({ type: "pong" });
    expect(done).toEqual(["authorize ann", "speech voice_start", "sound 5"]);
    resolve({ sessionId, replyId });
    await settled();
    expect(done).toContain(`cancel ${replyId}`);
  });

  test("waits until its user may send one more, and for nothing when the socket is gone", async () => {
    const takes: string[] = [];
    const pace: RateLimiter = {
      async take(key) {
        takes.push(key);
        return { allowed: false, retryAfterMs: 60_000, remaining: 0 };
      },
    };
    const { enter, say, turns, socket } = stage({ pace });
    await enter();
    await say({ session_id: sessionId, message: "hello" });
    await say({ session_id: sessionId, message: "hello again" });
    expect(takes).toEqual(["user ann"]);
    socket.end();
    await settled();
    // The second one's turn has come, and it waits for nothing either.
    expect(takes).toEqual(["user ann", "user ann"]);
    expect(turns).toEqual([]);
  });
});

describe("a reply", () => {
  test("is taken up again from where it was", async () => {
    const { enter, say, done, followed, last, socket } = stage({ opening: { userId: "ann" } });
    await enter();
    await say({ type: "resume", message_id: replyId, after: 4 });
    expect(done).toContain(`state ${replyId} ann`);
    expect(followed).toEqual([{ replyId, after: 4, isSpoken: false, isResumed: true }]);
    expect(last()).toMatchObject({ seq: 5 });
    await say({ type: "resume", message_id: replyId, after: -1 });
    expect(last()).toMatchObject({ error_type: "validation_failed" });
    socket.end();
  });

  test("is cancelled, and goes on with a decision, by who may send messages", async () => {
    const { enter, say, done, followed, socket } = stage();
    await enter();
    await say({ type: "cancel", message_id: replyId });
    await say({ type: "continue", message_id: replyId, decisions: [{ id: "1", approved: true }] });
    expect(done).toEqual([
      "authorize ann",
      `cancel ${replyId}`,
      "authorize ann",
      `continue ${replyId} [{"id":"1","approved":true}]`,
      `shown ${replyId} 8`,
    ]);
    expect(followed).toMatchObject([{ after: 7, isResumed: true }]);
    socket.end();
  });

  test("is one of sixteen at a time; one that is shown already needs no further place", async () => {
    const { enter, say, last, turns, socket, shown } = stage();
    await enter();
    const ids = Array.from({ length: 16 }, () => newId());
    for (const id of ids) await say({ type: "resume", message_id: id });
    const [first] = ids as [string];
    const before = shown.get(first);
    await say({ type: "resume", message_id: first, after: 3 });
    expect(last()).toMatchObject({ seq: 4 });
    expect(before?.aborted).toBe(true);
    for (const message of [
      { type: "resume", message_id: newId() },
      { type: "continue", message_id: newId(), decisions: [{ id: "1", approved: true }] },
      { session_id: sessionId, message: "hello" },
    ]) {
      await say(message);
      expect(last()).toMatchObject({ error_type: "rate_limited" });
    }
    expect(turns).toEqual([]);
    socket.end();
    expect(ids.map((id) => shown.get(id)?.aborted)).toEqual(ids.map(() => true));
  });
});

describe("what a reply's end leaves", () => {
  test("is a place for another one", async () => {
    const { enter, say, turns, last, ends, socket } = stage({ opening: { sessionId } });
    await enter();
    for (let index = 0; index < 16; index += 1) {
      await say({ type: "resume", message_id: newId() });
    }
    await say({ message: "hello" });
    expect(last()).toMatchObject({ error_type: "rate_limited" });
    [...ends.values()][0]?.();
    await settled();
    await say({ message: "hello" });
    expect(turns).toHaveLength(1);
    socket.end();
  });

  test("is told when it is a fault, to whoever is still there", async () => {
    for (const isThere of [true, false]) {
      const { enter, say, ends, last, faults, socket } = stage();
      await enter();
      await say({ type: "resume", message_id: replyId });
      if (!isThere) socket.readyState = 3;
      ends.get(replyId)?.(new Error("x"));
      await settled();
      expect(faults).toHaveLength(isThere ? 1 : 0);
      if (isThere) expect(last()).toMatchObject({ error_type: "internal_error" });
      socket.end();
    }
  });

  test("is nothing where the socket has gone before it is shown", async () => {
    const { promise, resolve } = Promise.withResolvers<{ sessionId: string; replyId: string }>();
    const { enter, say, shown, socket } = stage({ commands: { send: () => promise } });
    await enter();
    await say({ session_id: sessionId, message: "hello" });
    socket.end();
    resolve({ sessionId, replyId });
    await settled();
    expect(shown.get(replyId)?.aborted).toBe(true);
  });
});

test("who has to leave is answered nothing any more", async () => {
  const { enter, connection, say, socket, done } = stage();
  await enter();
  connection.refuse(new Problem("unauthorized", { reason: "expired" }));
  await say({ type: "ping" });
  await say("sound", true);
  expect(socket.sent).toMatchObject([{ error_type: "unauthorized" }]);
  expect(done).toEqual([]);
  socket.end();
});

describe("a spoken conversation", () => {
  test("sends what was said as a voice message, and shows its reply", async () => {
    const { enter, line, turns, followed, socket } = stage({ opening: { sessionId } });
    await enter();
    const audio = { audio_id: "a" };
    const voice = { enable_tts: true, stream_audio: true };
    await line().say({ body: { message: "hello", voice_config: voice }, audio });
    expect(turns).toMatchObject([
      {
        sessionId,
        message: { text: "hello", type: "voice", audio },
        turn: { processedMessage: "hello" },
      },
    ]);
    expect(followed).toMatchObject([{ replyId, isSpoken: true }]);
    socket.end();
  });

  test("is checked as a message is, before anything is said", async () => {
    const { enter, line } = stage();
    await expect(line().authorize()).rejects.toMatchObject({ type: "unauthorized" });
    await enter(bob);
    await expect(line().check({ session_id: sessionId })).rejects.toMatchObject({
      type: "session_not_found",
    });
    await expect(line().check({ session_id: sessionId, agent_id: "" })).rejects.toMatchObject({
      type: "validation_failed",
    });
    await expect(line().check({ user_id: "bob" })).resolves.toBeUndefined();
  });

  test("is told of sound that it cannot take, and ends with the socket", async () => {
    const { enter, say, last, done, socket } = stage();
    await enter();
    await say("\0", true);
    expect(last()).toMatchObject({ error_type: "validation_failed" });
    socket.end();
    expect(done).toContain("conversation closed");
  });
});

test("a client that does not read what it is told is cut off; one that has gone is told nothing", async () => {
  const slow = stage();
  await slow.enter();
  slow.socket.bufferedAmount = 4 * 1024 * 1024 + 1;
  await slow.say({ type: "ping" });
  expect(slow.socket.closed).toBe("terminated");
  expect(slow.socket.sent).toEqual([]);
  slow.socket.bufferedAmount = 0;
  await slow.say({ type: "ping" });
  expect(slow.socket.sent).toEqual([]);
});
