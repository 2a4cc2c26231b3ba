import { onReplyEvent } from "../state/follow.ts";
import { createStore } from "../state/store.ts";

/** The message being spoken; null: silence. */
export const speaking = createStore<string | null>(null);

interface Piece {
  readonly messageId: string;
  readonly url: string;
}

const waiting: Piece[] = [];
const audio = new Audio();
let current: Piece | null = null;

/** Replies that were asked for here with speech: others, such as in another tab, stay silent. */
const asked = new Set<string>();

export function expectSpeech(messageId: string): void {
  asked.add(messageId);
}

/** Says sentence after sentence of a reply while the rest is still being written. */
export function startPlayer(): void {
  onReplyEvent((message, event) => {
    if (event.type !== "audio_chunk" || !asked.has(message.message_id)) return;
    const bytes = Uint8Array.from(atob(event.data), (character) => character.charCodeAt(0));
    play(message.message_id, new Blob([bytes], { type: mediaTypes[event.format] ?? "audio/wav" }));
  });
  audio.addEventListener("ended", next);
  audio.addEventListener("error", () => {
    if (current !== null) next();
  });
}

/** Says this after what is being said. */
export function play(messageId: string, sound: Blob): void {
  waiting.push({ messageId, url: URL.createObjectURL(sound) });
  if (current === null) next();
}

/** Silence, now, and for the rest of these replies. */
export function stopSpeaking(): void {
  asked.clear();
  for (const { url } of waiting.splice(0)) URL.revokeObjectURL(url);
  audio.pause();
  next();
}

const mediaTypes: Readonly<Record<string, string>> = {
  wav: "audio/wav",
  mp3: "audio/mpeg",
  opus: "audio/ogg",
  ogg: "audio/ogg",
  aac: "audio/aac",
  flac: "audio/flac",
};

function next(): void {
  if (current !== null) URL.revokeObjectURL(current.url);
  current = waiting.shift() ?? null;
  speaking.set(current?.messageId ?? null);
  if (current === null) {
    audio.removeAttribute("src");
    return;
  }
  audio.src = current.url;
  // A browser that has not been touched yet stays silent.
  audio.play().catch(() => {
    if (audio.error === null && audio.paused) stopSpeaking();
  });
}
