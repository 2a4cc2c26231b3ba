import { afterEach, expect, test, vi } from "vitest";
import { silentLogger } from "../../telemetry/logger.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import { createMemoryReplyLog } from "../log/memory.ts";
import type { ReplyLog } from "../log/reply-log.ts";
import { createFlushBeat } from "../making/flush-beat.ts";
import { createReplyFeeds } from "../reading/reply-feeds.ts";
import type { Effect } from "./effect.ts";
import { createPerformEffects } from "./perform-effects.ts";
import { claimedReply } from "../../../test/support/claimed-reply.ts";

const reply = claimedReply();
const tell: Effect = {
  do: "tell",
  reply,
  after: 4,
  events: [
    { type: "queued", position: 1 },
    { type: "cancelled", full_response: "", reason: "why" },
  ],
};
const start: Effect = { do: "start", reply, mode: { kind: "run" } };

afterEach(() => {
  vi.useRealTimers();
});

/** What was done, in its order, with everything that effects lead to. */
function stage(more: Partial<ReplyLog> = {}) {
  const done: string[] = [];
  const log: ReplyLog = {
    ...createMemoryReplyLog({ maxReplyBytes: 1e6, maxTotalBytes: 1e7, retentionMs: 60_000 }),
    own: (replyId) => void done.push(`own ${replyId}`),
    append: async (replyId, epoch, events) => {
      await Promise.resolve();
      done.push(...events.map(({ seq, type }) => `append ${replyId} ${epoch}-${seq} ${type}`));
    },
    signal: async (replyId) => void done.push(`signal ${replyId}`),
    drop: async (replyId) => void done.push(`drop ${replyId}`),
    ...more,
  };
  const telemetry: Partial<Telemetry> = {
    sessionCreated: (fields) => done.push(`session ${JSON.stringify(fields)}`),
    turnAccepted: (fields) => done.push(`turn ${JSON.stringify(fields)}`),
  };
  const perform = createPerformEffects({
    log,
    feeds: createReplyFeeds({ log, logger: silentLogger, heartbeatMs: 1_000 }),
    beat: createFlushBeat(),
    telemetry: telemetry as Telemetry,
    logger: { ...silentLogger, error: (fields) => done.push(`fault ${JSON.stringify(fields)}`) },
    supervisor: {
      start: async ({ replyId }, _mode, { isTold, userToken }) =>
        void done.push(`start ${replyId} ${isTold ? "told" : "untold"} ${userToken}`),
      look: (replyId) => done.push(`look ${replyId}`),
    },
    wake: async (sessionId) => void done.push(`wake ${sessionId}`),
  });
  return { done, perform };
}

test("effects happen one after the other", async () => {
  const { done, perform } = stage();
  await perform([tell, start, { do: "wake", sessionId: "s" }], { userToken: "token" });
  expect(done).toEqual([
    "own r",
    "append r 1-5 queued",
    "append r 1-6 cancelled",
    "start r told token",
    "wake s",
  ]);
});

test("what starts without having been told is known as that, and what is told alone is not owned", async () => {
  const { done, perform } = stage();
  await perform([start], {});
  await perform([{ ...tell, reply: { ...reply, replyId: "other" } }, start], {});
  expect(done).toEqual([
    "start r untold undefined",
    "append other 1-5 queued",
    "append other 1-6 cancelled",
    "start r untold undefined",
  ]);
});

test("one that fails keeps none of the others from happening", async () => {
  const { done, perform } = stage({ signal: () => Promise.reject(new Error("refused")) });
  await perform([{ do: "signal", replyId: "r" }, start], {});
  // The owner may be this node: it looks at the row itself.
  expect(done).toEqual([
    "look r",
    'fault {"effect":"signal","err":{}}',
    "start r untold undefined",
  ]);
});

test("owners on other nodes are told to look at the row", async () => {
  const { done, perform } = stage();
  await perform([{ do: "signal", replyId: "r" }], {});
  expect(done).toEqual(["look r", "signal r"]);
});

test("a log is dropped when readers on all nodes have had time to see the end", async () => {
  vi.useFakeTimers();
  const { done, perform } = stage();
  await perform([{ do: "drop-log", replyId: "r" }], {});
  vi.advanceTimersByTime(4_000);
  expect(done).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(done).toEqual(["drop r"]);
});

test("sessions and messages are counted as what they are", async () => {
  const { done, perform } = stage();
  const turn = { sessionId: "s", replyId: "r", agentId: "a", type: "voice", queued: true } as const;
  await perform(
    [
      { do: "count", what: "session-created", sessionId: "s", agentId: "a" },
      { do: "count", what: "turn-accepted", ...turn },
    ],
    {},
  );
  expect(done).toEqual([`session {"sessionId":"s","agentId":"a"}`, `turn ${JSON.stringify(turn)}`]);
});
