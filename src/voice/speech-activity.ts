import { setImmediate as nextTurn } from "node:timers/promises";
import { recognitionRateHz, type PcmAudio } from "./audio-format.ts";
import { activityFrameMs, type VoiceActivityDetector } from "./voice-activity-detector.ts";

const frameSamples = (recognitionRateHz * activityFrameMs) / 1000;
/** So much is judged before others have their turn on this thread. */
const sliceSamples = recognitionRateHz * 20;

/** A voice is there when so many of neighbouring frames say so. */
export const windowFrames = 10;
export const voicedFrames = 6;
/** Detectors have to settle: they take the first frames of anything for a voice. */
export const settlingFrames = 3;

/** From so many voiced frames on, a voice must have changed its loudness. */
const steadyFrames = 20;
/** Standard deviation in decibels; hum, tones and noise stay below 2.5, speech is around 8. */
const minLoudnessSpread = 3;

/** Loudness of a frame in decibels. */
export function loudnessOf(frame: Int16Array): number {
  let energy = 1;
  for (const sample of frame) energy += sample * sample;
  return 10 * Math.log10(energy / frame.length);
}

function spreadOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return Math.sqrt(variance);
}

/** Whether so many voiced frames are as even as no voice is: hum, tones and noise. */
export function isSteady(loudness: readonly number[]): boolean {
  return loudness.length >= steadyFrames && !isLively(loudness);
}

/** Whether the loudness of frames changes as that of a voice does. */
export function isLively(loudness: readonly number[]): boolean {
  return loudness.length > 0 && spreadOf(loudness) >= minLoudnessSpread;
}

/** Collects verdicts on frames until somebody has certainly spoken. */
export interface SpeechEvidence {
  /** A frame of 30 ms at 16 kHz and what the detector said of it. */
  add(voiced: boolean, frame: Int16Array): void;
  /** Whether there was a voice: enough neighbouring frames, and not as steady as a hum. */
  found(): boolean;
}

export function createSpeechEvidence(): SpeechEvidence {
  const recent: boolean[] = [];
  const loudness: number[] = [];
  let frames = 0;
  let dense = false;
  return {
    add(voiced, frame) {
      frames++;
      if (voiced) loudness.push(loudnessOf(frame));
      if (frames <= settlingFrames) return;
      recent.push(voiced);
      if (recent.length > windowFrames) recent.shift();
      if (recent.filter(Boolean).length >= voicedFrames) dense = true;
    },
    found() {
      return dense && !isSteady(loudness);
    },
  };
}

/**
 * Whether anybody speaks in a recording (16 kHz): recognisers invent words for silence and hum, so they are not asked
 * about them. Rejects with the signal's reason.
 */
export async function containsSpeech(
  audio: PcmAudio,
  detector: VoiceActivityDetector,
  signal: AbortSignal,
): Promise<boolean> {
  const stream = detector.open();
  let frames = 0;
  try {
    for (let start = 0; start < audio.samples.length; start += sliceSamples) {
      signal.throwIfAborted();
      // Judged slice by slice: speech after minutes of hum is speech.
      const evidence = createSpeechEvidence();
      for (const voiced of stream.push(audio.samples.subarray(start, start + sliceSamples))) {
        const at = frames * frameSamples;
        evidence.add(voiced, audio.samples.subarray(at, at + frameSamples));
        frames++;
      }
      if (evidence.found()) return true;
      await nextTurn();
    }
    return false;
  } finally {
    stream.close();
  }
}
