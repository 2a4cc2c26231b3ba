import { expect, test } from "vitest";
import { Places, PlacesByOwner } from "./places.ts";

test("there is never one too many, and what is given back twice is given back once", () => {
  const places = new Places(2);
  const [first, second] = [places.take(), places.take()];
  expect(places.take()).toBeNull();
  first?.();
  first?.();
  expect(places.taken).toBe(1);
  second?.();
  expect(places.isFull).toBe(false);
});

test("who waits gets the next one in turn, before those who come later, and may go away", async () => {
  const places = new Places(1);
  const { signal } = new AbortController();
  const going = new AbortController();
  const first = await places.wait(signal);
  const order: string[] = [];
  const gone = places.wait(going.signal);
  const second = places.wait(signal).then((giveBack) => (order.push("second"), giveBack));
  const third = places.wait(signal).then((giveBack) => (order.push("third"), giveBack));
  going.abort(new Error("gone"));
  await expect(gone).rejects.toThrow("gone");
  await expect(places.wait(going.signal)).rejects.toThrow("gone");
  first();
  expect(places.take()).toBeNull();
  (await second)();
  (await third)();
  expect([order, places.taken]).toEqual([["second", "third"], 0]);
});

test("each owner has places of its own, for as long as it has any", () => {
  const places = new PlacesByOwner(1);
  const giveBack = places.take("alice");
  expect([places.isFull("alice"), places.take("alice")]).toEqual([true, null]);
  expect(places.take("bob")).not.toBeNull();
  giveBack?.();
  expect(places.isFull("alice")).toBe(false);
  const again = places.take("alice");
  giveBack?.();
  expect(places.take("alice")).toBeNull();
  again?.();
  expect(places.take("alice")).not.toBeNull();
});

test("without a limit there are as many as they like", () => {
  const places = new PlacesByOwner(0);
  for (let times = 0; times < 1_000; times++) expect(places.take("alice")).not.toBeNull();
});
