import { Problem } from "../../../problems/problem.ts";
import { audioFormats, isAudioFormat, type AudioFormat } from "../../../voice/audio-format.ts";
import { releasing, type ByteStream } from "../../../voice/byte-stream.ts";
import type { Voice } from "../../../voice/create-voice.ts";
import { createResampler } from "../../../voice/resample.ts";
import type { SpeechStyle } from "../../../voice/synthesis.ts";
import type { Speech } from "../../../voice/text-to-speech.ts";
import { bytesToSamples, samplesToBytes } from "../../../voice/wav.ts";
import { faulty, renamed } from "../../faulty.ts";
import type { SpeechBody } from "./schemas.ts";

/** As these clients play bare samples, whatever the answer says. */
const pcmRateHz = 24_000;

/** Clients have to name a voice, and name one of these when nobody has chosen. */
const voicesElsewhere = new Set(
  "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split(" "),
);

/** Speech of a text as it is asked for, never as something else. Raises `unsupported_parameter` where it cannot be had so. */
export async function openSpeech(
  voice: Pick<Voice, "speak" | "style" | "formats">,
  body: SpeechBody,
  signal: AbortSignal,
): Promise<Speech> {
  const asked = body.response_format ?? null;
  const format = formatFor(voice.formats, asked);
  const style = styleFor(voice, voiceOf(body.voice), format, body.speed ?? undefined);
  const speech = await voice.speak(body.input, { style, signal }).catch(renamed({ text: "input" }));
  if (speech.format === "pcm") return atRate(speech, pcmRateHz);
  if (asked !== null && speech.format !== format) {
    await speech.bytes.return();
    throw cannotBe(format, [speech.format]);
  }
  return speech;
}

function formatFor(formats: readonly AudioFormat[], asked: string | null): AudioFormat {
  if (asked === null) return formats.includes("mp3") ? "mp3" : "wav";
  const format = asked.toLowerCase();
  if (!isAudioFormat(format)) {
    const all = audioFormats.join(", ");
    throw faulty("/response_format", `must be one of ${all}`, `必须是以下之一：${all}`);
  }
  // Without any engine, that is what there is to say.
  if (formats.length > 0 && !formats.includes(format)) throw cannotBe(format, formats);
  return format;
}

function cannotBe(format: AudioFormat, formats: readonly AudioFormat[]): Problem {
  return new Problem("unsupported_parameter", {
    parameter: "response_format",
    en: `speech here is ${formats.join(", ")}, not ${format}`,
    zh: `此处的语音格式为 ${formats.join("、")}，不支持 ${format}`,
  });
}

function voiceOf(given: unknown): string | undefined {
  if (given === undefined || given === null) return undefined;
  const id = typeof given === "object" ? (given as { id?: unknown }).id : given;
  if (typeof id === "string" && id.length <= 200) return id;
  throw faulty(
    "/voice",
    "must be a voice, or an object with its id",
    "必须是音色或带有其 id 的对象",
  );
}

function styleFor(
  voice: Pick<Voice, "style">,
  chosen: string | undefined,
  format: AudioFormat,
  speed: number | undefined,
): SpeechStyle {
  try {
    return voice.style({ voice: chosen, format, speed });
  } catch (error) {
    if (chosen === undefined || !voicesElsewhere.has(chosen)) throw error;
    return voice.style({ format, speed });
  }
}

/** Bare samples at another rate. */
function atRate(speech: Speech, sampleRateHz: number): Speech {
  const from = speech.sampleRateHz ?? sampleRateHz;
  if (from === sampleRateHz) return { ...speech, sampleRateHz };
  const resampler = createResampler(from, sampleRateHz);
  const bytes = async function* (): ByteStream {
    // A sample may lie across two chunks.
    let odd = new Uint8Array();
    for await (const chunk of speech.bytes) {
      const all = odd.length === 0 ? chunk : Buffer.concat([odd, chunk]);
      odd = all.slice(all.length - (all.length % 2));
      yield samplesToBytes(resampler.push(bytesToSamples(all)));
    }
    yield samplesToBytes(resampler.flush());
  };
  const release = () => void speech.bytes.return().catch(() => undefined);
  return { format: "pcm", sampleRateHz, bytes: releasing(bytes(), release) };
}
