import { expect, test } from "vitest";
import { merge } from "./merge.ts";

async function* count(name: string, to: number): AsyncGenerator<string, void, void> {
  for (let i = 1; i <= to; i += 1) yield `${name}${i}`;
}

async function collect<T>(values: AsyncGenerator<T, void, void>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

const nothing = () => {};

test("yields all values of all, each one's in order", async () => {
  const values = await collect(
    merge([count("a", 5), count("b", 3), count("c", 0), count("d", 4)], 2, nothing),
  );
  expect(values.toSorted()).toEqual("a1 a2 a3 a4 a5 b1 b2 b3 d1 d2 d3 d4".split(" "));
  for (const name of ["a", "b", "d"]) {
    const own = values.filter((value) => value.startsWith(name));
    expect(own).toEqual(own.toSorted());
  }
  expect(await collect(merge([], 2, nothing))).toEqual([]);
});

test("one that waits does not hold up the others", async () => {
  let release = nothing;
  const gate = new Promise<void>((resolve) => (release = resolve));
  async function* slow(): AsyncGenerator<string, void, void> {
    await gate;
    yield "slow";
  }
  const seen: string[] = [];
  for await (const value of merge([slow(), count("a", 3)], 2, nothing)) {
    seen.push(value);
    if (value === "a3") release();
  }
  expect(seen).toEqual(["a1", "a2", "a3", "slow"]);
});

test("runs no more than so many at once", async () => {
  let running = 0;
  let peak = 0;
  async function* one(): AsyncGenerator<number, void, void> {
    running += 1;
    peak = Math.max(peak, running);
    yield running;
    await Promise.resolve();
    running -= 1;
  }
  await collect(merge([one(), one(), one(), one(), one()], 2, nothing));
  expect(peak).toBe(2);
});

test.each(["throws", "is left"])(
  "when it %s, the others are stopped and waited for",
  async (how) => {
    const stop = new AbortController();
    const ended: string[] = [];
    async function* endless(name: string): AsyncGenerator<string, void, void> {
      try {
        yield name;
        await new Promise((_resolve, reject) =>
          stop.signal.addEventListener("abort", () => reject(new Error("stopped"))),
        );
      } finally {
        ended.push(name);
      }
    }
    async function* fails(): AsyncGenerator<string, void, void> {
      yield "c";
      throw new Error("one failed");
    }
    const reading = async () => {
      const seen: string[] = [];
      const all =
        how === "throws" ? [endless("a"), endless("b"), fails()] : [endless("a"), endless("b")];
      for await (const value of merge(all, 3, () => stop.abort())) {
        seen.push(value);
        if (how === "is left" && seen.length === 2) return;
      }
    };
    if (how === "throws") await expect(reading()).rejects.toThrow("one failed");
    else await reading();
    expect(ended.toSorted()).toEqual(["a", "b"]);
  },
);
