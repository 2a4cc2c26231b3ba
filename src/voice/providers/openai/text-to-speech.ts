import { Problem } from "../../../problems/problem.ts";
import { audioFormats, type AudioFormat } from "../../audio-format.ts";
import { prepended, releasing, type ByteStream } from "../../byte-stream.ts";
import { sniffSpeech } from "../../sniff-audio.ts";
import type { Speech, SynthesizeOptions, TextToSpeech } from "../../text-to-speech.ts";
import { readWavLayout, wavHeader } from "../../wav.ts";
import { probeServer } from "./probe.ts";
import { readEvents } from "./read-events.ts";
import {
  createSpeechServer,
  refusal,
  type SpeechAnswer,
  type SpeechServerOptions,
} from "./speech-server.ts";
import { createVoiceList } from "./voice-list.ts";

export interface OpenAiSynthesisOptions extends SpeechServerOptions {
  /** Unset: `tts-1`, which servers with one model ignore. */
  readonly model: string | null;
  /** Unset: the first of the server's list, else `alloy`. */
  readonly voice: string | null;
  /** Offered when the server has no list. */
  readonly voices: readonly string[];
  /** Where WAV is wanted, ask for bare samples and take this rate: they begin to sound sooner on some servers. */
  readonly pcmSampleRateHz: number | null;
}

/** What OpenAI sends as `pcm`. */
const usualPcmRateHz = 24_000;
/** Enough to tell any format, and to read the rate of a WAV file. */
const sniffBytes = 64;

/** Speech by any server with the OpenAI-compatible contract. */
export function createOpenAiTextToSpeech(options: OpenAiSynthesisOptions): TextToSpeech {
  const server = createSpeechServer(options);
  const voiceList = createVoiceList(server, options.voices, options.logger);
  /** Some servers (SiliconFlow) want the model's name in front of the voice's. */
  let voiceNeedsModel = false;

  async function voiceFor(voice: string | undefined, signal: AbortSignal): Promise<string> {
    const chosen = voice ?? options.voice;
    if (chosen !== null) return chosen;
    const [first] = await voiceList.voices(signal);
    return first?.id ?? "alloy";
  }

  function ask(
    text: string,
    voice: string,
    format: AudioFormat,
    { speed, signal }: SynthesizeOptions,
  ) {
    const body = () =>
      JSON.stringify({
        model: options.model ?? "tts-1",
        input: text,
        voice,
        response_format: format,
        ...(speed === 1 ? {} : { speed }),
      });
    return server.call({ method: "POST", path: "/audio/speech", body, signal });
  }

  return {
    provider: "openai",
    languages: "any",
    formats: audioFormats,
    maxCharacters: 4_096,
    streams: true,
    async synthesize(text, request) {
      const plain = await voiceFor(request.voice, request.signal);
      const qualified =
        options.model === null || plain.includes(":") ? null : `${options.model}:${plain}`;
      const asPcm = request.format === "wav" && options.pcmSampleRateHz !== null;
      const format = asPcm ? "pcm" : request.format;
      const voice = voiceNeedsModel && qualified ? qualified : plain;
      let answer = await ask(text, voice, format, request);
      if (answer.status === 400 && qualified && voice !== qualified) {
        await answer.body.return();
        answer = await ask(text, qualified, format, request);
        voiceNeedsModel = answer.status < 300;
      }
      if (answer.status >= 300) throw await refusal(answer, "a synthesis");
      return openSpeech(answer, format, request.format, options.pcmSampleRateHz);
    },
    voices: (signal) => voiceList.voices(signal),
    probe: (signal) => probeServer(server, signal),
    close: () => server.close(),
  };
}

/** Finds out what the server really sends: it may ignore the format asked for, and stream or not as it likes. */
async function openSpeech(
  answer: SpeechAnswer,
  asked: AudioFormat,
  wanted: AudioFormat,
  configuredRateHz: number | null,
): Promise<Speech> {
  const sound = answer.mediaType === "text/event-stream" ? soundOf(answer.body) : answer.body;
  const head: Uint8Array[] = [];
  let size = 0;
  let ended = false;
  while (size < sniffBytes && !ended) {
    const next = await sound.next();
    if (next.done) ended = true;
    else {
      head.push(next.value);
      size += next.value.length;
    }
  }
  const start = Buffer.concat(head);
  const bytes = prepended(start, sound);
  const bare = asked === "pcm" || /^audio\/(x-)?(pcm|l16|raw)$/.test(answer.mediaType);
  const sniffed = sniffSpeech(start);
  // Samples may look like the frame of an MP3 by chance, but never like a WAV file.
  if (sniffed && (!bare || sniffed === "wav")) {
    const sampleRateHz = sniffed === "wav" ? (readWavLayout(start)?.sampleRateHz ?? null) : null;
    return { format: sniffed, sampleRateHz, bytes };
  }
  if (!bare || size === 0 || /^(text|application\/json)/.test(answer.mediaType)) {
    await sound.return();
    const cause = new Error(
      `a synthesis was answered with ${answer.mediaType || "no type"}, ${size} bytes`,
    );
    throw new Problem("speech_failed", {}, { cause });
  }
  const sampleRateHz = rateIn(answer) ?? configuredRateHz ?? usualPcmRateHz;
  if (wanted === "pcm") return { format: "pcm", sampleRateHz, bytes };
  return { format: "wav", sampleRateHz, bytes: prepended(wavHeader(sampleRateHz), bytes) };
}

/** `audio/pcm;rate=24000`, or a header of its own. */
function rateIn(answer: SpeechAnswer): number | null {
  const parameter = /;\s*rate=(\d{4,6})/.exec(answer.header("content-type") ?? "")?.[1];
  const rate = Number(parameter ?? answer.header("x-sample-rate"));
  return rate >= 8_000 && rate <= 192_000 ? rate : null;
}

/** The sound in server-sent events. */
function soundOf(body: ByteStream): ByteStream {
  const sound = async function* (): ByteStream {
    for await (const event of readEvents(body)) {
      if (event["type"] === "speech.audio.done") return;
      if (typeof event["audio"] === "string") yield Buffer.from(event["audio"], "base64");
    }
    const cause = new Error("the stream ended without its last event");
    throw new Problem("speech_failed", {}, { cause });
  };
  return releasing(sound(), () => {
    body.return().catch(() => undefined);
  });
}
