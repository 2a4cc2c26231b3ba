/**
 * The process in which sherpa-onnx works. It is a process, not a thread, because a model that does not fit ends whatever
 * process loads it, without an exception.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { PcmAudio } from "../../audio-format.ts";
import type { ChildAnswer, ChildQuestion } from "./messages.ts";
import type { ModelConfig } from "./model-files.ts";

/** The parts of `sherpa-onnx-node` that are used. */
interface Sherpa {
  readonly OfflineRecognizer: {
    createAsync(config: object): Promise<{
      createStream(): { acceptWaveform(wave: { samples: Float32Array; sampleRate: number }): void };
      decodeAsync(stream: object): Promise<{ text?: string; lang?: string }>;
    }>;
  };
  readonly OfflineTts: {
    createAsync(config: object): Promise<{
      readonly numSpeakers: number;
      generateAsync(request: {
        text: string;
        sid: number;
        speed: number;
        enableExternalBuffer: boolean;
        onProgress: () => number;
      }): Promise<{ samples: Float32Array; sampleRate: number }>;
    }>;
  };
}

interface Model {
  readonly speakers: number;
  recognize(audio: PcmAudio): Promise<{ text: string; language: string | null }>;
  speak(text: string, speaker: number, speed: number, wanted: () => boolean): Promise<PcmAudio>;
}

const packageName = "sherpa-onnx-node";

/** The operator's installation: beside the service, or in the working directory. */
async function findSherpa(): Promise<Sherpa> {
  for (const place of [import.meta.filename, join(process.cwd(), "package.json")]) {
    try {
      return createRequire(place)(packageName) as Sherpa;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  throw new Error(`${packageName} is not installed; run: npm install --no-save ${packageName}`);
}

async function load({ kind, config }: ModelConfig): Promise<Model> {
  const sherpa = await findSherpa();
  const notThis = async () => {
    throw new Error("this model does something else");
  };
  if (kind === "recognizer") {
    const recognizer = await sherpa.OfflineRecognizer.createAsync(config);
    return {
      speakers: 0,
      speak: notThis,
      async recognize({ samples, sampleRateHz }) {
        const stream = recognizer.createStream();
        const wave = Float32Array.from(samples, (sample) => sample / 32_768);
        stream.acceptWaveform({ samples: wave, sampleRate: sampleRateHz });
        const { text = "", lang = "" } = await recognizer.decodeAsync(stream);
        return { text, language: /^<\|(\w{2,3})\|>$/.exec(lang)?.[1] ?? null };
      },
    };
  }
  const tts = await sherpa.OfflineTts.createAsync(config);
  return {
    speakers: tts.numSpeakers,
    recognize: notThis,
    async speak(text, speaker, speed, wanted) {
      const sid = Math.min(speaker, Math.max(0, tts.numSpeakers - 1));
      const { samples, sampleRate } = await tts.generateAsync({
        text,
        sid,
        speed,
        // Memory of the library's own cannot be sent to another process.
        enableExternalBuffer: false,
        onProgress: () => (wanted() ? 1 : 0),
      });
      const toSample = (value: number) => Math.max(-1, Math.min(1, value)) * 32_767;
      return { samples: Int16Array.from(samples, toSample), sampleRateHz: sampleRate };
    },
  };
}

let model: Model | null = null;
const cancelled = new Set<number>();

async function answer(question: Exclude<ChildQuestion, { kind: "cancel" }>): Promise<ChildAnswer> {
  const { id } = question;
  if (question.kind === "load") {
    model = await load(question.config);
    return { id, kind: "loaded", speakers: model.speakers };
  }
  if (!model) throw new Error("no model is loaded");
  if (question.kind === "recognize") {
    return { id, kind: "text", ...(await model.recognize(question.audio)) };
  }
  const { text, speaker, speed } = question;
  const audio = await model.speak(text, speaker, speed, () => !cancelled.has(id));
  return { id, kind: "sound", audio };
}

process.on("message", (question: ChildQuestion) => {
  if (question.kind === "cancel") {
    cancelled.add(question.question);
    return;
  }
  const { id } = question;
  answer(question)
    .catch((error: unknown): ChildAnswer => {
      const fault = error instanceof Error ? error.message : String(error);
      return { id, kind: "fault", fault };
    })
    .then((result) => {
      cancelled.delete(id);
      process.send?.(result);
    })
    // The service has gone: nobody is left to answer.
    .catch(() => process.exit(1));
});
process.on("disconnect", () => process.exit(0));
