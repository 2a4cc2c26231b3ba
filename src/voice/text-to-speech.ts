import type { AudioFormat } from "./audio-format.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { SpeechHealth } from "./speech-to-text.ts";

export interface VoiceDescription {
  /** What callers send as `voice`. */
  readonly id: string;
  readonly name: string;
  /** Primary tag of what it speaks well; null when it speaks several languages or the engine does not say. */
  readonly language: string | null;
}

/** Speech that is being made. */
export interface Speech {
  /** What the bytes really are: the format asked for is a wish. */
  readonly format: AudioFormat;
  /** Where it is known before the end. */
  readonly sampleRateHz: number | null;
  /**
   * The bytes as they are made; to be read to the end or returned. A WAV header may not tell the right length. Raises
   * what `synthesize` raises, or the signal's reason.
   */
  readonly bytes: ByteStream;
}

export interface SynthesizeOptions {
  /** Primary tag of the text's language. */
  readonly language: string;
  /** One of `voices`; absent: the engine's own choice for the language. */
  readonly voice?: string | undefined;
  /** A wish. */
  readonly format: AudioFormat;
  /** 1 is normal, 0.25..4. */
  readonly speed: number;
  readonly signal: AbortSignal;
}

/**
 * A speech synthesiser. The promise resolves with the first bytes: until then another engine can take over.
 *
 * Raises `voice_unavailable` (cannot be reached, not installed, busy, closed, or does not speak the language),
 * `speech_timeout` and `speech_failed`, after which another engine may succeed, and `validation_failed` when no engine
 * would. Rejects with the signal's reason soon after it aborts, and then nothing goes on behind the scenes.
 * Text is data, whatever it contains. It has something to pronounce and at most `maxCharacters`.
 */
export interface TextToSpeech {
  readonly provider: "openai" | "flite" | "command" | "sherpa";
  /** Primary tags, or `any`. */
  readonly languages: readonly string[] | "any";
  readonly formats: readonly AudioFormat[];
  /** In UTF-16 units. */
  readonly maxCharacters: number;
  /** Whether long texts begin to sound before the whole of them is made, so that they need not be cut. */
  readonly streams: boolean;
  synthesize(text: string, options: SynthesizeOptions): Promise<Speech>;
  /** What there is to choose from; empty when the engine has no list. Never raises but for the signal. */
  voices(signal: AbortSignal): Promise<readonly VoiceDescription[]>;
  /** Bounded by `signal`; never raises for an engine that is out of order, but says so. */
  probe(signal: AbortSignal): Promise<SpeechHealth>;
  /** Ends what runs and releases everything. May be called twice. */
  close(): Promise<void>;
}
