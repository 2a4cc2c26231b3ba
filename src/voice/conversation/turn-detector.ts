import { recognitionRateHz, type PcmAudio } from "../audio-format.ts";
import {
  isLively,
  isSteady,
  loudnessOf,
  settlingFrames,
  voicedFrames,
  windowFrames,
} from "../speech-activity.ts";
import { activityFrameMs, type VoiceActivityDetector } from "../voice-activity-detector.ts";

/** What has been noticed in the sound; times count from its start. */
export type Noticed =
  | { readonly kind: "started"; readonly atMs: number }
  | {
      readonly kind: "ended";
      readonly atMs: number;
      readonly durationMs: number;
      /** `noise`: it was no voice after all, there is no turn. */
      readonly reason: "silence" | "commit" | "too_long" | "noise";
      /** At 16 kHz; null when there is no turn. */
      readonly audio: PcmAudio | null;
    };

export interface TurnDetectorOptions {
  readonly detector: VoiceActivityDetector;
  /** So long a silence ends a turn. */
  readonly silenceMs: number;
  /** All sound belongs to the turn, and only `commit` ends it. */
  readonly isManual: boolean;
  readonly maxTurnMs: number;
}

/** Cuts a stream of sound into turns. Holds one turn of at most `maxTurnMs`. */
export interface TurnDetector {
  /** Samples at 16 kHz, in pieces of any size. */
  push(samples: Int16Array): Noticed[];
  /** The turn is over now; null when there is none. */
  commit(): Noticed | null;
  /** Forgets the turn that has begun. */
  reset(): void;
  /** May be called twice; nothing else afterwards. */
  close(): void;
}

const frameSamples = (recognitionRateHz * activityFrameMs) / 1000;
/** Kept of what was before a voice was noticed: its beginning is soft. */
const prerollFrames = windowFrames + 5;
/** Of the silence at its end a turn keeps so much: recognisers want to hear that it ends. */
const tailFrames = 10;

interface Frame {
  readonly samples: Int16Array;
  readonly isVoiced: boolean;
  readonly loudness: number;
}

export function createTurnDetector(options: TurnDetectorOptions): TurnDetector {
  const { silenceMs, isManual, maxTurnMs } = options;
  const silentFrames = Math.ceil(silenceMs / activityFrameMs);
  const maxFrames = Math.floor(maxTurnMs / activityFrameMs);
  const activity = options.detector.open();
  let isOpen = true;
  let rest = new Int16Array();
  let frames = 0;
  let recent: Frame[] = [];
  /** Null while nobody speaks. */
  let turn: Frame[] | null = null;
  let startedMs = 0;
  /** Frames of the turn up to the last that was surely a voice. */
  let spoken = 0;
  let loudness: number[] = [];

  const nowMs = () => frames * activityFrameMs;

  function begin(first: readonly Frame[], atMs: number): Noticed {
    turn = [...first];
    startedMs = atMs;
    spoken = turn.length;
    loudness = turn.filter(({ isVoiced }) => isVoiced).map((frame) => frame.loudness);
    recent = [];
    return { kind: "started", atMs };
  }

  function end(reason: "silence" | "commit" | "too_long" | "noise"): Noticed {
    const all = turn ?? [];
    const kept = reason === "silence" ? all.slice(0, spoken + tailFrames) : all;
    turn = null;
    recent = [];
    loudness = [];
    const audio = { samples: joined(kept), sampleRateHz: recognitionRateHz };
    const endedMs = reason === "silence" ? nowMs() - (all.length - spoken) * activityFrameMs : null;
    return {
      kind: "ended",
      atMs: nowMs(),
      durationMs: (endedMs ?? nowMs()) - startedMs,
      reason,
      audio: reason === "noise" ? null : audio,
    };
  }

  /** Somebody speaks when most of the newest frames are voiced, and not as even as a hum. */
  function listen(frame: Frame): Noticed | null {
    recent.push(frame);
    if (recent.length > prerollFrames) recent.shift();
    const newest = recent.slice(-windowFrames);
    if (newest.filter(({ isVoiced }) => isVoiced).length < voicedFrames) return null;
    if (!isLively(recent.map((each) => each.loudness))) return null;
    const first = newest.findIndex(({ isVoiced }) => isVoiced);
    return begin(recent, nowMs() - (newest.length - first) * activityFrameMs);
  }

  function goOn(all: Frame[], frame: Frame): Noticed | null {
    const previous = all.at(-1);
    all.push(frame);
    if (frame.isVoiced) {
      loudness.push(frame.loudness);
      // A single voiced frame may be a click.
      if (previous?.isVoiced === true) spoken = all.length;
    }
    if (!isManual) {
      if (frame.isVoiced && isSteady(loudness)) return end("noise");
      if (all.length - spoken >= silentFrames) return end("silence");
    }
    return all.length >= maxFrames ? end("too_long") : null;
  }

  function judge(samples: Int16Array): Noticed | null {
    // Detectors have to settle: they take the first frames of anything for a voice.
    const [verdict = false] = activity.push(samples);
    const isVoiced = verdict && frames >= settlingFrames;
    frames++;
    const frame = { samples, isVoiced, loudness: loudnessOf(samples) };
    if (turn !== null) return goOn(turn, frame);
    return isManual ? begin([frame], nowMs() - activityFrameMs) : listen(frame);
  }

  return {
    push(samples) {
      const all = new Int16Array(rest.length + samples.length);
      all.set(rest);
      all.set(samples, rest.length);
      const noticed: Noticed[] = [];
      let at = 0;
      for (; at + frameSamples <= all.length; at += frameSamples) {
        const news = judge(all.slice(at, at + frameSamples));
        if (news) noticed.push(news);
      }
      rest = all.slice(at);
      return noticed;
    },
    commit: () => (turn === null ? null : end("commit")),
    reset() {
      turn = null;
      recent = [];
      loudness = [];
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      activity.close();
    },
  };
}

function joined(frames: readonly Frame[]): Int16Array {
  const samples = new Int16Array(frames.length * frameSamples);
  for (const [index, frame] of frames.entries()) samples.set(frame.samples, index * frameSamples);
  return samples;
}
