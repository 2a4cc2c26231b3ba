import { expect, test } from "vitest";
import { silentLogger } from "../../../telemetry/logger.ts";
import { createContextWindows, type ContextTokens } from "./context-windows.ts";
import { tokensOfText } from "../../tokens-of-text.ts";

const clock = { ms: 0 };
const create = (contextTokens: ContextTokens = null) => {
  clock.ms = 0;
  return createContextWindows({ contextTokens, now: () => clock.ms, log: silentLogger });
};

test.each<[ContextTokens, number | null, number]>([
  [null, null, 32_768 - 4_096],
  [null, 8_192, 8_192 - 2_048],
  [16_384, 8_192, 16_384 - 4_096],
  [{ default: 4_096, m: 8_192 }, 100_000, 6_144],
  [{ default: 4_096 }, 100_000, 3_072],
  [{ other: 4_096 }, 100_000, 95_904],
  [{ other: 4_096 }, null, 28_672],
])("configured %j, told %j: room for %i", (configured, told, room) => {
  expect(create(configured).roomFor("m", told, undefined)).toBe(room);
});

test("an answer that may be long takes its room, though no more than a quarter", () => {
  expect(create(8_000).roomFor("m", null, 100)).toBe(7_900);
  expect(create(8_000).roomFor("m", null, 100_000)).toBe(6_000);
});

test("what the model counts corrects the estimate, within reason", () => {
  const windows = create(10_000);
  for (let turn = 0; turn < 30; turn += 1) windows.observe("m", 1_000, 2_000);
  expect(windows.roomFor("m", null, 0)).toBeLessThan(5_100);
  expect(windows.roomFor("other", null, 0)).toBe(10_000);
  for (let turn = 0; turn < 30; turn += 1) windows.observe("m", 1_000, 1e300);
  expect(windows.roomFor("m", null, 0)).toBeGreaterThanOrEqual(2_500);
  for (let turn = 0; turn < 90; turn += 1) windows.observe("m", 1_000, 1);
  expect(windows.roomFor("m", null, 0)).toBeLessThanOrEqual(20_000);
});

test.each([
  ["maximum context length is 4096 tokens. However, you requested 4927 tokens", 4_096],
  ["prompt is too long: 210,000 tokens > 200,000 maximum", 200_000],
  ["Range of input length should be [1, 30720]", 30_720],
  ["loaded with context length of only 4096", 4_096],
  ["Limit 6000, Requested 9120", 6_000],
])("a refusal that names its limit is believed: %s", (words, limit) => {
  const windows = create(1_000_000);
  windows.refused("m", 900_000, words);
  expect(windows.roomFor("m", null, 0)).toBe(Math.floor(limit * 0.9));
});

test("one that names none lowers it by a quarter, for an hour", () => {
  const windows = create(100_000);
  windows.refused("m", 40_000, '{"code":40303}');
  expect(windows.roomFor("m", null, 0)).toBe(30_000);
  windows.refused("m", 20_000, "too long");
  expect(windows.roomFor("m", null, 0)).toBe(15_000);
  windows.refused("m", 100, "too long");
  expect(windows.roomFor("m", null, 0)).toBe(1_024);
  clock.ms = 3_600_000;
  expect(windows.roomFor("m", null, 0)).toBe(100_000);
});

test("only so many models are remembered", () => {
  const windows = create(100_000);
  windows.refused("first", 40_000, "");
  for (let model = 0; model < 200; model += 1) windows.refused(`m${model}`, 40_000, "");
  expect(windows.roomFor("first", null, 0)).toBe(100_000);
  expect(windows.roomFor("m199", null, 0)).toBe(30_000);
});

test.each([
  ["The quick brown fox jumps over the lazy dog. ", 10, 13],
  ["人工智能正在改变世界。", 7, 14],
  ["const x = await fetch(url);\n", 7, 14],
])("%j is estimated, in long texts as in short ones", (text, least, most) => {
  for (const times of [1, 10_000]) {
    const tokens = tokensOfText(text.repeat(times)) / times;
    expect(tokens).toBeGreaterThanOrEqual(least * 0.8);
    expect(tokens).toBeLessThanOrEqual(most * 1.2);
  }
});
