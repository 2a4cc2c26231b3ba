import { afterEach, describe, expect, it } from "vitest";
import { silentLogger } from "./logger.ts";
import { createMetricsReport, reportOf } from "./metrics-report.ts";
import { createMetrics } from "./metrics.ts";
import { createTelemetry, type ReplyFields, type ReplyOutcome } from "./telemetry.ts";

const fields: ReplyFields = {
  replyId: "r",
  sessionId: "s",
  agentId: "a",
  attempt: 1,
  requestId: "q",
};
const outcome: ReplyOutcome = {
  status: "complete",
  errorType: null,
  durationMs: 1_500,
  timeToFirstTokenMs: 200,
  usage: { input_tokens: 10, output_tokens: 30 },
  source: "models",
};

let report: ReturnType<typeof createMetricsReport>;
afterEach(() => {
  report.close();
});

function start() {
  const clock = { ms: 0 };
  const metrics = createMetrics();
  report = createMetricsReport({ metrics, now: () => clock.ms });
  return { clock, metrics, telemetry: createTelemetry(silentLogger, metrics) };
}

describe("createMetricsReport", () => {
  it("counts what happened and how fast", async () => {
    const { clock, telemetry } = start();
    for (let turn = 0; turn < 10; turn++) {
      telemetry.turnAccepted({ ...fields, type: turn < 4 ? "voice" : "text", queued: false });
      telemetry.replyStarted(fields);
    }
    for (let turn = 0; turn < 8; turn++) telemetry.replyEnded(fields, outcome);
    telemetry.replyEnded(fields, { ...outcome, status: "failed", errorType: "agent_failed" });
    telemetry.problem("rate_limited");
    telemetry.problem("rate_limited");
    clock.ms = 60_000;
    expect(reportOf([await report.part()])).toMatchObject({
      window_seconds: 60,
      messages: { total: 10, by_type: { voice: 4, text: 6 }, per_minute: 10 },
      replies: {
        total: 9,
        by_status: { complete: 8, failed: 1 },
        by_source: { models: 9 },
        running: 1,
        error_rate: 0.111,
        errors_by_type: { agent_failed: 1 },
      },
      errors: { total: 3, by_type: { rate_limited: 2, agent_failed: 1 }, per_minute: 3 },
      tokens: { input: 90, output: 270, per_second: 6 },
    });
  });

  it("estimates percentiles from the buckets", async () => {
    const { metrics } = start();
    for (let request = 1; request <= 100; request++) {
      metrics.httpDuration.observe({ method: "GET", route: "/", status: "200" }, request / 1000);
    }
    metrics.httpDuration.observe({ method: "GET", route: "/", status: "500" }, 99);
    const { latency_ms: latency, requests } = reportOf([await report.part()]);
    expect(latency.request.count).toBe(101);
    expect(latency.request.p50).toBeGreaterThan(48);
    expect(latency.request.p50).toBeLessThan(53);
    expect(latency.request.p95).toBeGreaterThan(90);
    expect(latency.request.p95).toBeLessThan(100);
    expect(requests.error_rate).toBe(0.01);
    expect(latency.reply).toEqual({ count: 0, p50: null, p90: null, p95: null, p99: null });
  });

  it("adds what several processes know, and what they share once", async () => {
    const parts = [];
    for (const count of [1, 3]) {
      const { clock, metrics, telemetry } = start();
      for (let turn = 0; turn < count; turn++) {
        telemetry.turnAccepted({ ...fields, type: "text", queued: false });
        telemetry.replyStarted(fields);
        telemetry.replyEnded(fields, { ...outcome, durationMs: 1_000 * count });
      }
      telemetry.replyStarted(fields);
      metrics.messagesQueued.set(7);
      clock.ms = 30_000 * count;
      parts.push(await report.part());
    }
    const both = reportOf(parts);
    expect(both).toMatchObject({
      window_seconds: 90,
      messages: { total: 4, by_type: { text: 4 }, queued: 7, per_minute: 4 },
      replies: { total: 4, by_source: { models: 4 }, running: 2 },
      tokens: { input: 40, output: 120 },
    });
    expect(both.latency_ms.reply.count).toBe(4);
    expect(both.latency_ms.reply.p99).toBeGreaterThan(2_000);
  });
});
