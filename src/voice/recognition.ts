import { createTurnstile } from "../lib/turnstile.ts";
import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { AudioDecoder, RecordingInfo } from "./audio-decoder.ts";
import { pcmDurationMs, type PcmAudio } from "./audio-format.ts";
import { firstToSucceed, type SpeechWork } from "./engine-fallback.ts";
import { primaryLanguage } from "./language.ts";
import { containsSpeech } from "./speech-activity.ts";
import type { Recording, SpeechToText, SpokenSegment } from "./speech-to-text.ts";
import { voiceUnavailable, type UnavailableReason } from "./unavailable.ts";
import type { VoiceActivityDetector } from "./voice-activity-detector.ts";

export interface RecognitionOptions {
  /** In the order of preference; empty: recognition is off. */
  readonly engines: readonly SpeechToText[];
  readonly decoder: AudioDecoder;
  readonly detector: VoiceActivityDetector;
  /** When the caller names none; null: the engine finds out. */
  readonly language: string | null;
  readonly maxBytes: number;
  /** Why there are no engines, where there are none. */
  readonly absence: UnavailableReason;
  readonly logger: Logger;
  readonly observe: (work: SpeechWork) => void;
}

export interface RecognizedSpeech {
  readonly text: string;
  readonly language: string | null;
  readonly durationMs: number;
  /** Absent where the engine does not tell when what was said. */
  readonly segments?: readonly SpokenSegment[];
}

interface RecognizeOptions {
  readonly language?: string | undefined;
  readonly signal: AbortSignal;
}

interface TranscribeOptions extends RecognizeOptions {
  /** Whose recording it is: nobody has two of them decoded at a time. */
  readonly owner: string;
}

/** Turns what somebody said into text. */
export interface Recognition {
  /** Raises at once what any recording in this language would raise: `voice_unavailable`, `validation_failed`. */
  check(language: string | undefined): void;
  /**
   * The text of an uploaded file. Raises `voice_unavailable`, `speech_failed`, `speech_timeout`, `payload_too_large` (too
   * many bytes, more than ten minutes), `unsupported_media_type`, or `validation_failed` (damaged, too short, nobody
   * speaks): whatever can be refused is refused before an engine works.
   */
  transcribe(bytes: Uint8Array, options: TranscribeOptions): Promise<RecognizedSpeech>;
  /** The text of samples at 16 kHz; empty when nobody speaks. Raises the engine faults above. */
  transcribeSamples(audio: PcmAudio, options: RecognizeOptions): Promise<RecognizedSpeech>;
}

const maxDurationMs = 600_000;
const minDurationMs = 100;
/** Of one owner, while another is decoded. */
const maxWaitingRecordings = 4;

function invalid(en: string, zh: string): Problem<"validation_failed"> {
  return new Problem(
    "validation_failed",
    { en, zh },
    { details: [{ path: "/audio_file", message: en, zh }] },
  );
}

const languageTag = /^[a-zA-Z]{2,3}([-_][a-zA-Z0-9-]{1,20})?$/;

/** As callers name one; also nothing, and `auto`. */
export const languageField = {
  type: "string",
  pattern: `${languageTag.source}|^(auto)?$`,
} as const;

export function createRecognition(options: RecognitionOptions): Recognition {
  const { engines, decoder, detector, logger, observe } = options;
  const oneAtATime = createTurnstile(maxWaitingRecordings, () => voiceUnavailable("busy"));
  const calls = { direction: "recognition", logger, observe } as const;

  /** What engines are told; undefined: find out. Raises `validation_failed` for what is no language. */
  function languageFor(asked: string | undefined): string | undefined {
    const named =
      asked === undefined || asked === "" || asked === "auto" ? options.language : asked;
    if (named === null) return undefined;
    if (!languageTag.test(named)) {
      const fault = {
        path: "/language",
        message: "must be a language tag such as en or zh",
        zh: "必须是语言标记，例如 en 或 zh",
      };
      throw new Problem("validation_failed", {}, { details: [fault] });
    }
    return primaryLanguage(named);
  }

  function enginesFor(language: string | undefined): readonly SpeechToText[] {
    if (engines.length === 0) throw voiceUnavailable(options.absence);
    const able = engines.filter(
      ({ languages }) => languages === "any" || !language || languages.includes(language),
    );
    if (able.length === 0) throw voiceUnavailable("language");
    return able;
  }

  async function ask(
    able: readonly SpeechToText[],
    recordings: { upload: Recording | null; pcm: Recording | null },
    language: string | undefined,
    durationMs: number,
    signal: AbortSignal,
  ): Promise<RecognizedSpeech> {
    const transcript = await firstToSucceed(
      able,
      (engine) => {
        const { upload, pcm } = recordings;
        const recording = engine.accepts === "uploads" ? (upload ?? pcm) : pcm;
        if (recording === null) throw new Error("there is no recording for this engine");
        return engine.transcribe(recording, { language, signal });
      },
      calls,
    );
    return {
      text: transcript.text.trim(),
      language: transcript.language ?? language ?? null,
      durationMs,
      ...(transcript.segments !== undefined && { segments: transcript.segments }),
    };
  }

  /** Null where this machine cannot decode it, which engines that take uploads do not mind. */
  async function decoded(
    bytes: Uint8Array,
    { durationMs }: RecordingInfo,
    needed: boolean,
    signal: AbortSignal,
  ) {
    try {
      // A little more than the container says, never more than is taken.
      const longest = Math.min(maxDurationMs, durationMs + 1_000);
      return await decoder.decode(bytes, { maxDurationMs: longest, signal });
    } catch (error) {
      const unsupported = error instanceof Problem && error.type === "unsupported_media_type";
      if (unsupported && !needed) return null;
      throw error;
    }
  }

  function checkDuration({ durationMs }: RecordingInfo): void {
    if (durationMs > maxDurationMs) throw new Problem("payload_too_large", { limit: "10 min" });
    if (durationMs < minDurationMs) {
      throw invalid("The recording is shorter than 0.1 s.", "录音短于 0.1 秒。");
    }
  }

  return {
    check(language) {
      enginesFor(languageFor(language));
    },
    async transcribe(bytes, { language: asked, owner, signal }) {
      const language = languageFor(asked);
      const able = enginesFor(language);
      if (bytes.length > options.maxBytes) {
        throw new Problem("payload_too_large", { limit: `${options.maxBytes} bytes` });
      }
      if (bytes.length === 0) throw invalid("The recording is empty.", "录音文件为空。");
      const needed = able.every(({ accepts }) => accepts === "pcm");
      const { info, audio } = await oneAtATime(owner, signal, async () => {
        const info = await decoder.inspect(bytes, signal);
        checkDuration(info);
        return { info, audio: await decoded(bytes, info, needed, signal) };
      });
      if (audio && !(await containsSpeech(audio, detector, signal))) throw noSpeech();
      const { container, durationMs } = info;
      const recordings = {
        upload: { kind: "upload", container, bytes, durationMs } as const,
        pcm: audio && ({ kind: "pcm", audio } as const),
      };
      // Without samples, only engines that take the file as it is.
      const usable = audio ? able : able.filter(({ accepts }) => accepts === "uploads");
      const heard = await ask(usable, recordings, language, durationMs, signal);
      if (heard.text === "" || (!audio && isInvented(heard.text))) throw noSpeech();
      return heard;
    },
    async transcribeSamples(audio, { language: asked, signal }) {
      const language = languageFor(asked);
      const able = enginesFor(language);
      const durationMs = pcmDurationMs(audio);
      if (durationMs < minDurationMs || !(await containsSpeech(audio, detector, signal))) {
        return { text: "", language: language ?? null, durationMs };
      }
      const recordings = { upload: null, pcm: { kind: "pcm", audio } as const };
      return ask(able, recordings, language, durationMs, signal);
    },
  };
}

/**
 * What recognisers that learned from subtitles make of silence. Only where this machine could not listen itself whether
 * somebody speaks: said to a recording that was heard, they are words like others.
 */
function isInvented(text: string): boolean {
  return inventions.test(text.trim());
}

const inventions =
  /^(?:(?:thank you|thanks)(?: (?:so|very) much)? for (?:watching|listening)|(?:please )?(?:like and )?subscribe(?: to (?:my|our|the) channel)?|subtitles by .{1,60}|(?:谢谢|感谢)(?:大家|您|你)?的?(?:观看|收看|收听)|请不吝点赞.{0,40}|(?:中文)?字幕.{1,40}|ご視聴ありがとうございました|you)[\s.!。！]*$/iu;

function noSpeech(): Problem<"validation_failed"> {
  return invalid("Nobody speaks in the recording.", "录音中没有人声。");
}
