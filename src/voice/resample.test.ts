import { describe, expect, it } from "vitest";
import { createResampler, resample } from "./resample.ts";

const tone = (sampleRateHz: number, samples: number, frequencyHz = 440) =>
  Int16Array.from(
    { length: samples },
    (_, index) => 10_000 * Math.sin((2 * Math.PI * frequencyHz * index) / sampleRateHz),
  );

describe("resample", () => {
  it.each([
    [48_000, 16_000],
    [44_100, 16_000],
    [8_000, 16_000],
    [22_050, 24_000],
  ])("in pieces of any size is as in one, from %i to %i Hz", (fromHz, toHz) => {
    const samples = tone(fromHz, 9_000);
    const whole = resample({ samples, sampleRateHz: fromHz }, toHz).samples;
    expect(whole.length).toBe(Math.round((9_000 * toHz) / fromHz));
    const resampler = createResampler(fromHz, toHz);
    const parts: number[] = [];
    for (let at = 0, size = 1; at < samples.length; at += size, size = (size * 7) % 601) {
      parts.push(...resampler.push(samples.subarray(at, at + size)));
    }
    parts.push(...resampler.flush());
    expect(parts).toEqual([...whole]);
  });

  it("keeps a tone a tone", () => {
    const made = resample({ samples: tone(48_000, 48_000), sampleRateHz: 48_000 }, 16_000).samples;
    const wanted = tone(16_000, 16_000);
    const worst = made
      .subarray(500, 15_500)
      .reduce((most, value, index) => Math.max(most, Math.abs(value - wanted[index + 500]!)), 0);
    expect(worst).toBeLessThan(150);
  });

  it("filters out what the new rate cannot carry", () => {
    const made = resample(
      { samples: tone(48_000, 48_000, 12_000), sampleRateHz: 48_000 },
      16_000,
    ).samples;
    expect(Math.max(...made.subarray(500, 15_500))).toBeLessThan(200);
  });
});
