import { expect, test } from "vitest";
import { silentLogger } from "../../telemetry/logger.ts";
import { lostEvents } from "../log/log-tail.ts";
import { createMemoryReplyLog } from "../log/memory.ts";
import type { ReplyLog } from "../log/reply-log.ts";
import { textEvent } from "../log/reply-log.contract.ts";
import { storedState } from "../making/backend-state.ts";
import type { ReplyRunner, RunMode } from "../making/reply-runner.ts";
import { ReplyStopped } from "../making/reply-stopped.ts";
import { createAdmission } from "./admission.ts";
import type { StartMode } from "./effect.ts";
import type { ReplyStore } from "./reply-store.ts";
import type { ClaimedReply } from "../reply.ts";
import { createSupervisor } from "./supervisor.ts";
import { claimedReply } from "../../../test/support/claimed-reply.ts";

const claimed = claimedReply({ recoveries: 1 });
const run: StartMode = { kind: "run" };
const lost: StartMode = { kind: "end", why: new ReplyStopped("lost") };

/** A reply that is being made: it ends when it is told to, and says what it was stopped for. */
interface Made {
  readonly reply: ClaimedReply;
  readonly mode: RunMode;
  readonly stops: string[];
  readonly end: () => void;
  readonly fail: () => void;
}

type Standing = Awaited<ReturnType<ReplyStore["standing"]>>;

/** A supervisor over scripted runners. */
function stage(more: { readonly log?: Partial<ReplyLog> } = {}) {
  const log = createMemoryReplyLog({ maxReplyBytes: 1e6, maxTotalBytes: 1e7, retentionMs: 60_000 });
  const made: Made[] = [];
  const letGo: number[] = [];
  const errors: string[] = [];
  const row: { standing: () => Promise<Standing>; restore: () => Promise<void> } = {
    standing: async () => ({ attempt: 1, cancelReason: null }),
    restore: async () => {},
  };
  const supervisor = createSupervisor({
    log: { ...log, ...more.log },
    store: {
      standing: () => row.standing(),
      letGo: async ({ attempt }) => void letGo.push(attempt),
    },
    logger: { ...silentLogger, error: (_fields, message) => errors.push(message) },
    createRunner: (reply) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const stops: string[] = [];
      const runner: Pick<ReplyRunner, "reply" | "run" | "stop"> = {
        reply,
        run: (mode) => {
          const fail = () => reject(new Error("no end can be stored"));
          made.push({ reply, mode, stops, end: resolve, fail });
          return promise;
        },
        stop: ({ kind, reason }) => void stops.push(kind === reason ? kind : `${kind}: ${reason}`),
      };
      return runner as ReplyRunner;
    },
    restoreOpening: () => row.restore(),
  });
  const start = (reply: Partial<ClaimedReply> = {}, mode = run, isTold = true) =>
    supervisor.start({ ...claimed, ...reply }, mode, { isTold });
  return { supervisor, log, made, letGo, errors, row, start };
}

/** What was asked of the row has been answered and heard. */
const heard = () => new Promise(setImmediate);

test("a log that refuses its first events does not keep a reply from being made", async () => {
  const { made, start, row } = stage();
  row.restore = () => Promise.reject(new Error("refused"));
  await start({}, run, false);
  expect(made).toHaveLength(1);
});

test("one that runs already is left alone, and so is one that is about to", async () => {
  const { made, start, row } = stage();
  const { promise, resolve } = Promise.withResolvers<void>();
  row.restore = () => promise;
  const first = start({}, run, false);
  await start();
  expect(made).toEqual([]);
  resolve();
  await first;
  await start();
  expect(made).toHaveLength(1);
});

test("a later attempt takes the place of one that is only about to run, and of one that runs", async () => {
  const { supervisor, made, start, row } = stage();
  const { promise, resolve } = Promise.withResolvers<void>();
  row.restore = () => promise;
  const first = start({}, run, false);
  await start({ attempt: 2 });
  resolve();
  await first;
  expect(made.map(({ reply }) => reply.attempt)).toEqual([2]);
  await start({ attempt: 3 });
  expect(made.map(({ stops }) => stops)).toEqual([["fenced"], []]);
  made[0]!.end();
  await heard();
  expect(supervisor.running("r")?.reply.attempt).toBe(3);
  made[1]!.end();
  await heard();
  expect(supervisor.count()).toBe(0);
});

test.each<{ readonly row: string; readonly standing: Standing; readonly stops: string[] }>([
  { row: "is gone", standing: null, stops: ["deleted: session_deleted"] },
  {
    row: "is another attempt's",
    standing: { attempt: 2, cancelReason: "late" },
    stops: ["fenced"],
  },
  {
    row: "asks for its end",
    standing: { attempt: 1, cancelReason: "why" },
    stops: ["cancelled: why"],
  },
  { row: "is as it was", standing: { attempt: 1, cancelReason: null }, stops: [] },
])("a reply whose row $row hears of it with the next signal", async ({ standing, stops }) => {
  const { log, made, start, row } = stage();
  await start();
  row.standing = async () => standing;
  await log.signal("r");
  await heard();
  expect(made[0]!.stops).toEqual(stops);
});

test("a row that cannot be asked changes nothing", async () => {
  const { log, made, start, row } = stage();
  await start();
  row.standing = () => Promise.reject(new Error("away"));
  await log.signal("r");
  await heard();
  expect(made[0]!.stops).toEqual([]);
});

test("who wanted a reply stopped while it was about to run is heard when it does", async () => {
  const { log, made, start, row } = stage();
  const { promise, resolve } = Promise.withResolvers<void>();
  row.restore = () => promise;
  const starting = start({}, run, false);
  row.standing = async () => ({ attempt: 1, cancelReason: "why" });
  await log.signal("r");
  resolve();
  await starting;
  await heard();
  expect(made[0]!.stops).toEqual(["cancelled: why"]);
});

test("a place is held from the start to the end, whatever becomes of the reply", async () => {
  const { supervisor, made, start } = stage();
  const admission = createAdmission({ perNode: 9, perSource: 9, perUser: 0 });
  const begin = async (reply: Partial<ClaimedReply>) => {
    const ticket = admission.take();
    await supervisor.start({ ...claimed, ...reply }, run, { ticket, isTold: true });
    ticket.release();
  };
  await begin({});
  await begin({});
  await begin({ replyId: "other" });
  expect(admission.taken()).toBe(2);
  made[0]!.end();
  made[1]!.fail();
  await heard();
  expect(admission.taken()).toBe(0);
  await start();
});

test("one whose end cannot be stored is let go of for others", async () => {
  const { supervisor, made, letGo, errors, start } = stage();
  await start();
  made[0]!.fail();
  await heard();
  expect(letGo).toEqual([1]);
  expect(errors).toEqual(["reply could not be ended; it will be taken over"]);
  expect(supervisor.count()).toBe(0);
});

test("a lost reply is as long as its log is, and is taken up again where its state stands", async () => {
  const { log, made, start } = stage();
  await log.append("r", 1, [textEvent(1), textEvent(2), textEvent(3)]);
  const text = (json: string) => (JSON.parse(json) as { chunk: string }).chunk;
  const content = text(textEvent(1).json);
  await start({ content }, lost);
  const told = [1, 2, 3].map((seq) => text(textEvent(seq).json)).join("");
  expect(made[0]!.reply).toMatchObject({ content: told, eventSeq: 3 + lostEvents });
  expect(made[0]!.mode).toEqual(lost);

  const backendState = storedState({ run: 1 }, { contentLength: 2, usage: null });
  await start({ attempt: 2, content, backendState }, { kind: "resume" });
  expect(made[1]!.mode).toEqual({ kind: "resume", stateLength: 2 });
  const atFirst = storedState({ run: 1 }, { contentLength: 0, usage: null });
  await start({ attempt: 3, content, backendState: atFirst }, { kind: "resume" });
  expect(made[2]!.mode).toEqual({ kind: "resume", stateLength: 0 });
  await start({ attempt: 4, content, backendState: { run: 1 } }, { kind: "resume" });
  expect(made[3]!.mode).toEqual({ kind: "resume", stateLength: content.length });
});

test("where the log cannot be read, a lost reply goes on past whatever that may hold", async () => {
  const away = () => Promise.reject(new Error("refused"));
  const { made, start } = stage({ log: { stat: away } });
  await start({ content: "stored", eventSeq: 7 }, lost);
  expect(made[0]!.reply).toMatchObject({ content: "stored", eventSeq: 7 + lostEvents });
});

test("while the node closes, what runs may end, and what comes is let go of", async () => {
  const { supervisor, made, letGo, start } = stage();
  await start();
  const drained = supervisor.drain(3_600_000);
  await start({ replyId: "late", attempt: 4 });
  expect(letGo).toEqual([4]);
  expect(made).toHaveLength(1);
  expect(made[0]!.stops).toEqual([]);
  made[0]!.end();
  await drained;
});

test("when its time is over, a closing node stops what runs and what was about to, and hears no more", async () => {
  const { supervisor, log, made, start, row } = stage();
  await start();
  const { promise, resolve } = Promise.withResolvers<void>();
  row.restore = () => promise;
  const starting = start({ replyId: "starting" }, run, false);
  const drained = supervisor.drain(0);
  await expect.poll(() => made[0]!.stops).toContain("shutdown");
  resolve();
  await starting;
  await expect.poll(() => made[1]!.stops).toContain("shutdown");
  for (const { end } of made) end();
  await drained;
  expect(supervisor.count()).toBe(0);
  let asked = 0;
  row.standing = async () => {
    asked += 1;
    return null;
  };
  await log.signal("r");
  expect(asked).toBe(0);
});
