import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import { streamOf } from "../../byte-stream.ts";
import { primaryLanguage } from "../../language.ts";
import type { TextToSpeech } from "../../text-to-speech.ts";
import { writeWav } from "../../wav.ts";
import { createChildEngine } from "./child-engine.ts";
import { speakerConfig } from "./model-files.ts";

export interface SherpaSynthesisOptions {
  /** Folder with a model's files. */
  readonly model: string;
  /** Number of the speaker, from 0. */
  readonly voice: string | null;
  readonly voices: readonly string[];
  /** What it speaks; unset: any. */
  readonly language: string | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly logger: Logger;
}

/** Speech by a local model through `sherpa-onnx-node`, which the operator installs. Voices are numbers of speakers. */
export function createSherpaTextToSpeech(options: SherpaSynthesisOptions): TextToSpeech {
  const engine = createChildEngine({
    module: new URL("child.ts", import.meta.url),
    model: () => speakerConfig(options.model),
    environment: options.environment,
    logger: options.logger,
  });
  const speaker = (voice: string | null | undefined) =>
    voice && /^\d{1,4}$/.test(voice) ? Number(voice) : undefined;
  const voices = (options.voices.length > 0 ? options.voices : [options.voice ?? "0"]).map(
    (id) => ({ id, name: `Speaker ${id}`, language: null }),
  );
  return {
    provider: "sherpa",
    languages: options.language === null ? "any" : [primaryLanguage(options.language)],
    formats: ["wav"],
    maxCharacters: 1_000,
    streams: false,
    async synthesize(text, { voice, speed, signal }) {
      const number = speaker(voice) ?? speaker(options.voice) ?? 0;
      const answer = await engine.ask({ kind: "speak", text, speaker: number, speed }, signal);
      if (answer.kind === "sound" && answer.audio.samples.length > 0) {
        const { sampleRateHz } = answer.audio;
        return { format: "wav", sampleRateHz, bytes: streamOf(writeWav(answer.audio)) };
      }
      const fault = answer.kind === "fault" ? answer.fault : "it made no sound";
      throw new Problem("speech_failed", {}, { cause: new Error(fault) });
    },
    async voices(signal) {
      signal.throwIfAborted();
      return voices;
    },
    probe: async () => engine.health(),
    close: () => engine.close(),
  };
}
