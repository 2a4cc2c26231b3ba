import { describe, expect, test } from "vitest";
import { joinSamples } from "./join-speech.ts";
import { resample } from "./resample.ts";
import {
  bytesToSamples,
  readWav,
  readWavLayout,
  samplesToBytes,
  wavDurationMs,
  wavHeader,
  writeWav,
} from "./wav.ts";

const samples = Int16Array.from({ length: 1_600 }, (_, index) => 8_000 * Math.sin(index / 5));
const file = writeWav({ samples, sampleRateHz: 16_000 });

function withUint32(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  new DataView(copy.buffer).setUint32(offset, value, true);
  return copy;
}

/** A WAV file with these sample bytes, and chunks around them that do not matter. */
function wav(tag: number, bits: number, channels: number, data: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(20 + 16 + 12 + 8 + data.length + 10);
  bytes.write("RIFF", 0);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(tag, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(8_000, 24);
  bytes.writeUInt16LE(bits, 34);
  // An odd chunk, padded.
  bytes.write("LIST", 36);
  bytes.writeUInt32LE(3, 40);
  bytes.write("data", 48);
  bytes.writeUInt32LE(data.length, 52);
  bytes.set(data, 56);
  return bytes;
}

describe("WAV files", () => {
  test("what was written is read", () => {
    expect(readWav(file)).toEqual({ samples, sampleRateHz: 16_000 });
    expect(wavDurationMs(readWavLayout(file)!)).toBe(100);
    expect(bytesToSamples(samplesToBytes(samples))).toEqual(samples);
  });

  test.each([0, 0xffff_ffff, 0x7fff_f024, 99_999])("a length of %i means to the end", (length) => {
    expect(readWav(withUint32(file, 40, length))?.samples).toEqual(samples);
  });

  test("what follows the samples is no sound", () => {
    const tagged = Buffer.concat([file, Buffer.from("LIST\x04\0\0\0abcd")]);
    expect(readWav(tagged)?.samples).toEqual(samples);
  });

  test("a file that was cut off has what is there, in whole frames", () => {
    expect(readWav(file.subarray(0, 44 + 101))?.samples).toEqual(samples.subarray(0, 50));
    expect(readWav(file.subarray(0, 44))?.samples).toHaveLength(0);
    for (const length of [0, 11, 19, 30, 43]) expect(readWav(file.subarray(0, length))).toBeNull();
  });

  test("the header of a stream has no length", () => {
    const stream = Buffer.concat([wavHeader(22_050), samplesToBytes(samples)]);
    expect(readWav(stream)).toEqual({ samples, sampleRateHz: 22_050 });
  });

  const floats = (bits: 32 | 64, values: number[]) => {
    const bytes = Buffer.alloc((values.length * bits) / 8);
    values.forEach((value, index) =>
      bits === 32 ? bytes.writeFloatLE(value, index * 4) : bytes.writeDoubleLE(value, index * 8),
    );
    return bytes;
  };

  test.each<[string, Uint8Array, number[]]>([
    ["8 bits", wav(1, 8, 1, Uint8Array.of(128, 255, 0)), [0, 32_512, -32_768]],
    ["24 bits", wav(1, 24, 1, Uint8Array.of(9, 0x34, 0x12, 9, 0, 0x80)), [0x1234, -32_768]],
    ["32 bits", wav(1, 32, 1, Uint8Array.of(9, 9, 0x34, 0x12)), [0x1234]],
    [
      "floats",
      wav(3, 32, 1, floats(32, [0, 0.5, -1, 9, Number.NaN])),
      [0, 16_384, -32_768, 32_767, 0],
    ],
    ["doubles", wav(3, 64, 1, floats(64, [0.25])), [8_192]],
    ["stereo", wav(1, 16, 2, samplesToBytes(Int16Array.of(100, 300, -10, 10))), [200, 0]],
    ["mu-law", wav(7, 8, 1, Uint8Array.of(0xff, 0x80, 0x00)), [0, 32_124, -32_124]],
    ["A-law", wav(6, 8, 1, Uint8Array.of(0xd5, 0xaa, 0x2a)), [8, 32_256, -32_256]],
  ])("%s", (_, bytes, expected) => {
    expect(Array.from(readWav(bytes)!.samples)).toEqual(expected);
  });

  test("encodings that nobody can play here are refused", () => {
    for (const [tag, bits, channels] of [
      [2, 4, 1],
      [1, 12, 1],
      [1, 16, 0],
      [0x55, 16, 1],
    ] as const) {
      expect(readWav(wav(tag, bits, channels, new Uint8Array(8)))).toBeNull();
    }
  });
});

/** Loudness of one frequency. */
function level(sound: { samples: Int16Array; sampleRateHz: number }, frequencyHz: number): number {
  let [real, imaginary] = [0, 0];
  sound.samples.forEach((sample, index) => {
    const angle = (2 * Math.PI * frequencyHz * index) / sound.sampleRateHz;
    real += sample * Math.cos(angle);
    imaginary += sample * Math.sin(angle);
  });
  return (2 * Math.hypot(real, imaginary)) / sound.samples.length;
}

describe("changing the rate", () => {
  const tone = (frequencyHz: number, sampleRateHz: number) => ({
    samples: Int16Array.from(
      { length: sampleRateHz },
      (_, index) => 10_000 * Math.sin((2 * Math.PI * frequencyHz * index) / sampleRateHz),
    ),
    sampleRateHz,
  });

  test.each([8_000, 11_025, 22_050, 24_000, 44_100, 48_000, 44_101])("from %i Hz", (rate) => {
    const result = resample(tone(1_000, rate), 16_000);
    expect(result.samples.length).toBe(16_000);
    expect(level(result, 1_000)).toBeGreaterThan(9_800);
    expect(level(result, 1_000)).toBeLessThan(10_200);
  });

  test("what the new rate cannot carry is not heard as something else", () => {
    const result = resample(tone(11_000, 48_000), 16_000);
    expect(level(result, 5_000)).toBeLessThan(50);
  });

  test("pieces are joined at the highest of their rates", () => {
    const joined = joinSamples([tone(500, 8_000), tone(500, 16_000)]);
    expect(joined.sampleRateHz).toBe(16_000);
    expect(joined.samples.length).toBe(32_000);
    const first = { ...joined, samples: joined.samples.subarray(0, 16_000) };
    expect(level(first, 500)).toBeGreaterThan(9_800);
  });
});

describe("chunks before the samples", () => {
  const wav = writeWav({ samples: new Int16Array(800).fill(7), sampleRateHz: 16_000 });
  /** The file with another chunk between its format and its samples. */
  const withChunk = (length: number, padded: boolean) => {
    const chunk = Buffer.alloc(8 + length + (padded ? length & 1 : 0), 0x61);
    chunk.write("LIST");
    chunk.writeUInt32LE(length, 4);
    return Buffer.concat([wav.subarray(0, 36), chunk, wav.subarray(36)]);
  };

  test.each([
    [10, true],
    [11, true],
    [11, false],
    [70_000, true],
    [300_001, false],
  ])("of %d bytes, padded: %s", (length, padded) => {
    expect(readWav(withChunk(length, padded))?.samples.length).toBe(800);
  });
});
