import { describe, expect, it, vi } from "vitest";
import { ApiError, ConnectionError } from "./errors.ts";
import { createPatience, pauseBefore, wait } from "./retry.ts";

const refusal = (status: number, type = "unknown", retryAfterSeconds: number | null = null) =>
  new ApiError("no", { status, type, details: [], requestId: null, retryAfterSeconds });

describe("how long to wait", () => {
  it.each([
    ["a lost connection", new ConnectionError("lost"), true],
    ["a proxy that finds nobody", refusal(502), true],
    ["a proxy that waits in vain", refusal(504), true],
    ["a node that goes down", refusal(503, "shutting_down", 1), true],
    ["a rate", refusal(429, "rate_limited", 1), true],
    ["an agent that failed: it has been asked", refusal(502, "agent_failed"), false],
    ["an agent that was too slow", refusal(504, "agent_timeout"), false],
    ["a full queue", refusal(429, "queue_full", 1), false],
    ["a budget", refusal(429, "budget_exceeded", 60), false],
    ["no voice here", refusal(503, "voice_unavailable"), false],
    ["a bug", refusal(500, "internal_error"), false],
    ["a wrong request", refusal(422, "validation_failed"), false],
    ["a fault of the caller's own", new Error("oops"), false],
  ])("after %s", (_what, error, isPassing) => {
    expect(pauseBefore(error, 0) !== null).toBe(isPassing);
  });

  it("grows up to a bound, apart from others, and is never shorter than the service says", () => {
    const lost = new ConnectionError("lost");
    const delays = [0, 1, 2, 20].map((attempt) => pauseBefore(lost, attempt, 0.5)?.delayMs);
    expect(delays).toEqual([250, 500, 1_000, 8_000]);
    expect(pauseBefore(lost, 1, 0)?.delayMs).toBeLessThan(pauseBefore(lost, 1, 1)?.delayMs ?? 0);
    expect(pauseBefore(refusal(503, "overloaded", 3), 0)).toEqual({
      delayMs: 3_000,
      isFixed: true,
    });
    expect(pauseBefore(refusal(503, "overloaded", 0), 3)?.isFixed).toBe(false);
  });
});

describe("patience", () => {
  const start = (patienceMs: number) => {
    const told: unknown[] = [];
    const pauses: number[] = [];
    const patience = createPatience({
      patienceMs,
      wait: async ({ delayMs }) => void pauses.push(delayMs),
      signal: undefined,
      onRetry: (error) => told.push(error),
    });
    return { patience, told, pauses };
  };
  const lost = new ConnectionError("lost");

  it("bears what passes, longer each time, and begins anew with progress", async () => {
    const { patience, told, pauses } = start(60_000);
    for (let times = 0; times < 4; times += 1) await patience.bear(lost);
    patience.renew();
    await patience.bear(lost);
    expect(told).toEqual([lost, lost, lost, lost, lost]);
    expect(pauses[3]).toBeGreaterThan(1_000);
    expect(pauses[4]).toBeLessThan(400);
  });

  it("ends with what does not pass, and before a time that is too late", async () => {
    const { patience } = start(5_000);
    await expect(patience.bear(refusal(404, "message_not_found"))).rejects.toMatchObject({
      status: 404,
    });
    const late = refusal(503, "overloaded", 6);
    await expect(patience.bear(late)).rejects.toBe(late);
  });
});

describe("waiting", () => {
  it("ends at once with a signal, and early when the network is back, unless the time is fixed", async () => {
    const giving = new AbortController();
    const waiting = wait({ delayMs: 60_000, isFixed: true }, giving.signal);
    giving.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(wait({ delayMs: 60_000, isFixed: false }, giving.signal)).rejects.toThrow();
    // As in a browser.
    const page = new EventTarget();
    vi.stubGlobal("window", page);
    vi.resetModules();
    const { wait: waitInBrowser } = await import("./retry.ts");
    vi.unstubAllGlobals();
    const early = waitInBrowser({ delayMs: 60_000, isFixed: false }, undefined);
    page.dispatchEvent(new Event("online"));
    await early;
  });
});
