import { Problem } from "../../../problems/problem.ts";
import type { RecognizedSpeech } from "../../../voice/recognition.ts";
import type { SpokenSegment } from "../../../voice/speech-to-text.ts";
import { faulty } from "../../faulty.ts";

const forms = ["json", "text", "verbose_json", "srt", "vtt"] as const;

/** How a transcript is told. */
type TranscriptForm = (typeof forms)[number] | "events";

const noWords = {
  en: "recordings are heard without the times of their words, and without who spoke",
  zh: "识别结果不含各词的时间，也不区分说话人",
};
const noTimes = {
  en: "what hears recordings here does not tell when what was said; json and text can be had",
  zh: "此处的语音识别不提供时间信息；可使用 json 或 text",
};

/** Raises `bad_request` for what is none, `unsupported_parameter` for what recognisers here do not tell. */
export function transcriptForm(fields: Readonly<Record<string, unknown>>): TranscriptForm {
  const { response_format: format = "json", stream } = fields;
  if (format === "diarized_json") {
    throw new Problem("unsupported_parameter", { parameter: "response_format", ...noWords });
  }
  const form = forms.find((each) => each === format);
  if (form === undefined) {
    const all = forms.join(", ");
    throw faulty("/response_format", `must be one of ${all}`, `必须是以下之一：${all}`);
  }
  for (const parameter of ["timestamp_granularities", "include"]) {
    const asked = listOf(fields[`${parameter}[]`] ?? fields[parameter]);
    if (asked.every((each) => parameter !== "include" && each === "segment")) continue;
    throw new Problem("unsupported_parameter", { parameter, ...noWords });
  }
  return stream === "true" || stream === "1" ? "events" : form;
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === "") return [];
  return Array.isArray(value) ? value : [value];
}

/** What was heard, as JSON. */
export function transcriptOf(
  { text, language, durationMs, segments }: RecognizedSpeech,
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
    segments: (segments ?? [{ start: 0, end: seconds, text }]).map((segment, id) => ({
      id,
      seek: 0,
      ...segment,
      tokens: [],
      temperature: 0,
      avg_logprob: 0,
      compression_ratio: 0,
      no_speech_prob: 0,
    })),
    usage,
  };
}

/** What was heard, as subtitles. Raises `unsupported_parameter` where it is not known when what was said. */
export function subtitlesOf({ segments }: RecognizedSpeech, form: "srt" | "vtt"): string {
  if (segments === undefined) {
    throw new Problem("unsupported_parameter", { parameter: "response_format", ...noTimes });
  }
  const cues = segments.map(({ start, end, text }: SpokenSegment, index) => {
    const times = `${timeOf(start, form)} --> ${timeOf(end, form)}`;
    // An empty line ends a piece, and an arrow would be a time.
    const line = text.replaceAll(/\s*\n\s*/g, " ").replaceAll("-->", "→");
    return `${form === "srt" ? `${index + 1}\n` : ""}${times}\n${line}\n`;
  });
  return `${form === "vtt" ? "WEBVTT\n\n" : ""}${cues.join("\n")}`;
}

/** `01:02:03,004`, in WebVTT with a point. */
function timeOf(seconds: number, form: "srt" | "vtt"): string {
  const time = new Date(Math.round(seconds * 1000)).toISOString().slice(11, 23);
  return form === "srt" ? time.replace(".", ",") : time;
}
