/** A piece of a reply's speech, as its `audio_chunk` describes it. */
export interface SpokenChunk {
  /** Number of its event in the reply. */
  readonly seq: number;
  readonly sequence: number;
  readonly startMs: number;
  readonly durationMs: number;
  /** The part of the reply's text that it stands for, in UTF-16 units. */
  readonly textStart: number;
  readonly textEnd: number;
}

/** How far somebody is in listening to one reply. */
export interface Playback {
  /** In any order; one that is there already changes nothing. `isNew`: it is being sent just now. */
  add(chunk: SpokenChunk, isNew: boolean): void;
  /** The listener says how much of the reply's speech it has heard. */
  acknowledge(playedMs: number): void;
  /** The listener is silent now, and stays so. */
  stop(): void;
  /** Of what has been acknowledged, as far as there is speech. */
  readonly playedMs: number;
  readonly isAcknowledged: boolean;
  readonly hasSpeech: boolean;
  /** Whether it is likely that the listener hears it just now. */
  isPlaying(): boolean;
  /** How much of the text has been heard, up to the last whole word. `isWhole`: no more speech will follow. */
  heardLength(content: string, isWhole: boolean): number;
}

/** Playing begins late and stumbles: for so long beyond its length it may still be heard. */
const slackMs = 5_000;
/** Players round. */
const toleranceMs = 100;

export function createPlayback(now: () => number = () => performance.now()): Playback {
  let chunks: SpokenChunk[] = [];
  let playedMs = 0;
  let isAcknowledged = false;
  let isStopped = false;
  let likelyEndMs = 0;

  /** A reply that went on after a pause has begun its speech again: the newest beginning counts. */
  function timeline(): readonly SpokenChunk[] {
    return chunks.slice(
      Math.max(
        0,
        chunks.findLastIndex(({ sequence }) => sequence === 1),
      ),
    );
  }

  function totalMs(): number {
    const last = timeline().at(-1);
    return last ? last.startMs + last.durationMs : 0;
  }

  return {
    add(chunk, isNew) {
      if (chunks.some(({ seq }) => seq === chunk.seq)) return;
      chunks = [...chunks, chunk].toSorted((a, b) => a.seq - b.seq);
      if (isNew) likelyEndMs = Math.max(now(), likelyEndMs) + chunk.durationMs;
    },
    acknowledge(heardMs) {
      playedMs = heardMs;
      isAcknowledged = true;
      likelyEndMs = now() + Math.max(0, totalMs() - heardMs);
    },
    stop() {
      isStopped = true;
    },
    get playedMs() {
      return Math.min(playedMs, totalMs());
    },
    get isAcknowledged() {
      return isAcknowledged;
    },
    get hasSpeech() {
      return chunks.length > 0;
    },
    isPlaying() {
      if (isStopped || chunks.length === 0) return false;
      return playedMs < totalMs() - toleranceMs && now() < likelyEndMs + slackMs;
    },
    heardLength(content, isWhole) {
      const pieces = timeline();
      const [first] = pieces;
      if (!first) return 0;
      if (isWhole && playedMs >= totalMs() - toleranceMs) return content.length;
      // Earlier pieces may be unknown here: then their text is taken to be spread evenly.
      if (playedMs < first.startMs) {
        return wholeWords(content, 0, first.textStart, playedMs / first.startMs);
      }
      const piece = pieces.findLast(({ startMs }) => startMs <= playedMs) ?? first;
      const part = (playedMs - piece.startMs) / Math.max(1, piece.durationMs);
      return wholeWords(content, piece.textStart, piece.textEnd, part);
    },
  };
}

const words = new Intl.Segmenter(undefined, { granularity: "word" });

/** Where the last word ends that lies within the first `part` (0 to 1) of this stretch of the text. */
function wholeWords(content: string, from: number, to: number, part: number): number {
  const stretch = content.slice(from, to);
  if (part >= 1) return content.slice(0, to).trimEnd().length;
  const limit = stretch.length * part;
  let end = 0;
  for (const { index, segment, isWordLike } of words.segment(stretch)) {
    const segmentEnd = index + segment.length;
    if (segmentEnd > limit) break;
    if (isWordLike === true || /\p{P}/u.test(segment)) end = segmentEnd;
  }
  return content.slice(0, from + end).trimEnd().length;
}
