import Fastify from "fastify";
import { expect, test } from "vitest";
import { silentLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { refuseUndecodable } from "./errors.ts";

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
