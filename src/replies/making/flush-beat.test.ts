import { expect, test } from "vitest";
import { createFlushBeat, type Flushable } from "./flush-beat.ts";

function recorder(beat: ReturnType<typeof createFlushBeat>) {
  const flushed: string[] = [];
  let wake: () => void = () => undefined;
  return {
    flushed,
    wait(name: string, dueMs = 0): Flushable {
      const flushable = {
        dueMs,
        flush() {
          flushed.push(name);
          wake();
        },
      };
      beat.wait(flushable);
      return flushable;
    },
    next: () => new Promise<void>((resolve) => (wake = resolve)),
  };
}

test("what is due goes out together, once, and not before somebody waits for the beat", async () => {
  const waiting = recorder(createFlushBeat());
  waiting.wait("a");
  waiting.wait("b");
  expect(waiting.flushed).toEqual([]);
  await waiting.next();
  // In the same turn of the event loop: nothing that waits for one of them sees it without the other.
  await new Promise((resolve) => setImmediate(resolve));
  expect(waiting.flushed).toEqual(["a", "b"]);
  waiting.wait("c");
  await waiting.next();
  expect(waiting.flushed).toEqual(["a", "b", "c"]);
});

test("what is not due waits, and what is forgotten is not flushed", async () => {
  const beat = createFlushBeat();
  const waiting = recorder(beat);
  const later = performance.now() + 50;
  waiting.wait("later", later);
  beat.forget(waiting.wait("forgotten"));
  waiting.wait("now");
  await waiting.next();
  expect(waiting.flushed).toEqual(["now"]);
  await waiting.next();
  expect(waiting.flushed).toEqual(["now", "later"]);
  expect(performance.now()).toBeGreaterThanOrEqual(later);
});
