import { isId } from "../lib/ids.ts";
import type { AudioStore } from "./audio-store.ts";

/** Path of stored sound. */
export function audioUrl(audioId: string): string {
  return `/chat/audio/${audioId}`;
}

/** What an answer in one piece says of the reply's speech: with the sound itself; null without any. */
export type StoredReplyAudio = (reply: { readonly audio: object | null }) => Promise<object | null>;

export function createStoredReplyAudio(store: Pick<AudioStore, "find">): StoredReplyAudio {
  return async ({ audio }) => {
    const audioId = audio && "audio_id" in audio ? audio.audio_id : null;
    if (typeof audioId !== "string" || !isId(audioId)) return null;
    const stored = await store.find(audioId);
    if (!stored) return null;
    return {
      audio_id: audioId,
      url: audioUrl(audioId),
      format: stored.format,
      encoding: "base64",
      data: Buffer.from(stored.bytes).toString("base64"),
      duration_ms: stored.durationMs,
    };
  };
}
