import type { Synthesis, SpeechPiece, SpeechStyle } from "./synthesis.ts";
import { isSpeakable, languageOf } from "./language.ts";
import { createSentenceCutter, type Sentence } from "./sentences.ts";
import { createSpeakableText } from "./speakable-text.ts";

/** A spoken piece of a reply. */
export interface SpokenPiece extends SpeechPiece {
  /** 1, 2, 3 … */
  readonly sequence: number;
  readonly text: string;
  readonly language: string;
  /** How much of the written text has been said when this piece is over, in UTF-16 units. */
  readonly sourceEnd: number;
}

/** Speaks a text while it is being written. */
export interface ReplySpeaker {
  /** More of the text; costs little and never waits. */
  push(delta: string): void;
  /** Nothing follows. */
  end(): void;
  /**
   * The pieces in order; to be read by one reader. While it is busy with one (playing it), the next two are being made,
   * no more. Raises the fault of the first piece that cannot be said, or the signal's reason; nothing goes on then.
   */
  readonly pieces: AsyncGenerator<SpokenPiece, void, void>;
}

export interface ReplySpeakerOptions {
  readonly synthesis: Synthesis;
  readonly style: SpeechStyle;
  /** Of pieces whose language cannot be told. */
  readonly language: string;
  readonly signal: AbortSignal;
  /** After so long without text, what there is is spoken. */
  readonly idleMs?: number;
  /** Speech beyond this is not made. */
  readonly maxDurationMs?: number;
}

const lookAhead = 2;
const defaultIdleMs = 600;
const defaultMaxDurationMs = 600_000;
/** Made and not yet read: then nothing more is begun. */
const maxWaitingBytes = 8 * 1024 * 1024;

interface Making {
  readonly sentence: Sentence;
  readonly language: string;
  readonly piece: Promise<SpeechPiece>;
  bytes: number;
}

export function createReplySpeaker(options: ReplySpeakerOptions): ReplySpeaker {
  const { synthesis, style, idleMs = defaultIdleMs } = options;
  const maxDurationMs = options.maxDurationMs ?? defaultMaxDurationMs;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const speakable = createSpeakableText(options.language);
  const cutter = createSentenceCutter();
  const waiting: Sentence[] = [];
  const making: Making[] = [];
  let { language } = options;
  let ended = false;
  let wake = Promise.withResolvers<void>();
  let idleTimer: NodeJS.Timeout | undefined;

  function add(sentences: readonly Sentence[]): void {
    waiting.push(...sentences.filter(({ text }) => isSpeakable(text)));
    fill(lookAhead);
    wake.resolve();
  }

  /** Begins pieces until so many are being made. */
  function fill(atMost: number): void {
    const waitingBytes = making.reduce((sum, { bytes }) => sum + bytes, 0);
    if (signal.aborted || waitingBytes > maxWaitingBytes) return;
    while (making.length < atMost) {
      const sentence = waiting.shift();
      if (!sentence) return;
      language = languageOf(sentence.text, language);
      const piece = synthesis.say(sentence.text.trim(), { language, style, signal });
      const entry: Making = { sentence, language, piece, bytes: 0 };
      making.push(entry);
      piece.then(
        ({ bytes }) => {
          entry.bytes = bytes.length;
        },
        // Its reader is told in its turn, if it comes.
        () => undefined,
      );
    }
  }

  async function* pieces(): AsyncGenerator<SpokenPiece, void, void> {
    let sequence = 0;
    let durationMs = 0;
    try {
      for (;;) {
        signal.throwIfAborted();
        // One to be played next, and those after it.
        fill(lookAhead + 1);
        const [next] = making;
        if (!next) {
          if (ended) return;
          wake = Promise.withResolvers<void>();
          await Promise.race([wake.promise, aborted]);
          continue;
        }
        const piece = await Promise.race([next.piece, aborted]);
        making.shift();
        durationMs += piece.durationMs ?? 0;
        const { sentence } = next;
        yield {
          ...piece,
          sequence: ++sequence,
          text: sentence.text.trim(),
          language: next.language,
          sourceEnd: sentence.sourceEnd,
        };
        if (durationMs > maxDurationMs) return;
      }
    } finally {
      clearTimeout(idleTimer);
      stop.abort(new Error("the speech has ended"));
      waiting.length = 0;
      making.length = 0;
      ended = true;
    }
  }

  const aborted = new Promise<never>((_, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  // Only a reader that waits is to be told.
  aborted.catch(() => undefined);

  return {
    push(delta) {
      if (ended || signal.aborted) return;
      clearTimeout(idleTimer);
      add(cutter.push(speakable.push(delta)));
      idleTimer = setTimeout(() => add(cutter.idle()), idleMs);
    },
    end() {
      if (ended) return;
      clearTimeout(idleTimer);
      const rest = cutter.push(speakable.flush());
      ended = true;
      add([...rest, ...cutter.flush()]);
    },
    pieces: pieces(),
  };
}
