import fc from "fast-check";
import { expect, test } from "vitest";
import { createAssembler, toFrames } from "./frames.ts";

const from = "0190b8f0-0000-7000-8000-000000000001";

test("whatever is told comes whole, in pieces that PostgreSQL takes and that are never alike", () => {
  const text = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 40_000, size: "max" }),
    fc.constantFrom("", "x".repeat(7_999), "🙂".repeat(9_000), "€".repeat(2_634)),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), (texts) => {
      const assembler = createAssembler();
      const seen = new Set<string>();
      const came: string[] = [];
      for (const [number, each] of texts.entries()) {
        for (const frame of toFrames(from, number, each)) {
          expect(Buffer.byteLength(frame)).toBeLessThan(8_000);
          expect(seen.has(frame)).toBe(false);
          seen.add(frame);
          const whole = assembler.take(frame);
          if (whole !== null) came.push(whole.text);
        }
      }
      expect(came).toEqual(texts);
    }),
    { numRuns: 50 },
  );
});

test("what lacks a piece is nothing, and what follows is whole", () => {
  const assembler = createAssembler();
  const [first = "", ...rest] = toFrames(from, 1, "x".repeat(20_000));
  for (const frame of rest) expect(assembler.take(frame)).toBeNull();
  expect(assembler.take(first)).toBeNull();
  expect(assembler.take(rest[1] ?? "")).toBeNull();
  const others = toFrames("other", 7, "y".repeat(20_000));
  const again = toFrames(from, 2, "z".repeat(20_000));
  // Two who send at once.
  const came = again.flatMap((frame, index) =>
    [assembler.take(frame), assembler.take(others[index] ?? "")].filter((each) => each !== null),
  );
  expect(came.map((each) => each.from)).toEqual([from, "other"]);
  expect(assembler.take("no frame")).toBeNull();
});
