import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLogger, type Logger } from "./logger.ts";
import { outageOf, whyOf } from "./outage.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function told() {
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (_fields, message) => void lines.push(`info ${message}`),
    warn: (_fields, message) => void lines.push(`warn ${message}`),
    debug: (_fields, message) => void lines.push(`debug ${message}`),
  };
  return { logger, lines };
}

test("an outage is one line, its end another, whoever notices them and however often", () => {
  const { logger, lines } = told();
  const one = outageOf(logger, "redis");
  one.back();
  one.lost("refused");
  for (let count = 0; count < 100; count++) outageOf(logger, "redis").lost("reset");
  expect(one.isAway).toBe(true);
  outageOf(logger, "redis").back();
  one.back();
  vi.advanceTimersByTime(1_000);
  expect(one.isAway).toBe(false);
  one.back();
  expect(lines).toEqual(["warn redis is away: refused; trying again", "info redis is back"]);
});

test("what failed because it was away is no news once it is back, however late it comes", () => {
  const { logger, lines } = told();
  const outage = outageOf(logger, "redis");
  const askedMs = performance.now();
  vi.advanceTimersByTime(10);
  outage.lost("refused", undefined, askedMs);
  vi.advanceTimersByTime(10);
  outage.back();
  outage.lost("no answer", undefined, askedMs);
  vi.advanceTimersByTime(1_000);
  outage.lost("no answer", undefined, askedMs);
  expect(lines).toEqual(["warn redis is away: refused; trying again", "info redis is back"]);
  outage.lost("refused", undefined, performance.now());
  expect(lines).toHaveLength(3);
});

test("a success that is none ends nothing", () => {
  const { logger, lines } = told();
  const outage = outageOf(logger, "redis");
  for (let count = 0; count < 100; count++) {
    outage.lost("read-only");
    outage.back();
    vi.advanceTimersByTime(500);
  }
  expect(lines).toEqual(["warn redis is away: read-only; trying again"]);
});

test("what comes and goes is told ever more seldom, and what was steady meanwhile at once again", () => {
  const { logger, lines } = told();
  const outage = outageOf(logger, "redis");
  for (let second = 0; second < 600; second++) {
    outage.lost("gone");
    vi.advanceTimersByTime(100);
    outage.back();
    vi.advanceTimersByTime(3_900);
  }
  expect(lines.length).toBeLessThan(10);
  outage.back();
  vi.advanceTimersByTime(130_000);
  lines.length = 0;
  outage.lost("gone");
  outage.back();
  vi.advanceTimersByTime(1_000);
  expect(lines).toEqual(["warn redis is away: gone; trying again", "info redis is back"]);
});

test("the cause is told at DEBUG alone; others have outages of their own", () => {
  const { logger, lines } = told();
  const error = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  outageOf(logger, "a").lost(whyOf(error), error);
  outageOf(logger, "b").lost("x");
  expect(lines).toEqual([
    "debug a: connect (ECONNREFUSED)",
    "warn a is away: connect (ECONNREFUSED); trying again",
    "warn b is away: x; trying again",
  ]);
});
