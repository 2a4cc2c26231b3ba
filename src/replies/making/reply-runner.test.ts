import { expect, test } from "vitest";
import {
  AgentInterrupted,
  StillPaused,
  type AgentBackend,
  type AgentEvent,
  type RunRequest,
} from "../../agents/agent-backend.ts";
import { Problem } from "../../problems/problem.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import type { ReplyOutcome, Telemetry } from "../../telemetry/telemetry.ts";
import type { ClaimedReply, ReplyEnd, ReplyProgress } from "../reply.ts";
import { createMemoryReplyLog } from "../log/memory.ts";
import type { ReplyLog } from "../log/reply-log.ts";
import type { ReplyEvent } from "../reply-event.ts";
import { createReplyFeeds } from "../reading/reply-feeds.ts";
import type { Kept } from "./checkpoints.ts";
import { createFlushBeat } from "./flush-beat.ts";
import { ReplyRunner, type RunMode } from "./reply-runner.ts";
import { ReplyStopped } from "./reply-stopped.ts";
import { claimedReply } from "../../../test/support/claimed-reply.ts";

const claimed = claimedReply();

type Script = (
  signal: AbortSignal,
  how: string,
  request: Pick<RunRequest, "tell" | "steered">,
) => AsyncGenerator<AgentEvent, void, void>;

interface Setting {
  readonly reply?: Partial<ClaimedReply>;
  readonly kept?: Kept | null;
  readonly maxReplyMs?: number;
  readonly speaks?: boolean;
  readonly agent?: null;
  /** For files that the agent produces. */
  readonly noRoom?: boolean;
  /** The log takes nothing before. */
  readonly gate?: Promise<void>;
  /** What is stored beside the reply is not before: its files, and the messages that it takes in. */
  readonly slow?: Promise<void>;
}

/** A runner with nothing around it; `speaks`: its speech is what was pushed. */
function stage(script: Script, setting: Setting = {}) {
  const memory = createMemoryReplyLog({
    maxReplyBytes: 1e6,
    maxTotalBytes: 1e7,
    retentionMs: 60_000,
  });
  /** Whether this node's memory answers for the reply. */
  const owned: string[] = [];
  const log: ReplyLog = {
    ...memory,
    own: (replyId) => void owned.push(`own ${replyId}`),
    release: (replyId) => void owned.push(`release ${replyId}`),
    append: async (...args) => {
      await setting.gate;
      if (owned.at(-1) !== "own r") owned.push("append to what is not owned");
      return memory.append(...args);
    },
  };
  const feeds = createReplyFeeds({ log, logger: silentLogger, heartbeatMs: 1_000 });
  /** What checkpoints have stored. */
  const stored: (Partial<ReplyProgress> | null)[] = [];
  const outcomes: ReplyOutcome[] = [];
  const ends: { progress: ReplyProgress; end: ReplyEnd }[] = [];
  const backend: Partial<AgentBackend> = {
    source: "builtin",
    run: (request, signal) => script(signal, "run", request),
    continue: (request, state, decisions, signal) =>
      script(signal, `continue ${JSON.stringify([state, decisions])}`, request),
    resume: (request, state, signal) => script(signal, `resume ${JSON.stringify(state)}`, request),
  };
  let spoken = "";
  const reply = { ...claimed, ...setting.reply };
  const runner = new ReplyRunner(
    reply,
    setting.agent === null ? null : { backend: backend as AgentBackend, agentId: "agent" },
    {
      log,
      feeds,
      beat: createFlushBeat(),
      store: {
        history: async () => [],
        isSteered: async () => setting.slow !== undefined,
      } as never,
      checkpoints: {
        onBeat: () => () => undefined,
        async store(_reply, changes) {
          stored.push(changes);
          return setting.kept === undefined ? { cancelReason: null } : setting.kept;
        },
      },
      telemetry: {
        replyStarted() {},
        replyEnded: (_fields, outcome) => outcomes.push(outcome),
      } as Partial<Telemetry> as Telemetry,
      logger: silentLogger,
      catalogue: {
        find: () => undefined,
        whyMissing: (agentId) => new Problem("agent_unavailable", { agentId }),
      },
      speak: (_reply, emit) =>
        setting.speaks === true
          ? {
              push: (text) => (spoken += text),
              finish: async () => {
                emit({ type: "snapshot", content: `spoken: ${spoken}` });
                return { said: spoken };
              },
              stop() {},
            }
          : null,
      attachmentsOf: async () => [],
      keepFile: async (_message, file) => {
        await setting.slow;
        if (setting.noRoom === true) throw new Problem("storage_quota_exceeded", { maxBytes: 1 });
        if (file.bytes.length === 0) throw new Error("away");
        return {
          name: file.name,
          media_type: file.mediaType,
          size: file.bytes.length,
          attachment_id: "kept",
          url: "/chat/attachments/kept",
        };
      },
      filesOf: async () => [],
      historyMessages: 20,
      maxReplyMs: setting.maxReplyMs ?? 60_000,
      maxReplyBytes: 20,
      leaseSeconds: 15,
    },
    {
      userToken: undefined,
      takeIn: async () => {
        await setting.slow;
        const hasAttachments = false;
        return setting.slow === undefined ? [] : [{ messageId: "m", content: "x", hasAttachments }];
      },
      end: async (_reply, progress, end) => {
        ends.push({ progress, end });
        return end;
      },
    },
  );
  return {
    runner,
    log,
    outcomes,
    owned,
    stored,
    ends,
    async run(mode: RunMode = { kind: "run" }) {
      await runner.run(mode);
      const { events } = await log.read("r", reply.eventSeq, 1_000, 1e6);
      const told = events.map(({ json }) => JSON.parse(json) as ReplyEvent);
      return { ...ends[0], told, types: told.map(({ type }) => type) };
    },
  };
}

const says = (...events: AgentEvent[]): Script =>
  async function* () {
    yield* events;
  };
const finish: AgentEvent = { type: "finish", reason: "stop" };
const text = (piece: string): AgentEvent => ({ type: "text", text: piece });

test("a reply: its text, its end, and the number of the event that will tell it", async () => {
  const { run, outcomes, owned } = stage(says(text("one "), text("two"), finish));
  const { progress, end, types } = await run();
  expect(progress).toMatchObject({ content: "one two", eventSeq: types.length + 2 });
  expect(end).toMatchObject({ status: "complete", finishReason: "stop", error: null, audio: null });
  expect(end?.timeToFirstTokenMs).not.toBeNull();
  expect(types.at(-1)).toBe("assistant_chunk");
  expect(outcomes).toMatchObject([{ status: "complete", source: "builtin" }]);
  expect(owned).toEqual(["own r", "release r"]);
});

test.each([
  { what: "is kept", bytes: 3, told: { url: "/chat/attachments/kept", attachment_id: "kept" } },
  { what: "its user has no room for", bytes: 3, noRoom: true, told: { left_out: "no_space" } },
  { what: "cannot be stored", bytes: 0, told: { left_out: "not_stored" } },
])("a file that $what is told, and the reply goes on", async ({ bytes, noRoom, told: how }) => {
  const file = { name: "cat.png", mediaType: "image/png", bytes: new Uint8Array(bytes) };
  const made: AgentEvent = { type: "file", kind: "image", file, agentId: "member" };
  const { run } = stage(says(made, text("done"), finish), noRoom === true ? { noRoom } : {});
  const { told, progress, end } = await run();
  const medium = { kind: "image", name: "cat.png", size: bytes, ...how };
  expect(told).toContainEqual(
    expect.objectContaining({ type: "media", agent_id: "member", ...medium }),
  );
  expect(progress?.media).toEqual([expect.objectContaining(medium)]);
  expect(end?.status).toBe("complete");
});

test("a pause: what it says is spoken first, and the text is not over", async () => {
  const requirements = [{ id: "q", kind: "confirm", tool: "t", arguments: {} }] as const;
  const paused: AgentEvent = { type: "paused", requirements, state: { run: 1 } };
  const { run } = stage(says(text("Shall I?"), paused), { speaks: true });
  const { end, progress, told } = await run();
  expect(end).toMatchObject({
    status: "paused",
    finishReason: "paused",
    requirements,
    audio: { said: "Shall I?" },
  });
  expect(progress?.backendState).toMatchObject({ run: 1 });
  expect(told.at(-1)).toMatchObject({ type: "snapshot", content: "spoken: Shall I?" });
  expect(told.some((event) => event.type === "assistant_chunk" && event.finished)).toBe(false);
});

test("what was said before a pause stays when the rest fails", async () => {
  const { run } = stage(says(text("x")), { reply: { audio: { said: "Shall I?" } } });
  expect((await run()).end).toMatchObject({ status: "interrupted", audio: { said: "Shall I?" } });
});

test("decisions that were not taken are asked for again, and whoever decided is told why", async () => {
  const requirements = [{ id: "q", kind: "confirm", tool: "delete", arguments: {} }] as const;
  const problem = new Problem("agent_unavailable", { agentId: "a" });
  const script: Script = async function* () {
    yield* await Promise.reject<AgentEvent[]>(new StillPaused(problem));
  };
  const { run } = stage(script, { reply: { backendState: { run: 1 } } });
  const decisions = [{ id: "q", approved: true }];
  const { end, progress } = await run({ kind: "continue", decisions, requirements });
  expect(end).toMatchObject({
    status: "paused",
    requirements,
    error: { type: "agent_unavailable", code: 503 },
  });
  expect(progress?.backendState).toEqual({ run: 1 });
});

test.each([
  { mode: { kind: "run" }, called: "run" },
  {
    mode: { kind: "continue", decisions: [{ id: "q", approved: true }], requirements: [] },
    called: 'continue [{"run":1},[{"id":"q","approved":true}]]',
  },
  { mode: { kind: "resume", stateLength: 0 }, called: 'resume {"run":1}' },
] as const)("$mode.kind calls the agent like that", async ({ mode, called }) => {
  const how: string[] = [];
  const script: Script = async function* (_signal, name) {
    how.push(name);
    yield finish;
  };
  await stage(script, { reply: { backendState: { run: 1 } } }).run(mode);
  expect(how).toEqual([called]);
});

test("words that are told at once stand where they were told, and are spoken", async () => {
  const script: Script = async function* (_signal, _how, { tell }) {
    yield text("one ");
    void tell?.({ type: "reasoning", text: "hm" });
    void tell?.({ type: "text", text: "two " });
    yield text("three");
    yield finish;
  };
  const { progress, end, told } = await stage(script, { speaks: true }).run();
  expect(progress).toMatchObject({ content: "one two three", reasoning: "hm" });
  expect(end).toMatchObject({ status: "complete", audio: { said: "one two three" } });
  expect(told.map(({ type }) => type).slice(0, 3)).toEqual([
    "assistant_chunk",
    "reasoning_chunk",
    "assistant_chunk",
  ]);
});

test("words that are told beyond the limit end the reply, and more is not heard", async () => {
  const script: Script = async function* (signal, _how, { tell }) {
    yield text("x");
    void tell?.({ type: "text", text: "y".repeat(20) });
    expect(signal.aborted).toBe(true);
    void tell?.({ type: "text", text: "z" });
  };
  const { progress, end } = await stage(script).run();
  expect(end?.finishReason).toBe("length");
  expect(progress?.content).toBe(`x${"y".repeat(20)}`);
});

test("who tells faster than the log takes it is told to wait", async () => {
  const gate = Promise.withResolvers<void>();
  const waits: boolean[] = [];
  const script: Script = async function* (_signal, _how, { tell }) {
    waits.push(tell?.({ type: "reasoning", text: "short" }) !== undefined);
    const behind = tell?.({ type: "reasoning", text: "long ".repeat(300_000) });
    waits.push(behind !== undefined);
    gate.resolve();
    await behind;
    yield finish;
  };
  const { end } = await stage(script, { gate: gate.promise }).run();
  expect(waits).toEqual([false, true]);
  expect(end?.status).toBe("complete");
});

test("a run that is taken up again has its words counted before they are told", async () => {
  const given: unknown[] = [];
  const script: Script = async function* (_signal, _how, { tell }) {
    given.push(tell);
    yield finish;
  };
  await stage(script, { reply: { backendState: {} } }).run({ kind: "resume", stateLength: 0 });
  expect(given).toEqual([undefined]);
});

test("a run that is taken up again tells nothing twice", async () => {
  const { run, stored } = stage(says(text("two thr"), text("ee"), finish), {
    reply: { content: "one two ", backendState: {} },
  });
  const { progress, told } = await run({ kind: "resume", stateLength: 4 });
  expect(progress?.content).toBe("one two three");
  const chunks = told.map((event) => (event.type === "assistant_chunk" ? event.chunk : ""));
  expect(chunks.join("")).toBe("three");
  // What its old owner may have told since gives way, and that owner hears of it at once.
  expect(told[0]).toMatchObject({ type: "snapshot", content: "one two " });
  expect(stored).toMatchObject([{ content: "one two ", eventSeq: 2 }]);
});

test("the end is handed over when the log has all that was told before it", async () => {
  const gate = Promise.withResolvers<void>();
  const { run, ends } = stage(says(text("one"), finish), { gate: gate.promise });
  const running = run();
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  expect(ends).toEqual([]);
  gate.resolve();
  await running;
  expect(ends).toHaveLength(1);
});

test("an agent that is faster than the log waits for it", async () => {
  const gate = Promise.withResolvers<void>();
  let pieces = 0;
  const script: Script = async function* () {
    for (; pieces < 20; pieces += 1) {
      yield { type: "reasoning", text: "x".repeat(256 * 1024) };
    }
    yield finish;
  };
  const { run } = stage(script, { gate: gate.promise });
  const running = run();
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  expect(pieces).toBeGreaterThan(2);
  expect(pieces).toBeLessThan(8);
  gate.resolve();
  expect((await running).end).toMatchObject({ status: "complete" });
  expect(pieces).toBe(20);
});

const ended = (status: string, finishReason: string, type?: string) => ({
  status,
  finishReason,
  error: type === undefined ? null : expect.objectContaining({ type }),
});

const hangs: Script = async function* (signal) {
  yield text("some");
  await new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });
};
const raises = (error: unknown): Script =>
  async function* () {
    yield text("some");
    throw error;
  };

test.each([
  ["has no end", says(text("some")), ended("interrupted", "interrupted", "interrupted")],
  ["breaks", raises(new AgentInterrupted("x")), ended("interrupted", "interrupted", "interrupted")],
  [
    "fails",
    raises(new Problem("agent_failed", { agentId: "a" })),
    ended("failed", "error", "agent_failed"),
  ],
  ["is wrong", raises(new TypeError("x")), ended("failed", "error", "internal_error")],
])("an agent that %s: the reply keeps its text", async (_name, script, expected) => {
  const { end, progress } = await stage(script).run();
  expect(end).toMatchObject(expected);
  expect(progress?.content).toBe("some");
});

test("an agent that is not there any more", async () => {
  const { end } = await stage(hangs, { agent: null }).run();
  expect(end).toMatchObject(ended("failed", "error", "agent_unavailable"));
});

test("a reply that is too long is cut and complete", async () => {
  const { run } = stage(says(text("x".repeat(21)), text("y"), finish));
  const { end, progress, told } = await run();
  expect(end).toMatchObject(ended("complete", "length"));
  expect(progress?.content).toBe("x".repeat(21));
  expect(told.at(-1)).toMatchObject({ type: "assistant_chunk", finished: true });
});

test("a reply that takes too long", async () => {
  const { end } = await stage(hangs, { maxReplyMs: 1 }).run();
  expect(end).toMatchObject(ended("failed", "error", "agent_timeout"));
});

test.each([
  [new ReplyStopped("cancelled", "cancelled"), ended("cancelled", "cancelled")],
  [new ReplyStopped("deleted", "session_deleted"), ended("cancelled", "session_deleted")],
  [new ReplyStopped("shutdown"), ended("interrupted", "interrupted", "interrupted")],
])("stopped: $reason", async (reason, expected) => {
  const { runner, run } = stage(hangs);
  const running = run();
  runner.stop(reason);
  runner.stop(new ReplyStopped("cancelled", "too late"));
  expect((await running).end).toMatchObject(expected);
});

test("ended without a run", async () => {
  const { run } = stage(hangs, { reply: { content: "from the tail" } });
  const { end, progress } = await run({ kind: "end", why: new ReplyStopped("lost") });
  expect(end).toMatchObject(ended("interrupted", "interrupted", "interrupted"));
  expect(progress?.content).toBe("from the tail");
});

const file = { name: "cat.png", mediaType: "image/png", bytes: new Uint8Array(3) };

test.each<[string, Script]>([
  ["a file that is stored", says(text("some"), { type: "file", kind: "image", file })],
  [
    "a message that is taken in",
    async function* (_signal, _how, { steered }) {
      yield text("some");
      await steered?.();
    },
  ],
])("%s when the reply has been stopped is not told behind its end", async (_name, script) => {
  const slow = Promise.withResolvers<void>();
  const { runner, run, ends, log } = stage(script, { slow: slow.promise });
  const running = run();
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  runner.stop(new ReplyStopped("cancelled", "cancelled"));
  await running;
  const numberOfEnd = ends[0]?.progress.eventSeq;
  slow.resolve();
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  expect(((await log.stat("r"))?.last ?? 0) + 1).toBe(numberOfEnd);
});

const works: Script = async function* (signal, how, request) {
  yield { type: "tool", toolCallId: "t", name: "n", status: "started" };
  yield* hangs(signal, how, request);
};

test("a checkpoint says that somebody has cancelled", async () => {
  const { end } = await stage(works, { kept: { cancelReason: "cancelled" } }).run();
  expect(end).toMatchObject(ended("cancelled", "cancelled"));
});

test("a checkpoint says that another attempt has taken over: nothing of this one is kept", async () => {
  const { run, outcomes } = stage(works, { kept: null });
  expect((await run()).end).toBeUndefined();
  expect(outcomes).toMatchObject([{ status: "dropped" }]);
});
