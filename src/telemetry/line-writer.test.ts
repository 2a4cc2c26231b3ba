import { Writable } from "node:stream";
import { expect, test, vi } from "vitest";
import { createLineWriter } from "./line-writer.ts";

/** What was written, each write by itself; `restMs` is longer than any test. */
function stage(fails: () => boolean = () => false) {
  const writes: string[] = [];
  const told: string[] = [];
  const writer = createLineWriter({
    name: "a test",
    restMs: 600_000,
    open: async () =>
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          if (fails()) return done(new Error("full"));
          writes.push(chunk.toString());
          done();
        },
      }),
    onFault: ({ message }) => told.push(message),
    onRecovery: (lost) => told.push(`recovered ${lost}`),
  });
  return { writer, writes, told };
}

test("the first line goes at once, those behind it go together", async () => {
  const { writer, writes } = stage();
  writer.write("one\n");
  await vi.waitFor(() => expect(writes).toEqual(["one\n"]));
  for (const line of ["two\n", "three\n", "four\n"]) {
    writer.write(line);
    await new Promise(setImmediate);
  }
  expect(writes).toEqual(["one\n"]);
  // The end does not wait for the next write's time.
  await writer.close();
  expect(writes).toEqual(["one\n", "two\nthree\nfour\n"]);
});

test("lines that wait for the next write can be taken instead", async () => {
  const { writer, writes } = stage();
  writer.write("one\n");
  await vi.waitFor(() => expect(writes).toEqual(["one\n"]));
  writer.write("two\n");
  expect(writer.takeWaiting()).toBe("two\n");
  await writer.close();
  expect(writes).toEqual(["one\n"]);
});

test("that an outage is over is told once everything is written, and not with the next line", async () => {
  let isFull = true;
  const { writer, writes, told } = stage(() => isFull);
  writer.write("one\n");
  await vi.waitFor(() => expect(told).toEqual(["full"]));
  isFull = false;
  await vi.waitFor(() => expect(told).toEqual(["full", "recovered 0"]), { timeout: 20_000 });
  expect(writes).toEqual(["one\n"]);
  await writer.close();
});
