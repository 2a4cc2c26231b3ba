import { expect, test } from "vitest";
import { createCachedValue } from "./cached-value.ts";

const never = new AbortController().signal;

function setUp() {
  const state = { now: 0, loads: 0, fail: false, failures: 0 };
  const gates: (() => void)[] = [];
  const cached = createCachedValue({
    ttlMs: 60_000,
    loadTimeoutMs: 1_000,
    now: () => state.now,
    onFailure: () => void (state.failures += 1),
    load: async (signal) => {
      state.loads += 1;
      const load = state.loads;
      await new Promise<void>((resolve) => gates.push(resolve));
      if (state.fail) throw new Error(`load ${load} failed`);
      expect(signal.aborted).toBe(false);
      return load;
    },
  });
  const get = async (signal = never) => {
    const value = cached.get(signal);
    gates.shift()?.();
    return value;
  };
  return { state, cached, gates, get };
}

test("is loaded once for all who ask at the same time, and again when it is too old", async () => {
  const { state, cached, gates, get } = setUp();
  const asked = [cached.get(never), cached.get(never), cached.get(never)];
  gates.shift()?.();
  expect(await Promise.all(asked)).toEqual([1, 1, 1]);
  state.now += 59_999;
  expect(await get()).toBe(1);
  state.now += 1;
  expect(await get()).toBe(2);
  expect(state.loads).toBe(2);
});

test("keeps the last value while loading fails, and does not try again at once", async () => {
  const { state, cached, get } = setUp();
  await get();
  state.now += 60_000;
  state.fail = true;
  expect(await get()).toBe(1);
  expect(await get()).toBe(1);
  expect([state.loads, state.failures]).toEqual([2, 1]);
  expect(cached.peek()).toBe(1);
  state.now += 5_000;
  state.fail = false;
  expect(await get()).toBe(3);
});

test("raises the fault when there never was a value", async () => {
  const { state, cached, get } = setUp();
  state.fail = true;
  await expect(get()).rejects.toThrow("load 1 failed");
  await expect(get()).rejects.toThrow("load 1 failed");
  expect(state.loads).toBe(1);
  expect(cached.peek()).toBeNull();
});

test("one who gives up does not end the load of the others", async () => {
  const { cached, gates } = setUp();
  const stop = new AbortController();
  const impatient = cached.get(stop.signal);
  const patient = cached.get(never);
  stop.abort(new Error("enough"));
  await expect(impatient).rejects.toThrow("enough");
  gates.shift()?.();
  expect(await patient).toBe(1);
});
