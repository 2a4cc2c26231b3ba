import { expect, test } from "vitest";
import { silentLogger } from "../telemetry/logger.ts";
import { createClosing } from "./closing.ts";

test("closes in reverse order, waiting for each, and whatever fails the rest is closed", async () => {
  const told: unknown[] = [];
  const logger = { ...silentLogger, error: (fields: object) => void told.push(fields) };
  const closing = createClosing(logger);
  const closed: string[] = [];
  const slowly = async (name: string) => {
    await new Promise((resolve) => setImmediate(resolve));
    closed.push(name);
  };
  closing.add("first", () => slowly("first"));
  closing.add("second", () => Promise.reject(new Error("no")));
  closing.add("third", () => {
    throw new Error("no");
  });
  closing.add("fourth", () => slowly("fourth"));
  const once = closing.close();
  expect(closing.close()).toBe(once);
  await once;
  expect(closed).toEqual(["fourth", "first"]);
  expect(told).toMatchObject([{ part: "third" }, { part: "second" }]);
});

test("what is opened while it closes is closed too", async () => {
  const closing = createClosing(silentLogger);
  const closed: string[] = [];
  closing.add("first", () => {
    closing.add("late", () => closed.push("late"));
  });
  await closing.close();
  expect(closed).toEqual(["late"]);
});
