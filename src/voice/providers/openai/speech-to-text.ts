import { FormData } from "undici";
import { Problem } from "../../../problems/problem.ts";
import { fileOf, pcmDurationMs } from "../../audio-format.ts";
import { primaryLanguage } from "../../language.ts";
import type { Recording, SpeechToText, Transcript, SpokenSegment } from "../../speech-to-text.ts";
import { writeWav } from "../../wav.ts";
import { probeServer } from "./probe.ts";
import { readEvents } from "./read-events.ts";
import {
  createSpeechServer,
  refusal,
  type SpeechAnswer,
  type SpeechServerOptions,
} from "./speech-server.ts";

export interface OpenAiRecognitionOptions extends SpeechServerOptions {
  /** Unset: `whisper-1`, which servers with one model ignore. */
  readonly model: string | null;
}

const maxAnswerBytes = 4 * 1024 * 1024;
/** Where Whisper invents words: its own rule for segments without speech. */
const maxNoSpeechProbability = 0.6;
const minAverageLogProbability = -1;

/** Languages by the names that Whisper gives them. */
const languageNames: Record<string, string> = {
  english: "en",
  chinese: "zh",
  mandarin: "zh",
  cantonese: "yue",
  japanese: "ja",
  korean: "ko",
  french: "fr",
  german: "de",
  spanish: "es",
  italian: "it",
  portuguese: "pt",
  russian: "ru",
};

/** Recognition by any server with the OpenAI-compatible contract; uploads go there as they came. */
export function createOpenAiSpeechToText(options: OpenAiRecognitionOptions): SpeechToText {
  const server = createSpeechServer(options);
  /** Some servers, and some models of OpenAI, refuse `verbose_json`. */
  let responseFormat: "verbose_json" | "json" = "verbose_json";

  function ask(
    recording: Recording,
    format: string,
    language: string | undefined,
    signal: AbortSignal,
  ) {
    const container = recording.kind === "upload" ? recording.container : "wav";
    const bytes = recording.kind === "upload" ? recording.bytes : writeWav(recording.audio);
    const { extension, mediaType } = fileOf(container);
    const body = () => {
      const form = new FormData();
      // Servers choose the demuxer by the extension.
      form.set("file", new Blob([bytes], { type: mediaType }), `recording.${extension}`);
      form.set("model", options.model ?? "whisper-1");
      form.set("response_format", format);
      if (language) form.set("language", primaryLanguage(language));
      return form;
    };
    // The answer comes when all of it has been heard, which takes a slow machine as long as it was spoken.
    const heardMs =
      recording.kind === "pcm" ? pcmDurationMs(recording.audio) : recording.durationMs;
    const firstByteMs = (options.limits?.firstByteMs ?? 15_000) + heardMs;
    return server.call({
      method: "POST",
      path: "/audio/transcriptions",
      body,
      firstByteMs,
      signal,
    });
  }

  return {
    provider: "openai",
    languages: "any",
    accepts: "uploads",
    async transcribe(recording, { language, signal }) {
      const format = responseFormat;
      let answer = await ask(recording, format, language, signal);
      if (format === "verbose_json" && (answer.status === 400 || answer.status === 422)) {
        const first = await refusal(answer, "a transcription as verbose_json");
        answer = await ask(recording, "json", language, signal);
        if (answer.status >= 300) throw await judge(answer, first);
        responseFormat = "json";
      }
      if (answer.status >= 300) throw await judge(answer);
      return readTranscript(answer, language);
    },
    probe: (signal) => probeServer(server, signal),
    close: () => server.close(),
  };
}

async function judge(answer: SpeechAnswer, cause?: unknown): Promise<Problem> {
  if (answer.status === 413) {
    return new Problem("payload_too_large", { limit: "that of the speech service" }, { cause });
  }
  return refusal(answer, "a transcription");
}

async function readTranscript(
  answer: SpeechAnswer,
  asked: string | undefined,
): Promise<Transcript> {
  if (answer.mediaType === "text/event-stream") {
    return { text: clean(await readStream(answer.body)), language: asked ?? null };
  }
  const body = await answer.text(maxAnswerBytes);
  if (answer.mediaType === "text/plain") return { text: clean(body), language: asked ?? null };
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new Problem("speech_failed", {}, { cause });
  }
  if (typeof value === "string") return { text: clean(value), language: asked ?? null };
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  if (typeof fields["text"] !== "string") {
    throw new Problem("speech_failed", {}, { cause: new Error("the answer holds no text") });
  }
  const language = languageIn(fields) ?? asked ?? null;
  const told = Array.isArray(fields["segments"]) ? fields["segments"].filter(isRecord) : [];
  const real = told.filter((segment) => !isInvented(segment));
  const text = real.length === told.length ? fields["text"] : real.map(textIn).join("");
  const segments = real.map(segmentOf);
  // Times that are not of every piece are of none.
  const hasTimes = segments.length > 0 && segments.every((segment) => segment !== null);
  return { text: clean(text), language, ...(hasTimes && { segments }) };
}

/** Both dialects: `transcript.text.*`, and chunks as of a chat completion. */
async function readStream(body: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const event of readEvents(body)) {
    if (event["type"] === "transcript.text.done" && typeof event["text"] === "string") {
      return event["text"];
    }
    if (event["type"] === "transcript.text.delta" && typeof event["delta"] === "string") {
      text += event["delta"];
    }
    const [choice] = Array.isArray(event["choices"]) ? (event["choices"] as unknown[]) : [];
    const content = (choice as { delta?: { content?: unknown } } | undefined)?.delta?.content;
    if (typeof content === "string") text += content;
    if (text.length > maxAnswerBytes) throw new Problem("speech_failed", {});
  }
  return text;
}

/** SenseVoice writes language, mood and events into the text. */
function clean(text: string): string {
  return text.replaceAll(/<\|[^|>]{0,40}\|>/g, "").trim();
}

function textIn({ text }: Record<string, unknown>): string {
  return typeof text === "string" ? text : "";
}

function languageIn(fields: Record<string, unknown>): string | null {
  const told = typeof fields["language"] === "string" ? fields["language"].toLowerCase() : "";
  const tag = /<\|(zh|en|yue|ja|ko)\|>/.exec(textIn(fields))?.[1];
  if (languageNames[told]) return languageNames[told];
  return /^[a-z]{2,3}(-|$)/.test(told) ? primaryLanguage(told) : (tag ?? null);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isInvented(segment: Record<string, unknown>): boolean {
  const silence = Number(segment["no_speech_prob"] ?? 0);
  const confidence = Number(segment["avg_logprob"] ?? 0);
  return silence > maxNoSpeechProbability && confidence < minAverageLogProbability;
}

/** Null where it does not say when it was. */
function segmentOf(segment: Record<string, unknown>): SpokenSegment | null {
  const { start, end } = segment;
  const isTime = (value: unknown): value is number =>
    typeof value === "number" && Number.isFinite(value) && value >= 0;
  return isTime(start) && isTime(end) && end >= start
    ? { start, end, text: clean(textIn(segment)) }
    : null;
}
