import type { AudioContainer, PcmAudio } from "./audio-format.ts";

/** A recording of one speaker's turn. */
export type Recording =
  /** As it was uploaded. */
  | {
      readonly kind: "upload";
      readonly container: AudioContainer;
      readonly bytes: Uint8Array;
      readonly durationMs: number;
    }
  /** Decoded to 16 kHz. */
  | { readonly kind: "pcm"; readonly audio: PcmAudio };

/** A piece of what was said, and when, in seconds from the beginning. */
export interface SpokenSegment {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface Transcript {
  /** Empty when nothing was said. */
  readonly text: string;
  /** The text in pieces, where the engine tells when each was said. */
  readonly segments?: readonly SpokenSegment[];
  /** Primary tag such as `zh`, where the engine tells or was told. */
  readonly language: string | null;
}

export interface TranscribeOptions {
  /** Primary tag such as `zh`; absent: the engine finds out, or takes its default. */
  readonly language?: string | undefined;
  readonly signal: AbortSignal;
}

/** What a probe of a speech engine found; `details` carries no addresses and no credentials. */
export interface SpeechHealth {
  readonly status: "healthy" | "unhealthy";
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * A speech recogniser.
 *
 * Raises `voice_unavailable` (cannot be reached, not installed, busy, closed), `speech_timeout` and `speech_failed`,
 * after which another engine may succeed, and `validation_failed` or `unsupported_media_type` when the recording is at
 * fault. Rejects with the signal's reason soon after it aborts, and then nothing goes on behind the scenes: no request,
 * no program, no file. What the engine itself said goes into `cause` only.
 */
export interface SpeechToText {
  readonly provider: "openai" | "command" | "sherpa";
  /** Primary tags, or `any`. */
  readonly languages: readonly string[] | "any";
  /** `uploads`: takes both kinds of recording. `pcm`: only decoded ones. */
  readonly accepts: "uploads" | "pcm";
  transcribe(recording: Recording, options: TranscribeOptions): Promise<Transcript>;
  /** Bounded by `signal`; never raises for an engine that is out of order, but says so. */
  probe(signal: AbortSignal): Promise<SpeechHealth>;
  /** Ends what runs and releases everything. May be called twice. */
  close(): Promise<void>;
}
