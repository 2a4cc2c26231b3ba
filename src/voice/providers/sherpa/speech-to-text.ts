import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import { primaryLanguage } from "../../language.ts";
import type { SpeechToText } from "../../speech-to-text.ts";
import { createChildEngine } from "./child-engine.ts";
import { recognizerConfig } from "./model-files.ts";

export interface SherpaRecognitionOptions {
  /** Folder with a model's files. */
  readonly model: string;
  /** What it understands; unset: any. */
  readonly language: string | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly logger: Logger;
}

/** Recognition by a local model through `sherpa-onnx-node`, which the operator installs. */
export function createSherpaSpeechToText(options: SherpaRecognitionOptions): SpeechToText {
  const engine = createChildEngine({
    module: new URL("child.ts", import.meta.url),
    model: () => recognizerConfig(options.model),
    environment: options.environment,
    logger: options.logger,
  });
  return {
    provider: "sherpa",
    languages: options.language === null ? "any" : [primaryLanguage(options.language)],
    accepts: "pcm",
    async transcribe(recording, { language, signal }) {
      if (recording.kind !== "pcm") throw new Error("sherpa takes decoded recordings only");
      const answer = await engine.ask({ kind: "recognize", audio: recording.audio }, signal);
      if (answer.kind === "text") {
        return { text: answer.text.trim(), language: answer.language ?? language ?? null };
      }
      const fault = answer.kind === "fault" ? answer.fault : "it answered something else";
      throw new Problem("speech_failed", {}, { cause: new Error(fault) });
    },
    probe: async () => engine.health(),
    close: () => engine.close(),
  };
}
