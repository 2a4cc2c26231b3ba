import {
  EncodedAudioPacketSource,
  EncodedPacket,
  BufferTarget,
  Mp4OutputFormat,
  Output,
} from "mediabunny";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLogger } from "../../../telemetry/logger.ts";
import { createCodec } from "./codec.ts";
import { hasHonestTables } from "./mp4-tables.ts";

const never = new AbortController().signal;
const invalid = { type: "validation_failed" };

/** A tiny MP4 file with packets of Opus that hold silence. */
async function makeMp4(fragmented: boolean): Promise<Uint8Array> {
  const target = new BufferTarget();
  const format = new Mp4OutputFormat({ fastStart: fragmented ? "fragmented" : "in-memory" });
  const output = new Output({ format, target });
  const source = new EncodedAudioPacketSource("opus");
  output.addAudioTrack(source);
  await output.start();
  const head = new Uint8Array(19);
  head.set(new TextEncoder().encode("OpusHead"));
  head.set([1, 1], 8);
  const decoderConfig = {
    codec: "opus",
    numberOfChannels: 1,
    sampleRate: 48_000,
    description: head,
  };
  for (let index = 0; index < 20; index++) {
    const packet = new EncodedPacket(new Uint8Array([8, 11, 228]), "key", index * 0.02, 0.02);
    await source.add(packet, index === 0 ? { decoderConfig } : undefined);
  }
  await output.finalize();
  return new Uint8Array(target.buffer!);
}

/** The file with a word of a box's content overwritten. */
function patched(file: Uint8Array, box: string, word: number, value: number): Uint8Array {
  const bytes = file.slice();
  const at = Buffer.from(bytes).indexOf(box);
  expect(at, box).toBeGreaterThan(0);
  new DataView(bytes.buffer).setUint32(at + 4 + word * 4, value);
  return bytes;
}

describe("sample tables", () => {
  test.each([false, true])("of an honest file are honest (fragmented: %s)", async (fragmented) => {
    expect(hasHonestTables(await makeMp4(fragmented))).toBe(true);
  });

  test.each<[string, number]>([
    ["stsc", 1],
    ["stsc", 3],
    ["stts", 1],
    ["stts", 2],
    ["stsz", 2],
    ["stco", 1],
  ])("that name more samples than there are bytes are not: %s, word %d", async (box, word) => {
    expect(hasHonestTables(patched(await makeMp4(false), box, word, 0xffff_ffff))).toBe(false);
  });

  test("so it is with fragments", async () => {
    expect(hasHonestTables(patched(await makeMp4(true), "trun", 1, 0xffff_ffff))).toBe(false);
  });

  test("garbage is somebody else's to judge", () => {
    for (const length of [0, 7, 8, 100]) hasHonestTables(new Uint8Array(length).fill(1));
    for (const length of [0, 7, 8, 100]) hasHonestTables(new Uint8Array(length));
  });
});

describe("the codec", () => {
  const codec = createCodec({ logger: silentLogger, ffmpeg: null });
  let mp4: Uint8Array;
  beforeAll(async () => {
    mp4 = await makeMp4(false);
  });
  afterAll(() => codec.close());

  test("reads an honest file", async () => {
    expect(await codec.inspect(mp4, never)).toMatchObject({ container: "mp4", codec: "opus" });
    const { samples } = await codec.decode(mp4, { maxDurationMs: 1_000, signal: never });
    expect(samples.length).toBeGreaterThan(4_000);
  });

  test("refuses a file that would keep it busy for minutes", async () => {
    const bomb = patched(mp4, "stsc", 3, 0xffff_ffff);
    await expect(codec.inspect(bomb, never)).rejects.toMatchObject(invalid);
    const decoding = codec.decode(bomb, { maxDurationMs: 1_000, signal: never });
    await expect(decoding).rejects.toMatchObject(invalid);
  });
});
