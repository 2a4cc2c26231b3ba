import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Problem } from "../problems/problem.ts";
import type { Identity, IdentityProvider } from "./identity.ts";
import { createAdmissionWatch } from "./watch-admission.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const ann: Identity = { userId: "ann", roles: [], kind: "token" };

function stage() {
  let answer: () => Promise<Identity | null> = () => Promise.resolve(ann);
  let changed = () => {};
  const stopListening = vi.fn<() => void>();
  const authenticate = vi.fn(() => answer());
  const provider = {
    authenticate,
    authorize: () => Promise.resolve(),
    watch(_identity, onChange) {
      changed = onChange;
      return stopListening;
    },
  } satisfies Partial<IdentityProvider>;
  const watch = createAdmissionWatch(provider as unknown as IdentityProvider);
  const warn = vi.fn<() => void>();
  return {
    authenticate,
    stopListening,
    warn,
    setAnswer: (next: typeof answer) => (answer = next),
    change: () => changed(),
    watch(identity: Identity | null = ann) {
      const onRefused = vi.fn<() => void>();
      return { onRefused, stop: watch({ identity, credentials: {}, log: { warn }, onRefused }) };
    },
  };
}

test("whoever is let in still is asked about each minute, and those who have gone are not", async () => {
  const { watch, authenticate, stopListening } = stage();
  const [first, second] = [watch(), watch()];
  await vi.advanceTimersByTimeAsync(59_000);
  expect(authenticate).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(authenticate).toHaveBeenCalledTimes(2);
  first.stop();
  expect(stopListening).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(61_000);
  expect(authenticate).toHaveBeenCalledTimes(3);
  second.stop();
  expect(vi.getTimerCount()).toBe(0);
  expect(second.onRefused).not.toHaveBeenCalled();
});

test.each<readonly [string, () => Promise<Identity | null>]>([
  ["is refused", () => Promise.reject(new Problem("unauthorized", { reason: "expired" }))],
  ["is somebody else", () => Promise.resolve({ ...ann, userId: "bob" })],
  ["is nobody", () => Promise.resolve(null)],
])("one who %s is told once, and asked about no more", async (_name, answer) => {
  const { watch, authenticate, setAnswer } = stage();
  const { onRefused } = watch();
  setAnswer(answer);
  await vi.advanceTimersByTimeAsync(200_000);
  expect(onRefused).toHaveBeenCalledTimes(1);
  expect(authenticate).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("an authority that cannot be asked ends nothing, and is asked again", async () => {
  const { watch, authenticate, setAnswer, warn } = stage();
  const { onRefused, stop } = watch();
  setAnswer(() => Promise.reject(new Error("away")));
  await vi.advanceTimersByTimeAsync(121_000);
  expect(authenticate).toHaveBeenCalledTimes(2);
  expect(warn).toHaveBeenCalledTimes(2);
  expect(onRefused).not.toHaveBeenCalled();
  stop();
});

test("a token is asked about when it expires, and a proof that may have gone, at once", async () => {
  const { watch, authenticate, change } = stage();
  const { stop } = watch({ ...ann, expiresAtMs: Date.now() + 5_000 });
  await vi.advanceTimersByTimeAsync(4_900);
  expect(authenticate).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(600);
  expect(authenticate).toHaveBeenCalledTimes(1);
  change();
  expect(authenticate).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(0);
  stop();
  change();
  expect(authenticate).toHaveBeenCalledTimes(2);
});

test("where nobody has to prove anything nothing is asked", async () => {
  const { watch, authenticate } = stage();
  watch(null).stop();
  expect(vi.getTimerCount()).toBe(0);
  expect(authenticate).not.toHaveBeenCalled();
});
