import type { AudioContainer, PcmAudio } from "./audio-format.ts";

export interface RecordingInfo {
  readonly container: AudioContainer;
  /** Such as `opus`, `aac`, `mp3`, `pcm`; null when the container does not say. */
  readonly codec: string | null;
  /** From the container, without decoding. */
  readonly durationMs: number;
}

export interface DecodeOptions {
  /** More is not decoded: what goes beyond is cut off, for headers can lie. */
  readonly maxDurationMs: number;
  readonly signal: AbortSignal;
}

/**
 * Reads recordings. Works off the main thread, on untrusted bytes, in bounded time and memory.
 *
 * Raises `unsupported_media_type` for a container or codec that it cannot read, naming the remedy, `validation_failed`
 * for a file that is corrupt or holds no sound, `voice_unavailable` when it is busy or closed, or the signal's reason.
 */
export interface AudioDecoder {
  inspect(bytes: Uint8Array, signal: AbortSignal): Promise<RecordingInfo>;
  /** One channel at 16 kHz. */
  decode(bytes: Uint8Array, options: DecodeOptions): Promise<PcmAudio>;
  /** May be called twice. */
  close(): Promise<void>;
}
