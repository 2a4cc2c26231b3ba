import { Problem } from "../../problems/problem.ts";
import { recognitionRateHz } from "../audio-format.ts";
import { createResampler } from "../resample.ts";
import { bytesToSamples } from "../wav.ts";

/** Frames of sound as a client sends them. */
export interface SoundInput {
  /**
   * A frame's samples at 16 kHz. Raises `validation_failed` for a frame that holds no whole samples, `payload_too_large`
   * for one that is too large, `rate_limited` for sound that comes much faster than anybody can speak; such a frame is
   * left out.
   */
  read(frame: Uint8Array): Int16Array;
}

export const maxFrameBytes = 64 * 1024;

/** Sound may come so much ahead of time: what a client has held while its connection was away, or a file. */
const maxAheadMs = 60_000;
/** Beyond that, as fast as this. */
const maxPace = 2;

/** Reads signed 16-bit samples, little-endian, one channel, at `sampleRateHz`. */
export function createSoundInput(
  sampleRateHz: number,
  now: () => number = () => performance.now(),
): SoundInput {
  const resampler = createResampler(sampleRateHz, recognitionRateHz);
  let creditMs = maxAheadMs;
  let creditedMs = now();
  let refusedMs = -Infinity;

  /** False when there is no credit left; raises that once a second. */
  function spend(durationMs: number): boolean {
    const atMs = now();
    creditMs = Math.min(maxAheadMs, creditMs + (atMs - creditedMs) * maxPace);
    creditedMs = atMs;
    if (creditMs >= durationMs) {
      creditMs -= durationMs;
      return true;
    }
    if (atMs - refusedMs < 1_000) return false;
    refusedMs = atMs;
    throw new Problem("rate_limited", { seconds: 1 }, { retryAfterSeconds: 1 });
  }

  return {
    read(frame) {
      if (frame.length > maxFrameBytes) {
        throw new Problem("payload_too_large", { limit: `${maxFrameBytes} bytes of sound` });
      }
      if (frame.length === 0 || frame.length % 2 !== 0) {
        throw new Problem("validation_failed", {
          en: "A frame of sound holds whole samples of 16 bits.",
          zh: "每帧音频必须由完整的 16 位采样组成。",
        });
      }
      if (!spend((frame.length / 2 / sampleRateHz) * 1000)) return new Int16Array();
      return resampler.push(bytesToSamples(frame));
    },
  };
}
