import { mustBeOneOf, Problem, type ProblemDetail } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { AudioDecoder } from "./audio-decoder.ts";
import type { AudioEncoder } from "./audio-encoder.ts";
import { audioFormats, isAudioFormat, type AudioFormat } from "./audio-format.ts";
import { collect } from "./byte-stream.ts";
import { firstToSucceed, type SpeechWork } from "./engine-fallback.ts";
import type { Speech, TextToSpeech, VoiceDescription } from "./text-to-speech.ts";
import { voiceUnavailable, type UnavailableReason } from "./unavailable.ts";
import { readWav, readWavLayout, samplesToBytes, wavDurationMs, writeWav } from "./wav.ts";

export interface SynthesisOptions {
  /** In the order of preference; empty: synthesis is off. */
  readonly engines: readonly TextToSpeech[];
  readonly decoder: AudioDecoder;
  readonly encoder: AudioEncoder;
  /** Why there are no engines, where there are none. */
  readonly absence: UnavailableReason;
  readonly logger: Logger;
  readonly observe: (work: SpeechWork) => void;
}

/** How a caller wants something said, checked. */
export interface SpeechStyle {
  /** Undefined: the engine's own. */
  readonly voice: string | undefined;
  /** A wish, but for `pcm` and `opus`, which every engine's speech can be made into. */
  readonly format: AudioFormat;
  readonly speed: number;
}

/** A piece of speech, all of it. */
export interface SpeechPiece {
  readonly format: AudioFormat;
  readonly sampleRateHz: number | null;
  /** A WAV header tells the right length. */
  readonly bytes: Uint8Array;
  readonly durationMs: number | null;
}

interface SayOptions {
  readonly language: string;
  readonly style: SpeechStyle;
  readonly signal: AbortSignal;
}

/** Says pieces of text with whatever engine can. */
export interface Synthesis {
  /** Checks what a caller asks for; raises `validation_failed` naming the member. Without a format it is WAV. */
  style(asked: {
    voice?: string | undefined;
    format?: string | undefined;
    speed?: number | undefined;
  }): SpeechStyle;
  /** The engines for a language, best first. Raises `voice_unavailable` when there is none. */
  enginesFor(language: string, style: SpeechStyle): readonly TextToSpeech[];
  /** Resolves with the first bytes; raises what `TextToSpeech` raises, after every engine was tried. */
  open(text: string, options: SayOptions): Promise<Speech>;
  /** One piece as a whole; other engines are tried also when one dies in mid-piece. */
  say(text: string, options: SayOptions): Promise<SpeechPiece>;
  voices(signal: AbortSignal): Promise<readonly VoiceDescription[]>;
}

const maxPieceBytes = 16 * 1024 * 1024;

export async function createSynthesis(options: SynthesisOptions): Promise<Synthesis> {
  const { engines, decoder, encoder, logger, observe } = options;
  const calls = { direction: "synthesis", logger, observe } as const;
  /** Voices of the engines that have a fixed list; servers are asked only when somebody wants to choose. */
  const localVoices = new Map<string, TextToSpeech>();
  for (const engine of engines) {
    if (engine.provider === "openai") continue;
    for (const { id } of await engine.voices(new AbortController().signal)) {
      if (!localVoices.has(id)) localVoices.set(id, engine);
    }
  }

  function enginesFor(language: string, style: SpeechStyle): readonly TextToSpeech[] {
    if (engines.length === 0) throw voiceUnavailable(options.absence);
    const able = engines.filter(
      ({ languages }) => languages === "any" || languages.includes(language),
    );
    if (able.length === 0) throw voiceUnavailable(language === "zh" ? "chinese" : "language");
    const owner = style.voice === undefined ? undefined : localVoices.get(style.voice);
    return owner ? able.toSorted((a, b) => Number(b === owner) - Number(a === owner)) : able;
  }

  function begin(engine: TextToSpeech, text: string, { language, style, signal }: SayOptions) {
    const { formats } = engine;
    const own = formats.includes("wav") ? "wav" : (formats[0] ?? "wav");
    const owner = style.voice === undefined ? undefined : localVoices.get(style.voice);
    // A voice that nobody here has may be one of a server's.
    const voice =
      owner === engine || (!owner && engine.provider === "openai") ? style.voice : undefined;
    return engine.synthesize(text, {
      language,
      voice,
      format: formats.includes(style.format) ? style.format : own,
      speed: style.speed,
      signal,
    });
  }

  async function whole(
    speech: Speech,
    style: SpeechStyle,
    signal: AbortSignal,
  ): Promise<SpeechPiece> {
    const bytes = await collect(speech.bytes, maxPieceBytes);
    if (!bytes) throw failed("an engine sent too much speech");
    if (speech.format === "pcm") {
      const rate = speech.sampleRateHz ?? 24_000;
      const durationMs = Math.round((bytes.length / 2 / rate) * 1000);
      return { format: "pcm", sampleRateHz: rate, bytes, durationMs };
    }
    if (speech.format !== "wav") {
      const durationMs = await durationOf(bytes, signal);
      return { format: speech.format, sampleRateHz: speech.sampleRateHz, bytes, durationMs };
    }
    const layout = readWavLayout(bytes);
    const audio = readWav(bytes);
    if (!layout || !audio || layout.dataBytes === 0)
      throw failed("an engine sent a broken WAV file");
    const { sampleRateHz } = audio;
    const durationMs = wavDurationMs(layout);
    if (style.format === "pcm") {
      return { format: "pcm", sampleRateHz, bytes: samplesToBytes(audio.samples), durationMs };
    }
    if (style.format === "opus") {
      const opus = await encoder.encode(audio, "opus", signal);
      return { format: "opus", sampleRateHz, bytes: opus, durationMs };
    }
    return { format: "wav", sampleRateHz, bytes: writeWav(audio), durationMs };
  }

  async function durationOf(bytes: Uint8Array, signal: AbortSignal): Promise<number | null> {
    try {
      return (await decoder.inspect(bytes, signal)).durationMs;
    } catch (error) {
      signal.throwIfAborted();
      // AAC without a container, for one; only its length stays unknown.
      logger.debug({ err: error }, "the length of a piece of speech cannot be told");
      return null;
    }
  }

  return {
    style({ voice, format, speed = 1 }) {
      const details: ProblemDetail[] = [];
      const chosen = voice === undefined || voice === "" || voice === "default" ? undefined : voice;
      const hasServer = engines.some(({ provider }) => provider === "openai");
      if (chosen !== undefined && engines.length > 0 && !localVoices.has(chosen) && !hasServer) {
        details.push({
          path: "/voice",
          message: "is not one of GET /chat/voices",
          zh: "不在 GET /chat/voices 的列表中",
        });
      }
      const wanted = (format ?? "wav").toLowerCase();
      if (!isAudioFormat(wanted)) {
        details.push({ path: "/format", ...mustBeOneOf(audioFormats) });
      }
      if (!(speed >= 0.25 && speed <= 4)) {
        details.push({
          path: "/speed",
          message: "must be from 0.25 to 4",
          zh: "必须在 0.25 到 4 之间",
        });
      }
      if (details.length > 0 || !isAudioFormat(wanted)) {
        throw new Problem("validation_failed", {}, { details });
      }
      return { voice: chosen, format: wanted, speed };
    },
    enginesFor,
    async open(text, say) {
      const able = enginesFor(say.language, say.style);
      return firstToSucceed(able, (engine) => begin(engine, text, say), calls);
    },
    async say(text, say) {
      const able = enginesFor(say.language, say.style);
      return firstToSucceed(
        able,
        async (engine) => whole(await begin(engine, text, say), say.style, say.signal),
        calls,
      );
    },
    async voices(signal) {
      const lists = await Promise.all(engines.map((engine) => engine.voices(signal)));
      const seen = new Set<string>();
      return lists.flat().filter(({ id }) => !seen.has(id) && seen.add(id));
    },
  };
}

function failed(what: string): Problem<"speech_failed"> {
  return new Problem("speech_failed", {}, { cause: new Error(what) });
}
