import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RedisRefused, type RedisArgument, type RedisClient } from "../../redis/redis-client.ts";
import { textEvent } from "./reply-log.contract.ts";
import { ReplyFenced } from "./reply-log.ts";
import { ReplyProducer } from "./reply-producer.ts";

const repeated = new RedisRefused("ERR The ID specified in XADD is equal or smaller than …");
const full = new RedisRefused("OOM command not allowed");

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** `create 1-1`: an XADD that makes the stream; `add 1-2`: one that does not. */
function said([name, , ...rest]: readonly RedisArgument[]): string {
  switch (name) {
    case "XADD":
      return rest[0] === "NOMKSTREAM" ? `add ${String(rest[4])}` : `create ${String(rest[3])}`;
    case "XTRIM":
      return `trim ${String(rest[1])}`;
    case "PEXPIRE":
      return `expire ${String(rest[0])}`;
    default:
      return String(name).toLowerCase();
  }
}

/** A producer whose Redis says what it is told to. */
function stage(maxBytes = 1_000_000) {
  const sent: string[][] = [];
  const answers: ((answer: unknown[] | Error) => void)[] = [];
  let top: unknown = [];
  const told: string[] = [];
  const client: Partial<RedisClient> = {
    sendAll: (commands: RedisArgument[][]) => {
      sent.push(commands.map(said));
      return new Promise((resolve, reject) =>
        answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer))),
      );
    },
    send: async () => top,
    publish: () => void told.push("bell"),
  };
  const producer = new ReplyProducer({
    client: client as RedisClient,
    key: "key",
    channel: "channel",
    maxBytes,
    retentionMs: 5_000,
    onWritten: () => told.push("written"),
    onSettled: () => told.push("settled"),
  });
  return {
    producer,
    told,
    add: (epoch: number, ...seqs: number[]) =>
      producer.add(
        epoch,
        seqs.map((seq) => textEvent(seq)),
      ),
    /** What Redis is asked, and its answer: one for each command, `ids` for those that were taken. */
    async answer(answer: unknown[] | Error): Promise<string[] | undefined> {
      const commands = sent.shift();
      answers.shift()?.(answer);
      await vi.advanceTimersByTimeAsync(0);
      return commands;
    },
    /** The newest entry of the stream, for those that look. */
    setTop: (id: string | null) => {
      top = id === null ? [] : [[id, ["assistant_chunk", "{}"]]];
    },
    waiting: () => sent,
  };
}

describe("a producer", () => {
  test("makes the stream with the first event and adds the others, one batch at a time", async () => {
    const { producer, add, answer, told, waiting } = stage();
    add(1, 1);
    add(1, 2, 3);
    expect(await answer(["1-1", 1])).toEqual(["create 1-1", "expire 600000"]);
    expect(await answer(["1-2", "1-3"])).toEqual(["add 1-2", "add 1-3"]);
    expect(told).toEqual(["bell", "written", "bell", "written", "settled"]);
    expect(waiting()).toEqual([]);
    expect(producer.isBehind).toBe(false);
    add(1, 3);
    expect(waiting()).toEqual([]);
  });

  test("goes on with a stream that another node has begun, and never makes it", async () => {
    const { add, answer } = stage();
    add(2, 5);
    expect(await answer(["2-5", 1])).toEqual(["add 2-5", "expire 600000"]);
  });

  test("writes again what the stream has lost, from the oldest event that it has", async () => {
    const { add, answer } = stage();
    add(2, 5);
    expect(await answer([null, 0])).toEqual(["add 2-5", "expire 600000"]);
    expect(await answer(["2-5", 1])).toEqual(["create 2-5", "expire 600000"]);
    add(2, 6);
    expect(await answer([null])).toEqual(["add 2-6"]);
    expect(await answer(["2-5", "2-6", 1])).toEqual(["create 2-5", "add 2-6", "expire 600000"]);
  });

  test("lets the life of the stream be renewed once a minute, and shortens it at the end", async () => {
    const { producer, add, answer } = stage();
    add(1, 1);
    await answer(["1-1", 1]);
    await vi.advanceTimersByTimeAsync(60_001);
    add(1, 2);
    expect(await answer(["1-2", 1])).toEqual(["add 1-2", "expire 600000"]);
    add(1, 3);
    expect(await answer(["1-3"])).toEqual(["add 1-3"]);
    producer.add(1, [{ seq: 4, type: "cancelled", json: "{}" }]);
    expect(await answer(["1-4", 1])).toEqual(["add 1-4", "expire 5000"]);
  });

  test("takes the beginning off the stream that it has taken off its memory", async () => {
    const { producer, add, answer } = stage();
    add(1, 1, 2, 3);
    await answer(["1-1", "1-2", "1-3", 1]);
    producer.trim(0);
    expect(producer.first).toBe(3);
    add(1, 4);
    expect(await answer(["1-4", 1])).toEqual(["add 1-4", "trim 1-3"]);
    add(1, 5);
    expect(await answer(["1-5"])).toEqual(["add 1-5"]);
  });

  test("keeps no more than its bytes in memory, and always the newest event", async () => {
    const size = textEvent(1).json.length + 96;
    const { producer, add } = stage(size * 4);
    add(1, 1, 2, 3, 4);
    expect(producer.first).toBe(1);
    add(1, 5);
    expect([producer.first, producer.last, producer.bytes]).toEqual([3, 5, size * 3]);
  });
});

describe("an event whose number is refused", () => {
  test("is there already where the stream has come as far: it is not written twice", async () => {
    const { producer, add, answer, setTop, waiting } = stage();
    add(1, 1, 2);
    setTop("1-2");
    const written = producer.written(2);
    await answer([repeated, repeated, 1]);
    await written;
    expect(waiting()).toEqual([]);
  });

  test("is there already, and those behind the batch are not: they are written", async () => {
    const { add, answer, setTop } = stage();
    add(1, ...Array.from({ length: 150 }, (_, index) => index + 1));
    setTop("1-100");
    expect(await answer([...Array.from({ length: 100 }, () => repeated), 1])).toHaveLength(101);
    const rest = await answer([]);
    expect([rest?.[0], rest?.at(-1)]).toEqual(["add 1-101", "add 1-150"]);
  });

  test("may be there while those behind it are not", async () => {
    const { add, answer, setTop } = stage();
    add(1, 1, 2, 3);
    setTop("1-1");
    await answer([repeated, full, full, 1]);
    await vi.advanceTimersByTimeAsync(25);
    // Whether the first one is there is asked when nothing else is wrong.
    expect(await answer([repeated, "1-2", "1-3", 1])).toEqual([
      "create 1-1",
      "add 1-2",
      "add 1-3",
      "expire 600000",
    ]);
  });

  test("of an attempt that another has taken over fences it", async () => {
    const { producer, add, answer, setTop, waiting } = stage();
    add(1, 1);
    await answer(["1-1", 1]);
    add(1, 2);
    setTop("2-2");
    const written = producer.written(2);
    const refused = expect(written).rejects.toThrow(ReplyFenced);
    await answer([repeated]);
    await refused;
    await expect(producer.written(1)).rejects.toThrow(ReplyFenced);
    expect(() => add(1, 3)).toThrow(ReplyFenced);
    expect(producer.isBehind).toBe(false);
    expect(waiting()).toEqual([]);
    add(3, 3);
    expect(await answer(["3-3"])).toEqual(["add 1-2", "add 3-3"]);
  });

  test("where a later part of its own stands without it: the stream is made anew", async () => {
    const { add, answer, setTop } = stage();
    add(1, 1);
    await answer(["1-1", 1]);
    add(1, 2);
    add(2, 3);
    setTop("2-3");
    await answer([repeated]);
    expect(await answer([1, "1-1", "1-2", "2-3", 1])).toEqual([
      "del",
      "create 1-1",
      "add 1-2",
      "add 2-3",
      "expire 600000",
    ]);
  });

  test("for no reason that can be seen: after some tries the stream is made anew", async () => {
    const { add, answer, setTop } = stage();
    add(1, 1);
    setTop(null);
    for (let tries = 0; tries < 6; tries += 1) {
      expect(await answer([repeated, 1])).toContain("create 1-1");
    }
    expect(await answer([1, "1-1", 1])).toEqual(["del", "create 1-1", "expire 600000"]);
  });
});

describe("when Redis fails", () => {
  test("behind a hole nothing stands: the stream is made anew", async () => {
    const { add, answer, told } = stage();
    add(1, 1, 2);
    await answer([full, "1-2", 1]);
    expect(await answer([1, "1-1", "1-2", 1])).toEqual([
      "del",
      "create 1-1",
      "add 1-2",
      "expire 600000",
    ]);
    expect(told.at(-1)).toBe("settled");
  });

  test("it is tried again, less and less often, and at once when it is back", async () => {
    const { producer, add, answer, waiting } = stage();
    add(1, 1);
    for (const pauseMs of [25, 50, 100, 200, 400, 800, 1_000, 1_000]) {
      await answer(new Error("away"));
      await vi.advanceTimersByTimeAsync(pauseMs - 1);
      expect(waiting()).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(waiting()).toHaveLength(1);
    }
    await answer([full, 1]);
    producer.retry();
    await vi.advanceTimersByTimeAsync(0);
    expect(await answer(["1-1", 1])).toEqual(["create 1-1", "expire 600000"]);
    add(1, 2);
    await answer(new Error("away"));
    await vi.advanceTimersByTimeAsync(25);
    expect(await answer(["1-2"])).toEqual(["add 1-2"]);
  });

  test("who waits is let go when it is closed, and nothing more is written", async () => {
    const { producer, add, answer, told, waiting } = stage();
    add(1, 1);
    const written = producer.written(1);
    await answer(new Error("away"));
    producer.close();
    await written;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(waiting()).toEqual([]);
    expect(told).toEqual([]);
  });
});
