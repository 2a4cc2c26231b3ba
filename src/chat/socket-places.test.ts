import { expect, test } from "vitest";
import { SocketPlaces } from "./socket-places.ts";

const overloaded = expect.objectContaining({ type: "overloaded" });
const limited = expect.objectContaining({ type: "rate_limited" });

test("sockets of known callers are as many as there may be, and not one more", () => {
  const places = new SocketPlaces(2);
  const giveBack = places.takeKnown();
  places.takeKnown();
  expect(() => places.takeKnown()).toThrow(overloaded);
  expect(() => places.checkKnown()).toThrow(overloaded);
  giveBack();
  giveBack();
  places.checkKnown();
  places.takeKnown();
  expect(() => places.takeKnown()).toThrow(overloaded);
});

test("those that have yet to say who they are have a tenth of them, beside the others", () => {
  const places = new SocketPlaces(11);
  const giveBack = places.takeUnknown("one");
  places.takeUnknown("two");
  expect(() => places.takeUnknown("three")).toThrow(overloaded);
  expect(() => places.checkUnknown("three")).toThrow(overloaded);
  places.checkKnown();
  giveBack();
  places.takeUnknown("three");
});

test("one address has thirty-two of these", () => {
  const places = new SocketPlaces(1_000);
  const taken = Array.from({ length: 32 }, () => places.takeUnknown("one"));
  expect(() => places.takeUnknown("one")).toThrow(limited);
  places.takeUnknown("two");
  taken[0]?.();
  places.takeUnknown("one");
  expect(() => places.checkUnknown("one")).toThrow(limited);
  for (const giveBack of taken) giveBack();
  for (let index = 0; index < 31; index += 1) places.takeUnknown("one");
  expect(() => places.takeUnknown("one")).toThrow(limited);
});
