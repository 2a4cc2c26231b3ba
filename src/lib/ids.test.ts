import { expect, test } from "vitest";
import { idOfMoment, isId, newId, timeOfId } from "./ids.ts";

test("ids are UUIDs of version 7, no two alike, each after those made before it", () => {
  const before = Date.now();
  const ids = Array.from({ length: 20_000 }, newId);
  const after = Date.now();
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.toSorted()).toEqual(ids);
  for (const id of ids) {
    expect(isId(id)).toBe(true);
    expect(id).toMatch(/^.{14}7.{4}[89ab]/);
  }
  expect(timeOfId(ids[0] ?? "")).toBeGreaterThanOrEqual(before);
  expect(timeOfId(ids.at(-1) ?? "")).toBeLessThanOrEqual(after);
});

test("what an id ends in cannot be told from the one before", () => {
  const ends = Array.from({ length: 2_000 }, () => newId().slice(-8));
  expect(new Set(ends).size).toBeGreaterThan(1_995);
});

test("the id of a moment is before all that are made from it on", () => {
  const id = newId();
  expect(idOfMoment(timeOfId(id)) < id).toBe(true);
  expect(idOfMoment(timeOfId(id) + 1) > id).toBe(true);
});
