import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Problem } from "../../problems/problem.ts";
import { withPatience } from "./with-patience.ts";

const away = () => new Problem("storage_unavailable", {});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Work that fails with these errors, one after the other, and then does. */
function failing(errors: readonly Error[]) {
  const atMs: number[] = [];
  const began = performance.now();
  const work = async () => {
    const error = errors[atMs.length];
    atMs.push(Math.round(performance.now() - began));
    if (error !== undefined) throw error;
    return "done";
  };
  return { work, atMs };
}

test("work is repeated while the database is away, with pauses that grow to two seconds", async () => {
  const { work, atMs } = failing(Array.from({ length: 7 }, away));
  const told: unknown[] = [];
  const done = withPatience(work, 60_000, (error) => told.push(error));
  await vi.runAllTimersAsync();
  expect(await done).toBe("done");
  expect(atMs).toEqual([0, 100, 300, 700, 1_500, 3_100, 5_100, 7_100]);
  expect(told).toHaveLength(7);
});

test("it is given up when the next try would come too late", async () => {
  const { work, atMs } = failing(Array.from({ length: 99 }, away));
  const done = withPatience(work, 1_000, () => {}).catch((error: unknown) => error);
  await vi.runAllTimersAsync();
  expect(await done).toMatchObject({ type: "storage_unavailable" });
  expect(atMs).toEqual([0, 100, 300, 700]);
});

test.each([
  ["another fault", new Error("no")],
  ["another problem with the same status", new Problem("overloaded", {})],
])("%s is not waited for", async (_, error) => {
  const { work, atMs } = failing([error]);
  await expect(withPatience(work, 60_000, () => {})).rejects.toBe(error);
  expect(atMs).toEqual([0]);
});

test("nor is what comes again, as the caller knows", async () => {
  const { work, atMs } = failing([away()]);
  const done = withPatience(
    work,
    60_000,
    () => {},
    () => false,
  );
  await expect(done).rejects.toMatchObject({ type: "storage_unavailable" });
  expect(atMs).toEqual([0]);
});
