import { Problem } from "../problems/problem.ts";
import type { ReplyEventBody } from "../replies/reply-event.ts";
import type { SpeakReply } from "../replies/making/reply-speech.ts";
import type { Logger } from "../telemetry/logger.ts";
import { isAudioFormat, mediaTypeOf } from "./audio-format.ts";
import { maxStoredAudioBytes, type AudioStore } from "./audio-store.ts";
import type { Voice } from "./create-voice.ts";
import type { SpokenPiece } from "./reply-speaker.ts";
import { audioUrl } from "./stored-reply-audio.ts";
import type { SpeechPiece } from "./synthesis.ts";

export interface SpeakRepliesOptions {
  readonly voice: Voice;
  readonly store: AudioStore;
  readonly logger: Logger;
}

/** What a message stores about its speech. */
export type MessageAudio =
  | {
      readonly audio_id: string;
      readonly url: string;
      readonly format: string;
      readonly duration_ms: number | null;
      /** How many pieces it was said in. */
      readonly pieces: number;
      readonly status: "complete";
    }
  /** `code` is the error type that the same fault has elsewhere, such as `voice_unavailable`. */
  | { readonly status: "failed"; readonly code: string; readonly message: string };

/** Larger speech is sent by reference alone, lest it pushes the text out of the reply's log. */
const maxInlineBytes = 256 * 1024;

/** Of a reply's speech, beside what is stored: bounds memory. */
const maxCollectedBytes = 64 * 1024 * 1024;

/**
 * Speech for replies that ask for it: `audio_chunk` sentence by sentence while the text is being written, then the whole
 * of it, stored, as `audio_response`; where the reply pauses, what there is, and what comes after goes on behind it. A fault of speech is told in the message's `audio` and never reaches the reply.
 */
export function createSpeakReplies({ voice, store, logger }: SpeakRepliesOptions): SpeakReply {
  return (reply, emit) => {
    const wanted = reply.turn.voice;
    if (wanted?.enable_tts !== true) return null;
    const stop = new AbortController();
    const { signal } = stop;
    const tell = (event: ReplyEventBody) => {
      if (!signal.aborted) emit(event);
    };
    const { language } = reply.turn;
    /** Said before a pause. */
    const earlier = earlierSpeech(reply.audio);

    let speaker;
    try {
      const style = voice.style(wanted);
      speaker = voice.speaker({ style, signal, language });
    } catch (error) {
      const audio = failure(error);
      return { push() {}, finish: async () => audio, stop() {} };
    }
    const { pieces, push, end } = speaker;
    const spoken = collect();
    // Read in `finish`; a reply that is stopped before has nobody who waits.
    spoken.catch(() => undefined);

    async function collect(): Promise<SpokenPiece[]> {
      const all: SpokenPiece[] = [];
      let size = 0;
      let startMs = earlier?.duration_ms ?? 0;
      // A reply that goes on after a pause has said what it had before.
      const before = reply.content.length;
      let textStart = before;
      for await (const piece of pieces) {
        size += piece.bytes.length;
        if (size > maxCollectedBytes) break;
        all.push(piece);
        if (wanted?.stream_audio !== true) continue;
        const data = Buffer.from(piece.bytes).toString("base64");
        const { format, text, durationMs } = piece;
        const sequence = (earlier?.pieces ?? 0) + piece.sequence;
        const textEnd = before + piece.sourceEnd;
        tell({
          type: "audio_chunk",
          sequence,
          format,
          sample_rate: piece.sampleRateHz,
          data,
          text,
          start_ms: startMs,
          duration_ms: durationMs,
          text_start: textStart,
          text_end: textEnd,
        });
        startMs += durationMs ?? 0;
        textStart = textEnd;
      }
      return all;
    }

    async function keep(): Promise<MessageAudio | null> {
      const all = await spoken;
      if (all.length === 0) return earlier;
      const before = await earlierPiece();
      const parts = before === null ? all : [before, ...all];
      const whole = await voice.join(parts, { maxBytes: maxStoredAudioBytes, signal });
      if (!whole) throw new Problem("payload_too_large", { limit: "1 MiB of stored speech" });
      const { format, bytes, durationMs } = whole;
      signal.throwIfAborted();
      const audioId = await store.save({
        sessionId: reply.sessionId,
        userId: reply.turn.userId,
        messageId: reply.replyId,
        format,
        mediaType: mediaTypeOf(format, whole.sampleRateHz),
        durationMs,
        bytes,
      });
      const audio = {
        audio_id: audioId,
        url: audioUrl(audioId),
        format,
        duration_ms: durationMs,
      };
      const pieces = (earlier?.pieces ?? 0) + all.length;
      const inline = wanted?.stream_audio !== true && bytes.length <= maxInlineBytes;
      tell({
        type: "audio_response",
        audio: {
          ...audio,
          encoding: "base64",
          ...(inline ? { data: Buffer.from(bytes).toString("base64") } : {}),
        },
      });
      return { ...audio, pieces, status: "complete" };
    }

    /** Null when it is kept no longer, or cannot be joined: bare samples are kept without their rate. */
    async function earlierPiece(): Promise<SpeechPiece | null> {
      const stored = earlier === null ? null : await store.find(earlier.audio_id);
      if (stored === null || !isAudioFormat(stored.format) || stored.format === "pcm") return null;
      const { format, bytes, durationMs } = stored;
      return { format, bytes, durationMs, sampleRateHz: null };
    }

    function failure(error: unknown): MessageAudio {
      const problem =
        error instanceof Problem ? error : new Problem("internal_error", {}, { cause: error });
      const fields = { replyId: reply.replyId, type: problem.type, err: problem.cause };
      logger.warn(fields, "a reply could not be spoken");
      return { status: "failed", code: problem.type, message: problem.text(reply.turn.language) };
    }

    return {
      push,
      async finish() {
        end();
        try {
          return await keep();
        } catch (error) {
          return signal.aborted ? null : failure(error);
        }
      },
      stop() {
        stop.abort(new Error("the reply has ended"));
      },
    };
  };
}

function earlierSpeech(audio: object | null): (MessageAudio & { status: "complete" }) | null {
  const known = audio as MessageAudio | null;
  return known?.status === "complete" ? known : null;
}
