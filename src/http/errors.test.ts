import Fastify from "fastify";
import { expect, test } from "vitest";
import { silentLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { Problem } from "../problems/problem.ts";
import { installErrorHandling, refuseUndecodable } from "./errors.ts";

test("a path that cannot be decoded is refused, counted and named like everything else", async () => {
  const metrics = createMetrics();
  const app = Fastify({
    frameworkErrors: refuseUndecodable("talk", createTelemetry(silentLogger, metrics)),
  });
  const answer = await app.inject({ url: "/sessions/%zz", headers: { "accept-language": "zh" } });
  expect(answer.statusCode).toBe(400);
  expect(answer.headers["x-service"]).toBe("talk");
  expect(answer.json()).toMatchObject({
    success: false,
    error: { type: "bad_request", code: 400 },
  });
  const counted = await metrics.problems.get();
  expect(counted.values).toMatchObject([{ value: 1, labels: { type: "bad_request" } }]);
});

test.each([
  { thrown: () => new Problem("overloaded", {}), level: "warn", hasStack: false },
  { thrown: () => new Problem("shutting_down", {}), level: "warn", hasStack: false },
  { thrown: () => new Problem("voice_unavailable", {}), level: "warn", hasStack: false },
  { thrown: () => new Problem("rate_limited", { seconds: 1 }), level: "debug", hasStack: false },
  { thrown: () => new Error("a bug"), level: "error", hasStack: true },
  // The outage has a line of its own.
  {
    thrown: () => new Problem("storage_unavailable", {}, { cause: new Error("gone") }),
    level: "debug",
    hasStack: true,
  },
])("a refusal is no failure in the log: $level", async ({ thrown, level, hasStack }) => {
  const lines: { level: number; err?: object }[] = [];
  const stream = {
    write: (line: string) => void lines.push(JSON.parse(line) as { level: number }),
  };
  const app = Fastify({ logger: { level: "debug", stream } });
  installErrorHandling(app, createTelemetry(silentLogger, createMetrics()), {
    isSpelledOut: () => false,
    methodsOf: () => [],
    list: () => [],
  });
  app.get("/", () => {
    throw thrown();
  });
  await app.inject("/");
  const levels = { debug: 20, warn: 40, error: 50 } as Record<string, number>;
  const told = lines.filter((line) => /request (refused|failed)/.test(JSON.stringify(line)));
  expect(told).toHaveLength(1);
  expect(told[0]?.level).toBe(levels[level]);
  expect(told[0]?.err !== undefined).toBe(hasStack);
});
