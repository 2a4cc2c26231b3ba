import assert from "node:assert/strict";
import { afterAll, afterEach, describe, test } from "vitest";
import { Problem } from "../../../problems/problem.ts";
import { silentLogger } from "../../../telemetry/logger.ts";
import { planCalculation } from "./calculation.ts";
import { createEvaluator, type Evaluator } from "./evaluator.ts";

const unavailable = (error: unknown) =>
  error instanceof Problem && error.type === "agent_unavailable";
const never = new AbortController().signal;
const expression = (text: string) => ({ kind: "expression", expression: text }) as const;
/** Takes seconds, and the thread gets 50 ms below. */
const slow = expression(Array.from({ length: 44 }, () => "combinations(1e5,5e4)").join("+"));

describe("what is worked out", () => {
  const evaluator = createEvaluator(silentLogger);
  afterAll(() => evaluator.close());

  async function evaluate(message: string): Promise<string> {
    const planned = planCalculation(message);
    assert.ok(planned, `no calculation: ${message}`);
    const outcome = await evaluator.evaluate(planned, never);
    return outcome.ok
      ? outcome.results.map(({ text }) => text).join("; ")
      : `refused: ${outcome.refusal.reason}`;
  }

  test.each([
    ["(2+3)*4 等于多少", "20"],
    ["0.1 + 0.2", "0.3"],
    ["2^100", "1267650600228229401496703205376"],
    ["1/3", "0.33333333333333"],
    ["15% of 80", "12"],
    ["80 + 10%", "88"],
    ["sin(30 deg)", "0.5"],
    ["sqrt(-4)", "2i"],
    ["5!", "120"],
    ["ln(e)", "1"],
    ["8 mod 3", "2"],
    ["lcm(4, 6, 10) + gcd(12, 18)", "66"],
    ["3 > 2", "true"],
    ["inv([1,2;3,4])", "[[-2, 1], [1.5, -0.5]]"],
    ["3 km + 200 m", "3.2 km"],
    ["3公里等于多少英里", "1.864113576712"],
    ["三斤等于多少克", "1500"],
    ["-40 degF to degC", "-40"],
    ["90 min to hours", "1.5"],
    ["60 mph to km/h", "96.56064"],
    ["5 nautical miles to km", "9.26"],
    ["100 square feet in square meters", "9.290304"],
    ["20 miles per hour to km/h", "32.18688"],
    ["20 degrees Celsius to Fahrenheit", "68"],
    ["square root of 16 squared", "16"],
    ["平均值 3 5 8", "5.3333333333333"],
    ["mode 1 2 2 3", "2"],
    ["mode 1 2 3", "—"],
    ["count sum median 1 2 3 4", "2.5; 10; 4"],
    ["standard deviation 2 4 4 4 5 5 7 9", "2.1380899352994"],
    ["10^10^10", "1e+10000000000"],
  ])("%s = %s", async (message, expected) => {
    assert.equal(await evaluate(message), expected);
  });

  test.each([
    ["3 + ", "syntax"],
    ["2 +* 3", "syntax"],
    ["5 km", "syntax"],
    ["3 foo + 1", "unknown_name"],
    ["3 km + 5 kg", "units"],
    ["3 km to kg", "units"],
    ["1/0", "no_value"],
    ["0/0", "no_value"],
    ["9^9^9^9", "no_value"],
    ["exp(exp(exp(10)))", "no_value"],
    ["sqrt(1,2,3)", "arguments"],
    ["100000!", "limit"],
    ["1e1000000 % 3", "limit"],
    ["gcd(1e100, 3)", "limit"],
    ["sin(1e100000)", "limit"],
    ["combinations(1e9, 5e8)", "limit"],
  ])("%s is refused: %s", async (message, reason) => {
    assert.equal(await evaluate(message), `refused: ${reason}`);
  });

  test.each([
    "ones(1e9)",
    "zeros(100000, 100000)",
    "range(0, 1e9) + 1",
    "1:1000000000",
    "random(3)",
    'import("fs") + 1',
    "import({pi: 3}) + 1",
    'createUnit("foo") + 1',
    'parse("1+1") + 2',
    'x = evaluate("1+1")',
    'simplify("x+x") + 1',
    'derivative("x^2", "x") + 1',
    "config({number: 1}) + 1",
    "f(x) = x^2",
    "a = 1; a + 1",
    "[1,2,3].constructor + 1",
    "[1,2,3][1] + 1",
    "{a: 1}.a + 1",
    'cos.constructor("return process")(1) + 1',
    'sqrt.constructor("return 1")',
    "map([1,2,3], sqrt)",
    "typed(1)",
    "5 & 3",
    "1 << 1000000000",
    "~5 + 1",
    "not 1",
    "1 ? 2 : 3",
    "[1,2]'",
    "Unit(1)",
  ])("%s is not allowed", async (text) => {
    const outcome = await evaluator.evaluate(expression(text), never);
    assert.ok(!outcome.ok, text);
    assert.match(outcome.refusal.reason, /^(?:not_allowed|syntax)$/);
    assert.equal(await evaluator.understands(expression(text), never), false);
  });

  test.each(["constructor", "__proto__", "toString", "hasOwnProperty", "process", "globalThis"])(
    "%s is no name",
    async (name) => {
      for (const text of [`${name} + 1`, `${name}(1)`, `1 ${name} + 1`]) {
        assert.equal((await evaluator.evaluate(expression(text), never)).ok, false, text);
      }
    },
  );

  test.each([
    `${"(".repeat(490)}1+1${")".repeat(490)}`,
    "-".repeat(990),
    `${"2^".repeat(400)}2`,
    `${"1+".repeat(1_000)}1`,
    `5${"!".repeat(200)}`,
    `${"sqrt(".repeat(180)}2${")".repeat(180)}`,
    "9".repeat(1_000),
    "[[[[".repeat(100),
    "\u0000+\uD800",
  ])("deep, long or broken text ends in an answer: %#", async (text) => {
    await evaluator.evaluate(expression(text), never);
    assert.equal(await evaluate("1 + 1"), "2");
  });

  test("a failure deep inside the library does not spoil later results", async () => {
    const before = await evaluate("2^0.5 + ln(2)");
    for (const message of ["sin(1e100000)", "tan(1e1000000)", "exp(-1e1000)", "atan(1e99999)"]) {
      await evaluate(message);
      assert.equal(await evaluate("2^0.5 + ln(2)"), before, message);
    }
  });

  test("five thousand numbers are fine", async () => {
    const numbers = Array.from({ length: 5_000 }, (_, index) => index).join(" ");
    assert.equal(await evaluate(`mean ${numbers}`), "2499.5");
  });

  test("a result is not longer than a screen", async () => {
    const matrix = `[${Array.from({ length: 150 }, () => "1/3").join(",")}] * 1`;
    const outcome = await evaluator.evaluate(expression(matrix), never);
    assert.ok(outcome.ok && (outcome.results[0]?.text.length ?? 0) <= 2_001);
  });
});

describe("the thread", () => {
  let evaluator: Evaluator | undefined;
  afterEach(() => evaluator?.close());
  const create = (
    limits: Partial<Record<"taskMs" | "maxWaiting" | "maxWaitMs" | "idleMs", number>> = {},
    logger = silentLogger,
  ) => {
    evaluator = createEvaluator(logger, {
      taskMs: 1_500,
      startMs: 20_000,
      idleMs: 60_000,
      maxWaiting: 64,
      maxWaitMs: 60_000,
      ...limits,
    });
    return evaluator;
  };
  const two = { ok: true, results: [{ name: "value", text: "2" }] };

  test("is ended when it takes too long, and a new one goes on", async () => {
    const subject = create({ taskMs: 50 });
    assert.deepEqual(await subject.evaluate(expression("1+1"), never), two);
    const [first, second] = await Promise.all([
      subject.evaluate(slow, never),
      subject.evaluate(expression("1+1"), never),
    ]);
    assert.deepEqual(first, { ok: false, refusal: { reason: "limit" } });
    assert.deepEqual(second, two);
  });

  test("ends when idle and comes back", async () => {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const logger = { ...silentLogger, debug: () => resolve() };
    const subject = create({ idleMs: 1 }, logger);
    assert.deepEqual(await subject.evaluate(expression("1+1"), never), two);
    await ended;
    assert.deepEqual(await subject.evaluate(expression("1+1"), never), two);
  });

  test("an abort does not wait for it", async () => {
    const subject = create();
    const stop = new AbortController();
    const reason = new Error("enough");
    const running = subject.evaluate(slow, stop.signal);
    const waiting = subject.evaluate(expression("1+1"), stop.signal);
    stop.abort(reason);
    await assert.rejects(running, (error) => error === reason);
    await assert.rejects(waiting, (error) => error === reason);
    await assert.rejects(subject.evaluate(expression("1+1"), AbortSignal.abort(reason)));
  });

  test("a task that waited too long is agent_unavailable", async () => {
    const subject = create({ taskMs: 50, maxWaitMs: 20 });
    assert.deepEqual(await subject.evaluate(expression("1+1"), never), two);
    const running = subject.evaluate(slow, never);
    await assert.rejects(subject.evaluate(expression("1+1"), never), unavailable);
    await running;
    assert.deepEqual(await subject.evaluate(expression("1+1"), never), two);
  });

  test("more than may wait are agent_unavailable, as is everything after closing", async () => {
    const subject = create({ maxWaiting: 1 });
    const accepted = [
      subject.evaluate(expression("1+1"), never),
      subject.evaluate(expression("1+1"), never),
    ];
    await assert.rejects(subject.evaluate(expression("1+1"), never), unavailable);
    const closed = Promise.all(accepted.map((one) => assert.rejects(one, unavailable)));
    await subject.close();
    await closed;
    await subject.close();
    await assert.rejects(subject.evaluate(expression("1+1"), never), unavailable);
  });
});
