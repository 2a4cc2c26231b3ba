import { describe, expect, it } from "vitest";
import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createWatchedProbe, type Probe, type ProbeOutcome } from "./probe.ts";

const healthy: ProbeOutcome = { status: "healthy", details: {} };

function recorder() {
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (_fields, message) => void lines.push(`info ${message}`),
    warn: (_fields, message) => void lines.push(`warn ${message}`),
  };
  return { lines, logger };
}

function watch(probe: Probe | null, logger: Logger = silentLogger) {
  const clock = { ms: 0 };
  const ask = createWatchedProbe({
    name: "x",
    probe,
    timeoutMs: 50,
    logger,
    now: () => clock.ms,
  });
  return { ask, clock };
}

describe("createWatchedProbe", () => {
  it("says disabled for what is not configured", async () => {
    expect(await watch(null).ask()).toEqual({ status: "disabled", latency_ms: null, details: {} });
  });

  it("looks once for all who ask at the same time and in the same second", async () => {
    let looks = 0;
    const gate = Promise.withResolvers<void>();
    const { ask, clock } = watch(async () => {
      looks += 1;
      await gate.promise;
      return healthy;
    });
    const answers = [ask(), ask(), ask()];
    gate.resolve();
    await Promise.all(answers);
    await ask();
    expect(looks).toBe(1);
    clock.ms = 1_000;
    await ask();
    expect(looks).toBe(2);
  });

  it("answers in time when the look hangs, and does not pile up looks", async () => {
    let looks = 0;
    const gate = Promise.withResolvers<ProbeOutcome>();
    const { ask, clock } = watch(() => {
      looks += 1;
      return gate.promise;
    });
    expect(await ask()).toMatchObject({ status: "unhealthy", details: { reason: "timeout" } });
    clock.ms = 5_000;
    expect((await ask()).status).toBe("unhealthy");
    expect(looks).toBe(1);
    clock.ms = 61_000;
    const again = ask();
    expect(looks).toBe(2);
    gate.resolve(healthy);
    expect((await again).status).toBe("healthy");
  });

  it("aborts its signal when the time is over", async () => {
    const aborted = Promise.withResolvers<void>();
    const { ask } = watch(
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            aborted.resolve();
            reject(signal.reason as Error);
          });
        }),
    );
    await ask();
    await aborted.promise;
  });

  it("tells callers a stable word, and the log about changes", async () => {
    const { lines, logger } = recorder();
    let fault: Error | null = new Error("connect ECONNREFUSED 10.1.2.3:5432");
    const { ask, clock } = watch(
      () => (fault ? Promise.reject(fault) : Promise.resolve(healthy)),
      logger,
    );
    expect((await ask()).details).toEqual({ reason: "failed" });
    clock.ms += 2_000;
    fault = new Problem("storage_unavailable", {});
    expect((await ask()).details).toEqual({ reason: "storage_unavailable" });
    clock.ms += 2_000;
    fault = null;
    expect((await ask()).status).toBe("healthy");
    await expect
      .poll(() => lines)
      .toEqual([
        "warn x is away: connect ECONNREFUSED 10.1.2.3:5432; trying again",
        "info x is back",
      ]);
  });
});
