import type { AudioDecoder } from "./audio-decoder.ts";
import type { AudioEncoder } from "./audio-encoder.ts";
import type { PcmAudio } from "./audio-format.ts";
import { pcmDurationMs } from "./audio-format.ts";
import { resample } from "./resample.ts";
import type { SpeechPiece } from "./synthesis.ts";
import { bytesToSamples, readWav, samplesToBytes, wavHeader } from "./wav.ts";

export interface JoinOptions {
  /** A longer file is made into Opus. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** Formats whose files can simply follow each other. */
const sequential = new Set(["mp3", "aac"]);
const maxPieceDurationMs = 600_000;

/** The samples of pieces that may have different rates, at the highest of them. */
export function joinSamples(parts: readonly PcmAudio[]): PcmAudio {
  const sampleRateHz = Math.max(...parts.map((part) => part.sampleRateHz));
  const resampled = parts.map((part) => resample(part, sampleRateHz).samples);
  const samples = new Int16Array(resampled.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of resampled) {
    samples.set(part, at);
    at += part.length;
  }
  return { samples, sampleRateHz };
}

/**
 * One file of all pieces, in their format where that is possible and small enough, else as Opus. Null when it would be
 * too large all the same. Raises what `AudioDecoder` and `AudioEncoder` raise.
 */
export function createJoinSpeech(codec: { decoder: AudioDecoder; encoder: AudioEncoder }) {
  async function samplesOf(piece: SpeechPiece, signal: AbortSignal): Promise<PcmAudio> {
    if (piece.format === "pcm") {
      return { samples: bytesToSamples(piece.bytes), sampleRateHz: piece.sampleRateHz ?? 24_000 };
    }
    const wav = piece.format === "wav" ? readWav(piece.bytes) : null;
    if (wav) return wav;
    return codec.decoder.decode(piece.bytes, { maxDurationMs: maxPieceDurationMs, signal });
  }

  return async (
    pieces: readonly SpeechPiece[],
    { maxBytes, signal }: JoinOptions,
  ): Promise<SpeechPiece | null> => {
    const [first] = pieces;
    if (!first) return null;
    const size = pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const same = pieces.every(({ format }) => format === first.format);
    if (same && size <= maxBytes && (pieces.length === 1 || sequential.has(first.format))) {
      const known = pieces.every(({ durationMs }) => durationMs !== null);
      const durationMs = pieces.reduce((sum, piece) => sum + (piece.durationMs ?? 0), 0);
      return {
        ...first,
        bytes: Buffer.concat(pieces.map(({ bytes }) => bytes)),
        durationMs: known ? durationMs : null,
      };
    }
    const parts: PcmAudio[] = [];
    for (const piece of pieces) parts.push(await samplesOf(piece, signal));
    const audio = joinSamples(parts);
    const { sampleRateHz } = audio;
    const durationMs = pcmDurationMs(audio);
    const wavBytes = wavHeader(sampleRateHz).length + audio.samples.length * 2;
    if (first.format === "wav" && wavBytes <= maxBytes) {
      const data = samplesToBytes(audio.samples);
      const bytes = Buffer.concat([wavHeader(sampleRateHz, data.length), data]);
      return { format: "wav", sampleRateHz, bytes, durationMs };
    }
    const opus = await codec.encoder.encode(audio, "opus", signal, maxBytes);
    if (opus.length > maxBytes) return null;
    return { format: "opus", sampleRateHz, bytes: opus, durationMs };
  };
}
