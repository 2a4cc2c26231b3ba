/** A piece of a reply's speech. */
export interface SpeechPiece {
  readonly messageId: string;
  readonly text: string;
  readonly sound: Blob;
  readonly startMs: number;
}

interface SpeechQueueOptions {
  /** How far into the speech of a reply the listener is, a few times a second and at the end of each piece. */
  readonly onPlayed: (messageId: string, playedMs: number, isStopped: boolean) => void;
  /** What is being said; null: silence. */
  readonly onPiece: (piece: SpeechPiece | null) => void;
}

const reportMs = 250;

/** Plays piece after piece, and knows what of it was heard. */
export function createSpeechQueue({ onPlayed, onPiece }: SpeechQueueOptions) {
  const audio = new Audio();
  const waiting: SpeechPiece[] = [];
  const stopped = new Set<string>();
  let current: { readonly piece: SpeechPiece; readonly url: string } | null = null;

  const position = () =>
    current === null ? 0 : Math.round(current.piece.startMs + audio.currentTime * 1000);
  const advance = () => {
    if (current !== null) URL.revokeObjectURL(current.url);
    const piece = waiting.shift() ?? null;
    current = piece === null ? null : { piece, url: URL.createObjectURL(piece.sound) };
    onPiece(piece);
    if (current === null) return audio.removeAttribute("src");
    audio.src = current.url;
    audio.play().catch(skip);
  };
  /** What cannot be played holds up nothing. */
  const skip = () => {
    if (current !== null && audio.paused) advance();
  };
  const ended = () => {
    if (current !== null) onPlayed(current.piece.messageId, position(), false);
    advance();
  };
  audio.addEventListener("ended", ended);
  audio.addEventListener("error", skip);
  const timer = setInterval(() => {
    if (current !== null && !audio.paused) onPlayed(current.piece.messageId, position(), false);
  }, reportMs);

  /** Silence about this reply, now and later; returns how far it was heard, null: nothing of it was being said. */
  const stop = (messageId: string): number | null => {
    stopped.add(messageId);
    const rest = waiting.filter((piece) => piece.messageId !== messageId);
    waiting.splice(0, waiting.length, ...rest);
    if (current?.piece.messageId !== messageId) return null;
    const playedMs = position();
    audio.pause();
    onPlayed(messageId, playedMs, true);
    advance();
    return playedMs;
  };
  return {
    put(piece: SpeechPiece): void {
      if (stopped.has(piece.messageId)) return;
      waiting.push(piece);
      if (current === null) advance();
    },
    stop,
    /** The reply that is being said. */
    speaking: () => current?.piece.messageId ?? null,
    close(): void {
      clearInterval(timer);
      waiting.length = 0;
      audio.pause();
      if (current !== null) onPlayed(current.piece.messageId, position(), true);
      advance();
    },
  };
}
