import { fileOf } from "./audio-format.ts";
import { maxStoredAudioBytes, type AudioStore } from "./audio-store.ts";
import { sniffAudio } from "./sniff-audio.ts";
import { audioUrl } from "./stored-reply-audio.ts";

/** A recording that has been kept. */
export interface KeptRecording {
  /** Null when it was too large to keep. */
  readonly audioId: string | null;
  /** What the user's message says about it. */
  readonly described: object;
}

/** Keeps a recording where it is small enough; to be attached to its message afterwards. Raises `storage_unavailable`. */
export async function keepRecording(
  store: Pick<AudioStore, "save">,
  file: Uint8Array,
  durationMs: number,
): Promise<KeptRecording> {
  const container = sniffAudio(file);
  if (!container) throw new Error("a recording has no container");
  const described = { format: container, duration_ms: durationMs };
  if (file.length > maxStoredAudioBytes) return { audioId: null, described };
  const audioId = await store.save({
    sessionId: null,
    userId: "",
    messageId: null,
    format: container,
    mediaType: fileOf(container).mediaType,
    durationMs,
    bytes: file,
  });
  return { audioId, described: { audio_id: audioId, url: audioUrl(audioId), ...described } };
}
