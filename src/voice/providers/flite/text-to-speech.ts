import type { Logger } from "../../../telemetry/logger.ts";
import { streamOf } from "../../byte-stream.ts";
import { latinShare } from "../../language.ts";
import type { TextToSpeech, VoiceDescription } from "../../text-to-speech.ts";
import { voiceUnavailable } from "../../unavailable.ts";
import { readWavLayout } from "../../wav.ts";
import { createWorkerClient } from "../worker-client.ts";
import type { FliteRequest } from "./worker.ts";

/** The clearest one; `kal` sounds like a telephone. */
const defaultVoice = "rms";

const voices: readonly VoiceDescription[] = [
  { id: "rms", name: "RMS (US, male)", language: "en" },
  { id: "slt", name: "SLT (US, female)", language: "en" },
  { id: "awb", name: "AWB (Scottish, male)", language: "en" },
  { id: "kal16", name: "KAL (US, male)", language: "en" },
  { id: "kal", name: "KAL (US, male, 8 kHz)", language: "en" },
];

export interface FliteOptions {
  readonly logger: Logger;
  readonly defaultVoice?: string | undefined;
}

/**
 * English speech inside the process, with nothing configured: CMU flite in WebAssembly, in a thread of its own. It speaks
 * anything but English as near-silence and reports no error, so such text is refused.
 */
export function createFliteTextToSpeech(options: FliteOptions): TextToSpeech {
  const worker = createWorkerClient<FliteRequest, Uint8Array>({
    url: new URL("worker.ts", import.meta.url),
    name: "flite",
    timeoutMs: 30_000,
    maxWaiting: 64,
    maxHeapMb: 256,
    logger: options.logger,
  });
  const known = (voice: string | undefined) =>
    voices.some(({ id }) => id === voice) ? voice : undefined;
  const chosen = known(options.defaultVoice) ?? defaultVoice;
  return {
    provider: "flite",
    languages: ["en"],
    formats: ["wav"],
    maxCharacters: 1_000,
    streams: false,
    async synthesize(text, { language, voice, speed, signal }) {
      signal.throwIfAborted();
      const foreign = /\p{L}/u.test(text) && latinShare(text) < 0.5;
      if (language !== "en" || foreign) {
        throw voiceUnavailable(language === "zh" ? "chinese" : "language");
      }
      const wav = await worker.call({ text, voice: known(voice) ?? chosen, speed }, signal);
      return {
        format: "wav",
        sampleRateHz: readWavLayout(wav)?.sampleRateHz ?? null,
        bytes: streamOf(wav),
      };
    },
    async voices(signal) {
      signal.throwIfAborted();
      return voices;
    },
    async probe() {
      return { status: "healthy", details: { provider: "flite", languages: ["en"] } };
    },
    close: () => worker.close(),
  };
}
