import type { AudioFormat, PcmAudio } from "./audio-format.ts";

/**
 * Makes speech small: bare samples of a minute are 2 MB, as Opus 200 KB. Works off the main thread.
 *
 * Raises `voice_unavailable` when it is busy or closed, `speech_failed`, or the signal's reason.
 */
export interface AudioEncoder {
  readonly formats: readonly AudioFormat[];
  /** A whole file in one of `formats`, a little worse where it would not fit into `maxBytes` otherwise. */
  encode(
    audio: PcmAudio,
    format: AudioFormat,
    signal: AbortSignal,
    maxBytes?: number,
  ): Promise<Uint8Array>;
  /** May be called twice. */
  close(): Promise<void>;
}
