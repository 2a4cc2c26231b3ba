import { expect, test } from "vitest";
import { createTurns } from "./in-turns.ts";

const busy = (ms: number) => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

test("a long queue of busy work lets others have their turns", async () => {
  const inTurns = createTurns();
  let done = 0;
  const all = Array.from({ length: 50 }, () =>
    inTurns(async () => {
      busy(4);
      done += 1;
    }),
  );
  const seen: number[] = [];
  while (seen.length < 5) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    seen.push(done);
  }
  expect(seen.at(-1)).toBeLessThan(50);
  await Promise.all(all);
  expect(done).toBe(50);
});

test("work is done in the order of the calls, one at a time, and what fails keeps nothing up", async () => {
  const inTurns = createTurns();
  const order: string[] = [];
  const work = (name: string) => async () => {
    order.push(`${name} begins`);
    await new Promise(setImmediate);
    order.push(`${name} ends`);
  };
  const failed = inTurns(() => Promise.reject(new Error("no")));
  const done = [inTurns(work("first")), inTurns(work("second"))];
  await expect(failed).rejects.toThrow("no");
  await Promise.all(done);
  expect(order).toEqual(["first begins", "first ends", "second begins", "second ends"]);
});
