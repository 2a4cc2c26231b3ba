import { expect, test } from "vitest";
import { Shares } from "./shares.ts";

const patient = new AbortController().signal;

/** Notes the order in which shares are given. */
function recorder(shares: Shares) {
  const given: string[] = [];
  const give = new Map<string, () => void>();
  return {
    given,
    back: (name: string) => give.get(name)?.(),
    take: (owner: string, name: string, amount = 1, signal = patient) =>
      shares.take(owner, amount, signal).then((giveBack) => {
        given.push(giveBack === null ? `no ${name}` : name);
        if (giveBack !== null) give.set(name, giveBack);
      }),
  };
}

test("one owner's crowd keeps nobody else out", async () => {
  const { take, back, given } = recorder(new Shares({ total: 3, each: 2, maxWaiting: 10 }));
  void take("alice", "a1");
  void take("alice", "a2");
  const waiting = [take("alice", "a3"), take("alice", "a4")];
  await take("bob", "b1");
  expect(given).toEqual(["a1", "a2", "b1"]);
  const other = take("bob", "b2");
  back("b1");
  await other;
  expect(given.at(-1)).toBe("b2");
  back("a1");
  back("a2");
  await Promise.all(waiting);
  expect(given.slice(-2)).toEqual(["a3", "a4"]);
});

test("too many who wait are turned away at once, and those who leave hold nothing up", async () => {
  const shares = new Shares({ total: 10, each: 10, maxWaiting: 2 });
  const { take, back, given } = recorder(shares);
  await take("alice", "all", 10);
  const leaving = new AbortController();
  const left = take("alice", "large", 8, leaving.signal);
  const small = take("alice", "small", 1);
  await take("alice", "third", 1);
  expect(given).toEqual(["all", "no third"]);
  leaving.abort();
  await left;
  expect(given.at(-1)).toBe("no large");
  back("all");
  await small;
  expect(shares.taken).toBe(1);
});

test("what is given back twice is given back once; more than there is means all of it", async () => {
  const shares = new Shares({ total: 5, each: 5, maxWaiting: 1 });
  const first = await shares.take("alice", 100, patient);
  expect(shares.taken).toBe(5);
  const second = shares.take("bob", 5, patient);
  first?.();
  first?.();
  await second;
  expect(shares.taken).toBe(5);
});
