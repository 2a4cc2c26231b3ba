import { describe, expect, test } from "vitest";
import {
  contractLimits,
  replyLogContract,
  textEvent,
  type ReplyLogSubject,
} from "./reply-log.contract.ts";
import type { ReplyLog } from "./reply-log.ts";
import { createMemoryReplyLog } from "./memory.ts";

function subject(wrap: (log: ReplyLog) => ReplyLog = (log) => log): ReplyLogSubject {
  let nowMs = 1_000;
  const real = createMemoryReplyLog({
    ...contractLimits,
    now: () => nowMs,
  });
  const log = wrap(real);
  return {
    log,
    peer: log,
    async outliveRetention() {
      nowMs += contractLimits.retentionMs + 1;
      // Ended replies go when room is looked for.
      await new Promise((resolve) => setTimeout(resolve, contractLimits.retentionMs + 100));
    },
  };
}

test.each(replyLogContract)("contract: $name", async ({ run }) => {
  const made = subject();
  try {
    await run(made);
  } finally {
    await made.log.close();
  }
});

async function casesFailing(wrap: (log: ReplyLog) => ReplyLog): Promise<string[]> {
  const failing: string[] = [];
  for (const { name, run } of replyLogContract) {
    const made = subject(wrap);
    try {
      await run(made);
    } catch {
      failing.push(name);
    } finally {
      await made.log.close();
    }
  }
  return failing;
}

test("the contract refuses a log that does not fence", async () => {
  const failing = await casesFailing((log) => ({
    ...log,
    append: (replyId, epoch, events) => log.append(replyId, epoch === 0 ? 0 : 9, events),
  }));
  expect(failing).toContain(
    "a later attempt goes on where the earlier one stopped, and the earlier one is refused",
  );
});

test("the contract refuses a log that repeats or loses events", async () => {
  const doubling = await casesFailing((log) => ({
    ...log,
    async read(replyId, after, limit, maxBytes) {
      const page = await log.read(replyId, Math.max(0, after - 1), limit, maxBytes);
      return page.events.length === 1 && page.events[0]?.seq === after
        ? { ...page, events: [] }
        : page;
    },
  }));
  expect(doubling).toContain(
    "what was appended is read by every node, as it was, from any number on",
  );
  const losing = await casesFailing((log) => ({
    ...log,
    append: (replyId, epoch, events) =>
      log.append(replyId, epoch, events.length > 2 ? events.slice(1) : events),
  }));
  expect(losing).toContain(
    "what was appended is read by every node, as it was, from any number on",
  );
});

test("the contract refuses a log that never forgets", async () => {
  const failing = await casesFailing((log) => ({ ...log, drop: async () => {} }));
  expect(failing).toContain("a dropped reply is gone on every node");
});

describe("what goes", () => {
  function createStage() {
    let nowMs = 0;
    const log = createMemoryReplyLog({
      maxReplyBytes: 4_000,
      maxTotalBytes: 5_000,
      retentionMs: 1_000,
      now: () => nowMs,
    });
    const append = (replyId: string, seq: number, size: number, epoch = 1) =>
      log.append(replyId, epoch, [textEvent(seq, "x".repeat(size))]);
    const kept = async (...ids: string[]) => {
      const states = await Promise.all(ids.map((replyId) => log.stat(replyId)));
      return ids.filter((_, index) => states[index] !== null);
    };
    /** Makes the log look for room. */
    const press = (replyId: string, seq: number) => append(replyId, seq, 2_300);
    return { log, append, kept, press, pass: (ms: number) => (nowMs += ms) };
  }

  test("first what rests the longest, then what only waits, never what is being made", async () => {
    const { log, append, kept, press } = createStage();
    await append("waiting", 1, 600);
    for (const replyId of ["made", "older", "newer"]) {
      log.own(replyId);
      await append(replyId, 1, 600);
    }
    log.release("older");
    log.release("newer");
    const all = ["made", "older", "newer", "waiting"];
    await press("big", 1);
    expect(await kept(...all)).toEqual(["made", "newer", "waiting"]);
    await append("made", 2, 600);
    expect(await kept(...all)).toEqual(["made", "waiting"]);
    log.own("big");
    await append("big", 2, 600);
    expect(await kept(...all)).toEqual(["made"]);
    await log.close();
  });

  test("what was released without an end goes after its time; what is made again stays", async () => {
    const { log, append, kept, press, pass } = createStage();
    for (const replyId of ["released", "again"]) {
      log.own(replyId);
      await append(replyId, 1, 10);
      log.release(replyId);
    }
    log.own("again");
    pass(1_001);
    await press("big", 1);
    await press("bigger", 1);
    expect(await kept("released", "again")).toEqual(["again"]);
    await log.close();
  });
});
