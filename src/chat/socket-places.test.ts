import { expect, test } from "vitest";
import { PlacesByOwner } from "../lib/places.ts";
import { SocketPlaces } from "./socket-places.ts";

const overloaded = expect.objectContaining({ type: "overloaded" });
const limited = expect.objectContaining({ type: "rate_limited" });
const asManyAsTheyLike = new PlacesByOwner(0);

test("sockets of known callers are as many as there may be, and not one more", () => {
  const places = new SocketPlaces(2, asManyAsTheyLike);
  const giveBack = places.takeKnown(null);
  places.takeKnown(null);
  expect(() => places.takeKnown(null)).toThrow(overloaded);
  expect(() => places.checkKnown()).toThrow(overloaded);
  giveBack();
  giveBack();
  places.checkKnown();
  places.takeKnown(null);
  expect(() => places.takeKnown(null)).toThrow(overloaded);
});

test("those that have yet to say who they are have a tenth of them, beside the others", () => {
  const places = new SocketPlaces(11, asManyAsTheyLike);
  const giveBack = places.takeUnknown("one");
  places.takeUnknown("two");
  expect(() => places.takeUnknown("three")).toThrow(overloaded);
  expect(() => places.checkUnknown("three")).toThrow(overloaded);
  places.checkKnown();
  giveBack();
  places.takeUnknown("three");
});

test("one address has thirty-two of these", () => {
  const places = new SocketPlaces(1_000, asManyAsTheyLike);
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

test("a user for whom there was no place has taken none", () => {
  const places = new SocketPlaces(1, new PlacesByOwner(1));
  const giveBack = places.takeKnown("ann");
  expect(() => places.takeKnown("bob")).toThrow(overloaded);
  giveBack();
  places.takeKnown("bob")();
});

test("one user has so many of those of known callers, and gives all back", () => {
  const places = new SocketPlaces(3, new PlacesByOwner(2));
  const taken = [places.takeKnown("alice"), places.takeKnown("alice")];
  expect(() => places.takeKnown("alice")).toThrow(limited);
  const others = places.takeKnown("bob");
  expect(() => places.takeKnown("bob")).toThrow(overloaded);
  // What could not be had of all is not kept of the user.
  others();
  for (let times = 0; times < 2; times += 1) places.takeKnown("bob")();
  for (const giveBack of taken) giveBack();
  places.takeKnown("alice");
});
