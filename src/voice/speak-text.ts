import { Problem } from "../problems/problem.ts";
import type { AudioEncoder } from "./audio-encoder.ts";
import { prepended, releasing, streamOf, type ByteStream } from "./byte-stream.ts";
import { joinSamples } from "./join-speech.ts";
import { isSpeakable, languageOf } from "./language.ts";
import { resample } from "./resample.ts";
import { createSentenceCutter } from "./sentences.ts";
import { createSpeakableText } from "./speakable-text.ts";
import type { SpeechPiece, SpeechStyle, Synthesis } from "./synthesis.ts";
import type { Speech } from "./text-to-speech.ts";
import { bytesToSamples, readWav, samplesToBytes, wavHeader } from "./wav.ts";

export interface SpeakTextOptions {
  readonly style: SpeechStyle;
  /** Of pieces whose language cannot be told. */
  readonly language: string;
  readonly signal: AbortSignal;
}

interface Part {
  text: string;
  language: string;
}

/** Made while an earlier one is sent. */
const lookAhead = 2;

/**
 * The speech of a text that is all there, as it is made: engines that stream get as much as they take in one go, others a
 * sentence at a time. Resolves with the first sound. Raises `validation_failed` for a text with nothing to pronounce, and
 * what `Synthesis` raises.
 */
export async function speakText(
  { synthesis, encoder }: { synthesis: Synthesis; encoder: AudioEncoder },
  text: string,
  options: SpeakTextOptions,
): Promise<Speech> {
  const { style, signal } = options;
  const parts = partsOf(synthesis, text, options);
  const [first] = parts;
  if (!first) {
    const details = [
      { path: "/text", message: "holds nothing that can be spoken", zh: "没有可以朗读的内容" },
    ];
    throw new Problem("validation_failed", {}, { details });
  }
  const [engine] = synthesis.enginesFor(first.language, style);
  const asMade = style.format === "wav" || engine?.formats.includes(style.format);
  if (parts.length === 1 && asMade) {
    return synthesis.open(first.text, { language: first.language, style, signal });
  }
  // Files of these formats cannot follow each other: their samples can.
  const joined = style.format === "opus" || style.format === "flac";
  const pieceStyle: SpeechStyle = joined ? { ...style, format: "wav" } : style;
  const stop = new AbortController();
  const pieces = inOrder(parts, ({ text: words, language }) =>
    synthesis.say(words, {
      language,
      style: pieceStyle,
      signal: AbortSignal.any([signal, stop.signal]),
    }),
  );
  const start = await pieces.next();
  if (start.done) throw new Error("there is no first piece");
  const release = () => stop.abort(new Error("nobody listens any more"));
  return streamPieces(start.value, pieces, release, { encoder, joined, signal });
}

/** What is said in one go, each with the language that chooses its engine. */
function partsOf(synthesis: Synthesis, text: string, options: SpeakTextOptions): Part[] {
  const speakable = createSpeakableText(options.language);
  const cutter = createSentenceCutter();
  const sentences = [
    ...cutter.push(speakable.push(text)),
    ...cutter.push(speakable.flush()),
    ...cutter.flush(),
  ].filter((sentence) => isSpeakable(sentence.text));
  const parts: Part[] = [];
  let { language } = options;
  for (const sentence of sentences) {
    language = languageOf(sentence.text, language);
    const [engine] = synthesis.enginesFor(language, options.style);
    const last = parts.at(-1);
    const joinable =
      last !== undefined &&
      engine?.streams === true &&
      engine === synthesis.enginesFor(last.language, options.style)[0] &&
      last.text.length + sentence.text.length <= engine.maxCharacters;
    if (joinable) last.text += sentence.text;
    else parts.push({ text: sentence.text, language });
  }
  return parts.map((part) => ({ ...part, text: part.text.trim() }));
}

/** Makes a few ahead of the reader, in order. */
async function* inOrder<I, O>(
  items: readonly I[],
  make: (item: I) => Promise<O>,
): AsyncGenerator<O, void, void> {
  const making: Promise<O>[] = [];
  let next = 0;
  for (;;) {
    while (making.length <= lookAhead && next < items.length) {
      const item = items[next++];
      if (item === undefined) continue;
      const made = make(item);
      // Its fault is told in its turn.
      made.catch(() => undefined);
      making.push(made);
    }
    const first = making.shift();
    if (!first) return;
    yield await first;
  }
}

async function streamPieces(
  first: SpeechPiece,
  rest: AsyncGenerator<SpeechPiece, void, void>,
  release: () => void,
  { encoder, joined, signal }: { encoder: AudioEncoder; joined: boolean; signal: AbortSignal },
): Promise<Speech> {
  const { format, sampleRateHz } = first;
  if (joined) {
    const parts = [];
    for await (const piece of prependedPiece(first, rest)) {
      const audio = piece.format === "wav" ? readWav(piece.bytes) : null;
      if (!audio) throw new Problem("speech_failed", {});
      parts.push(audio);
    }
    const bytes = await encoder.encode(joinSamples(parts), "opus", signal);
    return { format: "opus", sampleRateHz, bytes: streamOf(bytes) };
  }
  const bytes = async function* (): ByteStream {
    for await (const piece of prependedPiece(first, rest)) {
      if (piece.format !== format) throw new Problem("speech_failed", {});
      yield followUp(piece, sampleRateHz ?? 0);
    }
  };
  const stream = releasing(bytes(), release);
  return {
    format,
    sampleRateHz,
    // Nobody knows its length yet.
    bytes: format === "wav" ? prepended(wavHeader(sampleRateHz ?? 0), stream) : stream,
  };
}

async function* prependedPiece(
  first: SpeechPiece,
  rest: AsyncGenerator<SpeechPiece, void, void>,
): AsyncGenerator<SpeechPiece, void, void> {
  yield first;
  yield* rest;
}

/** A piece as what follows an earlier one: bare samples at its rate where it has such. */
function followUp(piece: SpeechPiece, sampleRateHz: number): Uint8Array {
  const rate = piece.sampleRateHz ?? sampleRateHz;
  const audio =
    piece.format === "wav"
      ? readWav(piece.bytes)
      : piece.format === "pcm"
        ? { samples: bytesToSamples(piece.bytes), sampleRateHz: rate }
        : null;
  return audio ? samplesToBytes(resample(audio, sampleRateHz).samples) : piece.bytes;
}
