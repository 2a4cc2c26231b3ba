import { expect, test } from "vitest";
import { createKnownSessions } from "./known-sessions.ts";

const session = { userId: "ann", agentId: "a", config: { temperature: 1 } };

test("the sessions that were seen longest ago are forgotten first", () => {
  const known = createKnownSessions(2);
  for (const id of ["one", "two", "one", "three"]) known.saw(id, session);
  expect(known.find("one")).toMatchObject({ ...session, configJson: '{"temperature":1}' });
  expect(known.find("two")).toBeUndefined();
  expect(known.find("three")).toBeDefined();
});

test("one with a long configuration is not kept, and not as it was before either", () => {
  const known = createKnownSessions();
  known.saw("one", session);
  known.saw("one", { ...session, config: { instructions: "x".repeat(1_000) } });
  expect(known.find("one")).toBeUndefined();
});

test("what was seen long ago is not known any more, and goes", () => {
  let nowMs = 0;
  const known = createKnownSessions(10, () => nowMs);
  known.saw("one", session);
  nowMs = 10 * 60_000;
  expect(known.find("one")).toBeDefined();
  nowMs += 1;
  expect(known.find("one")).toBeUndefined();
  known.saw("two", session);
  nowMs = 0;
  expect(known.find("one")).toBeUndefined();
  expect(known.find("two")).toBeDefined();
});
