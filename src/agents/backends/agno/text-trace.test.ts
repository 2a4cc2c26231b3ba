import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import { createTextTrace } from "./text-trace.ts";

const pieces = fc.array(fc.string({ unit: "binary" }));

test("tells what a whole text has beyond its pieces, also after its mark was stored", () => {
  fc.assert(
    fc.property(pieces, pieces, (before, after) => {
      const first = createTextTrace();
      for (const piece of before) first.append(piece);
      const trace = createTextTrace(JSON.parse(JSON.stringify(first.mark())));
      const said = before.join("");
      const rest = after.join("");
      assert.equal(trace.length, said.length);
      assert.equal(trace.restOf(said + rest), rest);
    }),
  );
});

test("tells that a whole text is another one", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string(), (said, whole) => {
      const trace = createTextTrace();
      trace.append(said);
      assert.equal(trace.restOf(whole) !== null, whole.startsWith(said));
    }),
    { numRuns: 2_000 },
  );
});

test("after a reset it knows nothing", () => {
  const trace = createTextTrace();
  trace.append("something");
  trace.reset();
  assert.deepEqual(trace.mark(), createTextTrace().mark());
  assert.equal(trace.restOf("else"), "else");
});
