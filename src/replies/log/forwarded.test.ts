import { afterEach, describe, expect, test, vi } from "vitest";
import { createFakeNetwork } from "../../../test/support/fake-wire.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import { createForwardedReplyLog } from "./forwarded.ts";
import { contractLimits, replyLogContract, textEvent } from "./reply-log.contract.ts";
import type { LoggedEvent, ReplyLog } from "./reply-log.ts";
import type { Standing } from "./standing.ts";

const reply = "0190b8f0-0000-7000-8000-000000000001";
const end = (seq: number): LoggedEvent => ({ seq, type: "cancelled", json: "{}" });
const texts = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => textEvent(from + index));

const logs: ReplyLog[] = [];
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
});

/** Nodes on one network; `rows` is what the database says of replies. */
function network() {
  const net = createFakeNetwork();
  const rows = new Map<string, Standing>();
  let asked = 0;
  let nowMs = 1_000;
  const node = (id: string) => {
    const wire = net.join(id);
    const log = createForwardedReplyLog({
      ...contractLimits,
      wire,
      async standing(replyIds) {
        asked += 1;
        return new Map([...rows].filter(([replyId]) => replyIds.includes(replyId)));
      },
      logger: silentLogger,
      renewMs: 20,
      now: () => nowMs,
    });
    logs.push(log);
    return { wire, log };
  };
  return {
    node,
    rows,
    sent: net.sent,
    asked: () => asked,
    pass: (timeMs: number) => void (nowMs += timeMs),
  };
}

const seqs = async (log: ReplyLog, after = 0): Promise<number[]> => {
  const { events } = await log.read(reply, after, 10_000, 10_000_000);
  return events.map(({ seq }) => seq);
};
const streaming = { status: "streaming", eventSeq: 0 };

describe("a node for itself", () => {
  test.each(replyLogContract)("contract: $name", async ({ run }) => {
    const { node, pass } = network();
    const { log } = node("a");
    await run({
      log,
      peer: log,
      async outliveRetention() {
        pass(contractLimits.retentionMs + 1);
        await new Promise((resolve) => setTimeout(resolve, contractLimits.retentionMs + 100));
      },
    });
  });
});

describe("nodes that tell each other", () => {
  function two() {
    const net = network();
    const [a, b] = [net.node("a"), net.node("b")];
    net.rows.set(reply, streaming);
    return { ...net, a, b };
  }

  test("what nobody follows from elsewhere is told to nobody, and costs no question", async () => {
    const { a, sent, asked } = two();
    a.log.own(reply);
    const stop = a.log.onBell(reply, () => {});
    await a.log.append(reply, 1, [...texts(1, 9), end(10)]);
    a.log.release(reply);
    await seqs(a.log);
    stop();
    expect(sent).toEqual([]);
    expect(asked()).toBe(0);
  });

  test("who follows gets what there is and what comes, once for all who follow there", async () => {
    const { a, b, sent } = two();
    a.log.own(reply);
    await a.log.append(reply, 1, texts(1, 50));
    const rung = vi.fn<() => void>();
    const stops = [1, 2, 3].map(() => b.log.onBell(reply, rung));
    // The first reader waits until it is known what there is.
    expect(await seqs(b.log)).toEqual(texts(1, 50).map(({ seq }) => seq));
    await a.log.append(reply, 1, texts(51, 60));
    await vi.waitFor(async () => expect(await seqs(b.log)).toHaveLength(60));
    expect(await b.log.read(reply, 55, 2, 1_000)).toEqual({ events: texts(56, 57), first: 1 });
    expect(rung).toHaveBeenCalled();
    // What comes is sent once, however many listen there.
    const to = sent.filter(({ kind }) => kind === "events").map((each) => each.to);
    expect(to.length).toBeLessThanOrEqual(3);
    expect(new Set(to)).toEqual(new Set(["b"]));
    for (const stop of stops) stop();
    await vi.waitFor(() => expect(sent.at(-1)).toMatchObject({ kind: "unwatch", from: "b" }));
    await new Promise((resolve) => setTimeout(resolve, 10));
    const before = sent.length;
    await a.log.append(reply, 1, texts(61, 70));
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(sent.slice(before)).toEqual([]);
    expect(await b.log.stat(reply)).toBeNull();
  });

  test("an owner sends no more to a node that has died", async () => {
    const { a, b, sent } = two();
    a.log.own(reply);
    await a.log.append(reply, 1, texts(1, 3));
    b.log.onBell(reply, () => {});
    await seqs(b.log);
    await b.log.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = sent.length;
    await a.log.append(reply, 1, texts(4, 5));
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(sent.slice(before)).toEqual([]);
  });

  test.each(["a", "b"] as const)(
    "nothing is lost where %s was cut off meanwhile",
    async (which) => {
      const { a, b } = two();
      const nodes = { a, b };
      a.log.own(reply);
      await a.log.append(reply, 1, texts(1, 3));
      b.log.onBell(reply, () => {});
      expect(await seqs(b.log)).toEqual([1, 2, 3]);
      nodes[which].wire.cut();
      await a.log.append(reply, 1, texts(4, 6));
      // Readers go by the database meanwhile.
      if (which === "b") expect(await b.log.stat(reply)).toBeNull();
      nodes[which].wire.mend();
      await a.log.append(reply, 1, texts(7, 7));
      await vi.waitFor(async () => expect(await seqs(b.log, 3)).toEqual([4, 5, 6, 7]));
    },
  );

  test("what arrives in one piece is taken as it comes, and not asked for again", async () => {
    const { b, node } = two();
    const { wire } = node("owner");
    /** Whether it asks for what comes next, or says only that it still follows. */
    const asked: boolean[] = [];
    wire.on("watch", (body) => void asked.push((body as readonly [boolean])[0]));
    const send = (from: number, to: number) => {
      const events = texts(from, to).map(({ seq, type, json }) => [seq, type, json]);
      return wire.send("b", "events", [reply, 1, from - 1, events]);
    };
    b.log.onBell(reply, () => {});
    await vi.waitFor(() => expect(asked).toContain(true));
    await send(1, 10);
    await vi.waitFor(() => expect(asked.at(-1)).toBe(false));
    asked.splice(0);
    await Promise.all([send(11, 20), send(21, 25)]);
    expect(await seqs(b.log)).toHaveLength(25);
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(1));
    expect(asked).not.toContain(true);
  });

  test("who follows goes on with a new owner, and an old one is not believed", async () => {
    const { a, b, node } = two();
    const c = node("c");
    a.log.own(reply);
    await a.log.append(reply, 1, texts(1, 3));
    b.log.onBell(reply, () => {});
    expect(await seqs(b.log)).toEqual([1, 2, 3]);
    c.log.own(reply);
    await c.log.append(reply, 2, texts(1_030, 1_032));
    await vi.waitFor(async () => expect(await seqs(b.log, 3)).toEqual([1_030, 1_031, 1_032]));
    await a.log.append(reply, 1, texts(4, 2_000));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await seqs(b.log, 3)).toEqual([1_030, 1_031, 1_032]);
  });

  test("a node that takes a reply over has what its readers have seen", async () => {
    const { a, b } = two();
    a.log.own(reply);
    await a.log.append(reply, 1, texts(1, 3));
    b.log.onBell(reply, () => {});
    expect(await seqs(b.log)).toEqual([1, 2, 3]);
    b.log.own(reply);
    await b.log.append(reply, 2, texts(4, 5));
    expect(await seqs(b.log)).toEqual([1, 2, 3, 4, 5]);
    expect(await b.log.stat(reply)).toEqual({ first: 1, last: 5, epoch: 2 });
  });

  test("what ends earlier here than in the database is forgotten, so that readers go by that", async () => {
    const { a, b, rows } = two();
    // It paused here, went on elsewhere, and whoever made it is gone.
    a.log.own(reply);
    await a.log.append(reply, 1, [...texts(1, 2), { seq: 3, type: "paused", json: "{}" }]);
    a.log.release(reply);
    rows.set(reply, { status: "complete", eventSeq: 9 });
    a.log.onBell(reply, () => {});
    await vi.waitFor(async () => expect(await a.log.stat(reply)).toBeNull());
    // An end that never came.
    rows.set(reply, streaming);
    a.log.own(reply);
    await a.log.append(reply, 2, texts(4, 6));
    b.log.onBell(reply, () => {});
    expect(await seqs(b.log)).not.toEqual([]);
    a.wire.cut();
    rows.set(reply, { status: "interrupted", eventSeq: 9 });
    const c = network().node("c");
    expect(c.wire.hasPeers()).toBe(false);
    await vi.waitFor(async () => expect(await b.log.stat(reply)).toBeNull());
  });

  test("a reader of a reply that nobody makes waits for nobody", async () => {
    const { b, rows } = two();
    rows.set(reply, { status: "complete", eventSeq: 9 });
    b.log.onBell(reply, () => {});
    const startedMs = performance.now();
    expect(await b.log.read(reply, 0, 10, 1_000)).toEqual({ events: [], first: null });
    expect(performance.now() - startedMs).toBeLessThan(200);
  });

  test("a dropped reply is gone on every node, and a signal is heard on all", async () => {
    const { a, b } = two();
    a.log.own(reply);
    await a.log.append(reply, 1, texts(1, 3));
    b.log.onBell(reply, () => {});
    await seqs(b.log);
    const heard: string[] = [];
    for (const [name, { log }] of Object.entries({ a, b })) {
      log.onSignal((replyId) => heard.push(`${name} ${replyId}`));
    }
    await b.log.signal(reply);
    await vi.waitFor(() => expect(heard.toSorted()).toEqual([`a ${reply}`, `b ${reply}`]));
    a.log.release(reply);
    await a.log.drop(reply);
    await vi.waitFor(async () => expect(await b.log.stat(reply)).toBeNull());
  });
});
