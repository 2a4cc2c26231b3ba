import { expect, test } from "vitest";
import { createSingleFlight } from "./single-flight.ts";

test("one works, all get its outcome, and the next starts anew", async () => {
  const flights = createSingleFlight<number>();
  const gate = Promise.withResolvers<void>();
  let works = 0;
  const work = async () => {
    works++;
    await gate.promise;
    return works;
  };
  const all = Promise.all([flights.run("a", work), flights.run("a", work), flights.run("b", work)]);
  expect(flights.running()).toBe(2);
  gate.resolve();
  await all;
  expect(works).toBe(2);
  expect(flights.running()).toBe(0);
  expect(await flights.run("a", async () => 9)).toBe(9);
});

test("work that throws at once leaves nothing behind", async () => {
  const flights = createSingleFlight<number>();
  const thrown = flights.run("a", () => {
    throw new Error("at once");
  });
  await expect(thrown).rejects.toThrow("at once");
  expect(flights.running()).toBe(0);
  expect(await flights.run("a", async () => 1)).toBe(1);
});
