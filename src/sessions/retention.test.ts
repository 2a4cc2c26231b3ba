import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLogger } from "../telemetry/logger.ts";
import { startRetention } from "./retention.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function start(more: Partial<Parameters<typeof startRetention>[0]> = {}) {
  const done: string[] = [];
  const retention = startRetention({
    sessions: {
      async deleteInactive(days) {
        done.push(`sessions of ${days} days`);
        return 0;
      },
      async deleteSpent(seconds) {
        done.push(`sessions spent for ${seconds} seconds`);
        return 0;
      },
    },
    idempotency: {
      async purge() {
        done.push("keys");
      },
    },
    purge: async () => {
      done.push("others");
    },
    claim: async () => true,
    retentionDays: 30,
    retentionSeconds: 60,
    logger: { ...silentLogger, warn: (_fields, message) => done.push(message) },
    ...more,
  });
  return { retention, done };
}

const round = ["keys", "others", "sessions spent for 60 seconds", "sessions of 30 days"];

test("cleans up soon after the start, then every ten minutes or a little sooner", async () => {
  const { retention, done } = start();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(done).toEqual(round);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(done).toEqual([...round, ...round]);
  await retention.stop();
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(done).toEqual([...round, ...round]);
});

test("a fault of one does not keep the others from being done, nor the next round", async () => {
  const fail = () => Promise.reject(new Error("no"));
  const { retention, done } = start({ idempotency: { purge: fail }, purge: fail });
  await vi.advanceTimersByTimeAsync(5_000 + 600_000);
  const failing = "cleaning up failed; trying again";
  expect(done).toEqual([failing, failing, ...round.slice(2), failing, failing, ...round.slice(2)]);
  await retention.stop();
});

test("sessions are kept for ever where no days are set", async () => {
  const { retention, done } = start({ retentionDays: 0 });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(done).toEqual(["keys", "others", "sessions spent for 60 seconds"]);
  await retention.stop();
});

test("a round that takes long is not joined by another, and stopping waits for its end", async () => {
  let rounds = 0;
  const wasStopped = Promise.withResolvers<void>();
  const { retention } = start({
    sessions: {
      async deleteInactive(_days, _limit, signal) {
        rounds += 1;
        await new Promise((resolve) => signal?.addEventListener("abort", resolve));
        await wasStopped.promise;
        return 0;
      },
      deleteSpent: async () => 0,
    },
  });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(rounds).toBe(1);
  let stopped = false;
  const stopping = retention.stop().then(() => (stopped = true));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(stopped).toBe(false);
  wasStopped.resolve();
  await stopping;
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(rounds).toBe(1);
});

test("a round that another node has done is left out, and the next is asked for again", async () => {
  const asked: number[] = [];
  const { retention, done } = start({
    claim: async (everyMs) => {
      asked.push(everyMs);
      return asked.length === 2;
    },
  });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(done).toEqual(round);
  // Never longer than until the same node comes again.
  for (const everyMs of asked) expect(everyMs).toBeLessThan(0.6 * 600_000);
  await retention.stop();
});

test("a claim that fails is told, and tried again", async () => {
  let tries = 0;
  const { retention, done } = start({
    claim: () => {
      tries += 1;
      return tries === 1 ? Promise.reject(new Error("no")) : Promise.resolve(true);
    },
  });
  await vi.advanceTimersByTimeAsync(5_000 + 600_000);
  expect(done).toEqual(["cleaning up failed; trying again", ...round]);
  await retention.stop();
});

test("a round that is under way goes no further when it is stopped", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { retention, done } = start({ purge: () => promise });
  await vi.advanceTimersByTimeAsync(5_000);
  const stopping = retention.stop();
  resolve();
  await stopping;
  expect(done).toEqual(["keys"]);
});
