import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLogger } from "../../src/telemetry/logger.ts";
import { createCodec } from "../../src/voice/providers/codec/codec.ts";
import { findProgram } from "../../src/voice/providers/command/find-program.ts";
import { createProgramRunner } from "../../src/voice/providers/command/run-program.ts";

const environment = { PATH: process.env["PATH"] ?? "" };
const program = await findProgram("ffmpeg", environment);
const never = new AbortController().signal;

/** What phones, recorders and telephone systems write; two seconds of a tone each. */
describe.skipIf(program === null)("recordings of phones and recorders", () => {
  const runner = createProgramRunner({
    environment,
    maxRunning: 2,
    maxWaiting: 16,
    logger: silentLogger,
  });
  const withProgram = createCodec({
    logger: silentLogger,
    ffmpeg: { program: program ?? "", runner },
  });
  const without = createCodec({ logger: silentLogger, ffmpeg: null });
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "recordings-"));
  });
  afterAll(async () => {
    await Promise.all([withProgram.close(), without.close(), runner.close()]);
    await rm(folder, { recursive: true });
  });

  async function record(name: string, writing: string): Promise<Uint8Array> {
    const path = join(folder, name);
    const tone = "-v error -f lavfi -i sine=frequency=300:duration=2:sample_rate=16000";
    await promisify(execFile)(program ?? "", [...tone.split(" "), ...writing.split(" "), path]);
    return readFile(path);
  }

  test.each([
    ["a.aac", "-c:a aac -f adts", "aac"],
    ["a.m4a", "-c:a aac", "mp4"],
    ["a.3gp", "-c:a aac -f 3gp", "mp4"],
    ["a.caf", "-c:a pcm_s16le", "caf"],
    ["alac.caf", "-c:a alac", "caf"],
    ["a.aiff", "-c:a pcm_s16be", "aiff"],
    ["a.mp2", "-c:a mp2", "mp2"],
    ["slow.mp2", "-c:a mp2 -ar 44100 -b:a 192k", "mp2"],
    ["a.wma", "-c:a wmav2", "asf"],
    ["ulaw.aiff", "-c:a pcm_mulaw", "aiff"],
    ["adpcm.wav", "-c:a adpcm_ima_wav", "wav"],
    ["flac.ogg", "-c:a flac", "ogg"],
    ["a.flac", "-c:a flac", "flac"],
  ])("%s", async (name, writing, container) => {
    const bytes = await record(name, writing);
    const info = await withProgram.inspect(bytes, never);
    expect(info.container).toBe(container);
    expect(Math.abs(info.durationMs - 2_000)).toBeLessThan(200);
    const { samples } = await withProgram.decode(bytes, { maxDurationMs: 3_000, signal: never });
    expect(Math.abs(samples.length - 32_000)).toBeLessThan(3_200);
    // Without it: told what it is, so that a server may have it, and refused for what it is.
    expect(await without.inspect(bytes, never)).toEqual(info);
    await expect(
      without.decode(bytes, { maxDurationMs: 3_000, signal: never }),
    ).rejects.toMatchObject({ type: "unsupported_media_type" });
  });
});
