import assert from "node:assert/strict";
import { ReplyFenced, type LoggedEvent, type ReplyLog } from "./reply-log.ts";

/** A log under test, as two nodes see it (the same object where there is only one). */
export interface ReplyLogSubject {
  readonly log: ReplyLog;
  readonly peer: ReplyLog;
  /** Lets the time for which ended replies are kept pass. */
  outliveRetention(): Promise<void>;
}

/** What the subject's logs are to be made with. */
export const contractLimits = {
  maxReplyBytes: 16 * 1024,
  maxTotalBytes: 256 * 1024,
  retentionMs: 1_000,
};

export interface ReplyLogCase {
  readonly name: string;
  readonly run: (subject: ReplyLogSubject) => Promise<void>;
}

const reply = "0190b8f0-0000-7000-8000-000000000001";
const other = "0190b8f0-0000-7000-8000-000000000002";
const everything = [200, 1024 * 1024] as const;

/** Event number `seq`, of a size that matters to nobody unless it is given. */
export function textEvent(seq: number, text = `text ${seq}`): LoggedEvent {
  return {
    seq,
    type: "assistant_chunk",
    json: JSON.stringify({ type: "assistant_chunk", chunk: text }),
  };
}

const pause = (seq: number): LoggedEvent => ({ seq, type: "paused", json: '{"type":"paused"}' });

const end = (seq: number): LoggedEvent => ({
  seq,
  type: "cancelled",
  json: '{"type":"cancelled"}',
});

function texts(from: number, to: number): LoggedEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => textEvent(from + index));
}

async function seqs(log: ReplyLog, after = 0): Promise<number[]> {
  const all: number[] = [];
  for (let cursor = after; ;) {
    const { events } = await log.read(reply, cursor, ...everything);
    const last = events.at(-1);
    if (last === undefined) return all;
    all.push(...events.map((event) => event.seq));
    cursor = last.seq;
  }
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Acts every 10 ms until `done` resolves; rejects after 500 times. */
async function repeatUntil(
  done: Promise<unknown>,
  act: (attempt: number) => Promise<void>,
): Promise<void> {
  for (let attempt = 1; attempt <= 500; attempt += 1) {
    await act(attempt);
    const pause = new Promise<false>((resolve) => setTimeout(resolve, 10, false));
    if (await Promise.race([done.then(() => true), pause])) return;
  }
  throw new Error("it never came");
}

/** What every reply log does; each case gets an empty one. */
export const replyLogContract: readonly ReplyLogCase[] = [
  {
    name: "what was appended is read by every node, as it was, from any number on",
    async run({ log, peer }) {
      const events = [
        textEvent(1, "Grüße 🙂\n\u0000"),
        textEvent(2, ""),
        textEvent(3, "x".repeat(5_000)),
      ];
      await log.append(reply, 1, events);
      for (const node of [log, peer]) {
        assert.deepEqual(await node.read(reply, 0, ...everything), { events, first: 1 });
        assert.deepEqual((await node.read(reply, 2, ...everything)).events, [events[2]]);
        assert.deepEqual((await node.read(reply, 3, ...everything)).events, []);
        assert.deepEqual((await node.read(reply, 100, ...everything)).events, []);
        assert.deepEqual(await node.stat(reply), { first: 1, last: 3, epoch: 1 });
      }
    },
  },
  {
    name: "of a reply that nobody has written nothing is kept",
    async run({ log }) {
      assert.deepEqual(await log.read(reply, 0, ...everything), { events: [], first: null });
      assert.equal(await log.stat(reply), null);
    },
  },
  {
    name: "a page has at most so many events and about so many bytes, and at least one event",
    async run({ log, peer }) {
      await log.append(reply, 1, texts(1, 20));
      for (const node of [log, peer]) {
        const five = await node.read(reply, 3, 5, 1024 * 1024);
        assert.deepEqual(
          five.events.map(({ seq }) => seq),
          numbers(4, 8),
        );
        assert.equal((await node.read(reply, 3, 5, 1)).events.length, 1);
        assert.ok((await node.read(reply, 0, 200, 300)).events.length < 10);
      }
    },
  },
  {
    name: "a page ends where an attempt has left numbers out",
    async run({ log, peer }) {
      await log.append(reply, 1, texts(1, 3));
      await log.append(reply, 2, texts(1_030, 1_032));
      for (const node of [log, peer]) {
        const after = async (seq: number) =>
          (await node.read(reply, seq, ...everything)).events.map((event) => event.seq);
        assert.deepEqual(await after(0), numbers(1, 3));
        assert.deepEqual(await after(2), [3]);
        assert.deepEqual(await after(3), numbers(1_030, 1_032));
        assert.deepEqual(await after(1_031), [1_032]);
        assert.deepEqual(await after(1_032), []);
      }
    },
  },
  {
    name: "a repeated append changes nothing",
    async run({ log, peer }) {
      await log.append(reply, 1, texts(1, 3));
      await log.append(reply, 1, texts(1, 3));
      await log.append(reply, 1, texts(2, 5));
      assert.deepEqual(await seqs(peer), numbers(1, 5));
    },
  },
  {
    name: "a later attempt goes on where the earlier one stopped, and the earlier one is refused",
    async run({ log, peer }) {
      await log.append(reply, 1, texts(1, 5));
      await peer.append(reply, 2, texts(6, 8));
      await assert.rejects(async () => log.append(reply, 1, [textEvent(6, "zombie")]), ReplyFenced);
      await assert.rejects(async () => log.append(reply, 1, [textEvent(9, "zombie")]), ReplyFenced);
      for (const node of [log, peer]) {
        assert.deepEqual(await seqs(node), numbers(1, 8));
        assert.deepEqual(await seqs(node, 5), numbers(6, 8));
        assert.deepEqual(await node.stat(reply), { first: 1, last: 8, epoch: 2 });
      }
    },
  },
  {
    name: "first events written before any attempt are followed by those of the first one",
    async run({ log, peer }) {
      await log.append(reply, 0, texts(1, 2));
      await peer.append(reply, 1, texts(3, 4));
      assert.deepEqual(await seqs(log), numbers(1, 4));
      assert.deepEqual(await seqs(peer), numbers(1, 4));
    },
  },
  {
    name: "the node that makes a reply and the others read the same",
    async run({ log, peer }) {
      log.own(reply);
      await log.append(reply, 1, texts(1, 3));
      assert.deepEqual(await seqs(log), numbers(1, 3));
      assert.deepEqual(await seqs(peer, 1), numbers(2, 3));
      log.release(reply);
      await peer.append(reply, 2, texts(4, 4));
      assert.deepEqual(await seqs(log), numbers(1, 4));
      assert.deepEqual(await log.stat(reply), { first: 1, last: 4, epoch: 2 });
    },
  },
  {
    name: "a page read while more is written has no hole",
    async run({ log, peer }) {
      for (let seq = 1; seq <= 50; seq += 1) {
        await log.append(reply, 1, [textEvent(seq)]);
        assert.deepEqual(await seqs(peer, seq - 1), [seq]);
      }
      assert.deepEqual(await seqs(peer, 10), numbers(11, 50));
    },
  },
  {
    name: "a bell rings on every node for whoever listens to this reply",
    async run({ log, peer }) {
      const rings = await Promise.all(
        [log, peer].map(async (node) => {
          const rung = Promise.withResolvers<void>();
          const end = node.onBell(reply, rung.resolve);
          return { rung: rung.promise, end };
        }),
      );
      const all = Promise.all(rings.map(({ rung }) => rung));
      // A bell may be missed while a node has only begun to listen.
      await repeatUntil(all, async (attempt) => log.append(reply, 1, [textEvent(attempt)]));
      let silent = 0;
      const quiet = peer.onBell(other, () => (silent += 1));
      for (const { end } of rings) end();
      await log.append(reply, 1, [textEvent(1_000)]);
      quiet();
      assert.equal(silent, 0);
    },
  },
  {
    name: "a signal is heard by every node, the sender included, until it stops listening",
    async run({ log, peer }) {
      const heard: string[] = [];
      const both = Promise.withResolvers<void>();
      const note = (node: string) => (replyId: string) => {
        heard.push(`${node} ${replyId}`);
        if (heard.includes(`log ${reply}`) && heard.includes(`peer ${reply}`)) both.resolve();
      };
      const ends = [log.onSignal(note("log")), peer.onSignal(note("peer"))];
      await repeatUntil(both.promise, () => log.signal(reply));
      for (const stop of ends) stop();
      const before = heard.length;
      await log.signal(reply);
      assert.equal(heard.length, before);
    },
  },
  {
    name: "beyond its bytes a reply loses its oldest events, never its newest, and has no hole",
    async run({ log, peer }) {
      log.own(reply);
      for (let seq = 1; seq <= 40; seq += 1) {
        await log.append(reply, 1, [textEvent(seq, "x".repeat(1_000))]);
      }
      for (const node of [log, peer]) {
        const state = await node.stat(reply);
        assert.equal(state?.last, 40);
        assert.ok(state.first > 20 && state.first < 40, `first is ${state.first}`);
        const { events, first } = await node.read(reply, 0, ...everything);
        assert.equal(first, state.first);
        assert.deepEqual(
          events.map(({ seq }) => seq),
          numbers(state.first, 40),
        );
      }
      await log.append(reply, 1, [textEvent(41, "y".repeat(50_000))]);
      assert.deepEqual(await seqs(peer), [41]);
    },
  },
  {
    name: "replies do not touch each other",
    async run({ log, peer }) {
      await log.append(reply, 1, texts(1, 2));
      await log.append(other, 7, texts(1, 1));
      assert.deepEqual(await peer.stat(reply), { first: 1, last: 2, epoch: 1 });
      assert.deepEqual(await peer.stat(other), { first: 1, last: 1, epoch: 7 });
      await log.drop(other);
      assert.equal(await peer.stat(other), null);
      assert.deepEqual(await seqs(peer), [1, 2]);
    },
  },
  {
    name: "a dropped reply is gone on every node",
    async run({ log, peer }) {
      log.own(reply);
      await log.append(reply, 1, texts(1, 3));
      await peer.read(reply, 0, ...everything);
      log.release(reply);
      await peer.drop(reply);
      for (const node of [log, peer]) {
        assert.deepEqual(await node.read(reply, 0, ...everything), { events: [], first: null });
        assert.equal(await node.stat(reply), null);
      }
    },
  },
  {
    name: "an ended reply is kept for the retention time and not longer, a running one stays",
    async run({ log, peer, outliveRetention }) {
      await log.append(reply, 1, [...texts(1, 2), end(3)]);
      await log.append(other, 1, texts(1, 2));
      assert.deepEqual(await seqs(peer), [1, 2, 3]);
      await outliveRetention();
      assert.equal(await peer.stat(reply), null);
      assert.notEqual(await peer.stat(other), null);
    },
  },
  {
    name: "a reply that waits for a person is kept as long as one that has ended, and goes on under its numbers",
    async run({ log, peer, outliveRetention }) {
      for (const replyId of [reply, other]) {
        log.own(replyId);
        await log.append(replyId, 1, [...texts(1, 2), pause(3)]);
        log.release(replyId);
      }
      assert.deepEqual(await seqs(peer), [1, 2, 3]);
      peer.own(other);
      await peer.append(other, 2, texts(4, 4));
      await outliveRetention();
      assert.equal(await peer.stat(reply), null);
      assert.deepEqual(await log.stat(other), { first: 1, last: 4, epoch: 2 });
      log.own(reply);
      await log.append(reply, 2, texts(4, 4));
      assert.deepEqual(await seqs(log, 3), [4]);
    },
  },
  {
    name: "what a node holds has a limit: the longest of those being made lose their beginnings, none its newest event",
    async run({ log }) {
      const ids = Array.from(
        { length: 40 },
        (_, index) => `0190b8f0-0000-7000-8000-0000000001${String(index).padStart(2, "0")}`,
      );
      const short = ids[0] as string;
      for (const replyId of ids) {
        log.own(replyId);
        await log.append(replyId, 1, [textEvent(1)]);
      }
      for (let seq = 2; seq <= 14; seq += 1) {
        for (const replyId of ids.slice(1))
          await log.append(replyId, 1, [textEvent(seq, "x".repeat(1_000))]);
      }
      let bytes = 0;
      for (const replyId of ids) {
        const { events } = await log.read(
          replyId,
          ((await log.stat(replyId))?.first ?? 1) - 1,
          ...everything,
        );
        assert.equal(events.at(-1)?.seq, replyId === short ? 1 : 14);
        for (const { json } of events) bytes += json.length;
      }
      assert.ok(bytes <= contractLimits.maxTotalBytes, `${bytes} bytes`);
      assert.ok(bytes > contractLimits.maxTotalBytes / 2, `only ${bytes} bytes`);
    },
  },
  {
    name: "it may be closed twice",
    async run({ log, peer }) {
      await log.append(reply, 1, texts(1, 1));
      await log.close();
      await log.close();
      await peer.close();
    },
  },
];
