import { Problem } from "../../../problems/problem.ts";
import type { RecognizedSpeech } from "../../../voice/recognition.ts";
import { faulty } from "../../faulty.ts";

/** How a transcript is told. */
export type TranscriptForm = "json" | "text" | "verbose_json" | "events";

const noTimes = {
  en: "recordings are heard without the times of their words",
  zh: "识别结果不含各词的时间",
};

/** Raises `bad_request` for what is none, `unsupported_parameter` for what recognisers here do not tell. */
export function transcriptForm(fields: Readonly<Record<string, unknown>>): TranscriptForm {
  const { response_format: format = "json", stream } = fields;
  if (format === "srt" || format === "vtt" || format === "diarized_json") {
    throw new Problem("unsupported_parameter", { parameter: "response_format", ...noTimes });
  }
  if (format !== "json" && format !== "text" && format !== "verbose_json") {
    const all = "json, text, verbose_json";
    throw faulty("/response_format", `must be one of ${all}`, `必须是以下之一：${all}`);
  }
  for (const parameter of ["timestamp_granularities", "include"]) {
    const asked = listOf(fields[`${parameter}[]`] ?? fields[parameter]);
    if (asked.every((each) => parameter !== "include" && each === "segment")) continue;
    throw new Problem("unsupported_parameter", { parameter, ...noTimes });
  }
  return stream === "true" || stream === "1" ? "events" : format;
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === "") return [];
  return Array.isArray(value) ? value : [value];
}

/** What was heard, as JSON. */
export function transcriptOf(
  { text, language, durationMs }: RecognizedSpeech,
  form: TranscriptForm,
) {
  const seconds = durationMs / 1000;
  const usage = { type: "duration" as const, seconds };
  if (form !== "verbose_json") return { text, usage };
  return {
    task: "transcribe",
    // As ISO 639 says of what nobody has told.
    language: language ?? "und",
    duration: seconds,
    text,
    segments: [
      {
        id: 0,
        seek: 0,
        start: 0,
        end: seconds,
        text,
        tokens: [],
        temperature: 0,
        avg_logprob: 0,
        compression_ratio: 0,
        no_speech_prob: 0,
      },
    ],
    usage,
  };
}
