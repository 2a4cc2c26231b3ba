import { expect, it } from "vitest";
import { fuzzService } from "./fuzz-service.ts";

it("generated requests meet no fault, every answer is as documented, and refusals change nothing", async () => {
  const report = await fuzzService({ requests: 2_000, seed: 6 });
  expect(report.faults.join("\n\n")).toBe("");
  expect(report).toMatchObject({ requests: 2_000, isAlive: true });
  // Of use only if both kinds of answers come in numbers.
  expect(report.statuses["200"]).toBeGreaterThan(300);
  expect(report.statuses["422"]).toBeGreaterThan(200);
  expect(report.refusedAgain).toBeGreaterThan(200);
}, 600_000);
