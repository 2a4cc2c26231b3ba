import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CircuitOpen,
  createCircuitBreaker,
  type CallOutcome,
  type CircuitBreaker,
} from "./circuit-breaker.ts";

function setUp() {
  const clock = { ms: 1_000 };
  const changes: string[] = [];
  const breaker = createCircuitBreaker({
    now: () => clock.ms,
    onStateChange: (state, previous) => changes.push(`${previous}→${state}`),
  });
  const call = (outcome: CallOutcome, times = 1) => {
    for (let i = 0; i < times; i += 1) breaker.enter().settle(outcome);
  };
  return { breaker, clock, changes, call };
}

function refusal(breaker: CircuitBreaker): CircuitOpen {
  try {
    breaker.enter();
  } catch (error) {
    if (error instanceof CircuitOpen) return error;
    throw error;
  }
  throw new Error("the call was let through");
}

describe("circuit breaker", () => {
  test("stays closed below ten calls, whatever becomes of them", () => {
    const { breaker, call } = setUp();
    call("failure", 9);
    expect(breaker.state).toBe("closed");
  });

  test("opens at half of ten calls and says how long", () => {
    const { breaker, call, clock } = setUp();
    call("success", 5);
    call("failure", 4);
    expect(breaker.state).toBe("closed");
    call("failure");
    expect(breaker.state).toBe("open");
    clock.ms += 4_000;
    expect(refusal(breaker).retryAfterMs).toBe(6_000);
  });

  test("stays closed when fewer than half fail", () => {
    const { breaker, call } = setUp();
    call("success", 51);
    call("failure", 49);
    expect(breaker.state).toBe("closed");
  });

  test("forgets what is older than ten seconds", () => {
    const { breaker, call, clock } = setUp();
    call("failure", 9);
    clock.ms += 10_001;
    call("failure", 9);
    expect(breaker.state).toBe("closed");
  });

  test("calls without a verdict do not count", () => {
    const { breaker, call } = setUp();
    call("neutral", 100);
    call("failure", 9);
    expect(breaker.state).toBe("closed");
  });

  test("lets one probe through after ten seconds; its success closes with clean counts", () => {
    const { breaker, call, clock, changes } = setUp();
    call("failure", 10);
    clock.ms += 10_000;
    const probe = breaker.enter();
    expect(breaker.state).toBe("half_open");
    expect(refusal(breaker).retryAfterMs).toBeGreaterThan(0);
    probe.settle("success");
    expect(breaker.state).toBe("closed");
    call("failure", 9);
    expect(breaker.state).toBe("closed");
    expect(changes).toEqual(["closed→open", "open→half_open", "half_open→closed"]);
  });

  test("a failed probe opens it for another ten seconds", () => {
    const { breaker, call, clock } = setUp();
    call("failure", 10);
    clock.ms += 10_000;
    breaker.enter().settle("failure");
    expect(breaker.state).toBe("open");
    expect(refusal(breaker).retryAfterMs).toBe(10_000);
  });

  test("a probe that was aborted leaves the next caller to probe", () => {
    const { breaker, call, clock } = setUp();
    call("failure", 10);
    clock.ms += 10_000;
    breaker.enter().settle("neutral");
    breaker.enter().settle("success");
    expect(breaker.state).toBe("closed");
  });

  test("a permit counts once", () => {
    const { breaker } = setUp();
    const permit = breaker.enter();
    for (let i = 0; i < 20; i += 1) permit.settle("failure");
    expect(breaker.state).toBe("closed");
  });

  test("calls from before the circuit opened neither close nor open it later", () => {
    const { breaker, call, clock } = setUp();
    const slow = [breaker.enter(), breaker.enter()];
    call("failure", 10);
    slow[0]!.settle("success");
    expect(breaker.state).toBe("open");
    clock.ms += 10_000;
    const probe = breaker.enter();
    slow[1]!.settle("failure");
    expect(breaker.state).toBe("half_open");
    probe.settle("success");
    expect(breaker.state).toBe("closed");
  });

  test("any sequence of calls keeps the rules of its states", () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("call" as const),
        outcome: fc.constantFrom<CallOutcome>("success", "failure", "neutral"),
        times: fc.integer({ min: 1, max: 6 }),
      }),
      fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 12_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { breaker, clock } = setUp();
        let openedAt: number | null = null;
        const seen: { at: number; failed: boolean }[] = [];
        for (const each of steps) {
          if (each.kind === "wait") {
            clock.ms += each.ms;
            continue;
          }
          for (let i = 0; i < each.times; i += 1) {
            const before = breaker.state;
            let permit;
            try {
              permit = breaker.enter();
            } catch (error) {
              // Refuses only while open, and never longer than ten seconds.
              expect(error).toBeInstanceOf(CircuitOpen);
              expect(before).toBe("open");
              expect(clock.ms - openedAt!).toBeLessThan(10_000);
              continue;
            }
            if (before === "open") expect(clock.ms - openedAt!).toBeGreaterThanOrEqual(10_000);
            permit.settle(each.outcome);
            if (before !== "closed") {
              seen.length = 0;
              if (each.outcome === "failure") openedAt = clock.ms;
              const next = { success: "closed", failure: "open", neutral: "half_open" } as const;
              expect(breaker.state).toBe(next[each.outcome]);
              continue;
            }
            if (each.outcome !== "neutral") {
              seen.push({ at: clock.ms, failed: each.outcome === "failure" });
            }
            if (breaker.state === "open") {
              // Never opens without ten calls and half of them failed in the last ten seconds.
              const recent = seen.filter((one) => one.at > clock.ms - 10_000);
              expect(recent.length).toBeGreaterThanOrEqual(10);
              expect(recent.filter((one) => one.failed).length * 2).toBeGreaterThanOrEqual(
                recent.length - recent.filter((one) => one.at <= clock.ms - 9_000).length,
              );
              openedAt = clock.ms;
              seen.length = 0;
            } else {
              // Calls of the last nine seconds are surely in the window.
              const recent = seen.filter((one) => one.at > clock.ms - 9_000);
              const old = seen.filter((one) => one.at > clock.ms - 10_000).length > recent.length;
              if (each.outcome === "failure" && !old && recent.length >= 10) {
                expect(recent.filter((one) => one.failed).length * 2).toBeLessThan(recent.length);
              }
            }
          }
        }
      }),
    );
  });
});
