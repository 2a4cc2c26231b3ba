import { describe, expect, it } from "vitest";
import { samplesToBytes } from "../wav.ts";
import { createSoundInput, maxFrameBytes } from "./sound-input.ts";

const frame = (samples: number) => samplesToBytes(new Int16Array(samples).fill(1_000));

describe("sound input", () => {
  it("brings frames of any rate to 16 kHz", () => {
    const input = createSoundInput(48_000);
    let samples = 0;
    for (let index = 0; index < 50; index++) samples += input.read(frame(960)).length;
    expect(samples).toBeGreaterThan(15_900);
    expect(samples).toBeLessThanOrEqual(16_000);
  });

  it("reads little-endian samples as they are at 16 kHz", () => {
    const input = createSoundInput(16_000);
    expect([...input.read(Uint8Array.of(1, 0, 0xff, 0xff, 0, 0x80))]).toEqual([1, -1, -32_768]);
  });

  it.each([
    [0, "validation_failed"],
    [3, "validation_failed"],
    [maxFrameBytes + 2, "payload_too_large"],
  ])("refuses a frame of %i bytes", (bytes, type) => {
    const input = createSoundInput(16_000);
    expect(() => input.read(new Uint8Array(bytes))).toThrow(expect.objectContaining({ type }));
    expect(input.read(frame(320))).toHaveLength(320);
  });

  it("takes a minute ahead of time, then twice as fast as anybody speaks", () => {
    let nowMs = 0;
    const input = createSoundInput(16_000, () => nowMs);
    for (let second = 0; second < 60; second++) input.read(frame(16_000));
    const limited = expect.objectContaining({ type: "rate_limited" });
    expect(() => input.read(frame(16_000))).toThrow(limited);
    // Told once a second, or the telling would be a flood.
    expect(input.read(frame(16_000))).toHaveLength(0);
    nowMs = 500;
    expect(input.read(frame(16_000))).toHaveLength(16_000);
    nowMs = 1_000;
    expect(input.read(frame(16_000))).toHaveLength(16_000);
    expect(() => input.read(frame(16_000))).toThrow(limited);
  });
});
