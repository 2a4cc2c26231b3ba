import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLogger } from "../../src/telemetry/logger.ts";
import { collect, streamOf } from "../../src/voice/byte-stream.ts";
import {
  createProgramRunner,
  type ProgramRunner,
} from "../../src/voice/providers/command/run-program.ts";
import { createCommandSpeechToText } from "../../src/voice/providers/command/speech-to-text.ts";
import { createCommandTextToSpeech } from "../../src/voice/providers/command/text-to-speech.ts";
import { createFliteTextToSpeech } from "../../src/voice/providers/flite/text-to-speech.ts";
import { createOpenAiSpeechToText } from "../../src/voice/providers/openai/speech-to-text.ts";
import { createOpenAiTextToSpeech } from "../../src/voice/providers/openai/text-to-speech.ts";
import { createSherpaTextToSpeech } from "../../src/voice/providers/sherpa/text-to-speech.ts";
import { resample } from "../../src/voice/resample.ts";
import { speechToTextContract } from "../../src/voice/speech-to-text.contract.ts";
import type { Recording, SpeechToText } from "../../src/voice/speech-to-text.ts";
import { textToSpeechContract } from "../../src/voice/text-to-speech.contract.ts";
import type { TextToSpeech } from "../../src/voice/text-to-speech.ts";
import { readWav } from "../../src/voice/wav.ts";
import { convert, describeSpeech, recognize } from "../support/speech-programs.ts";
import { startSpeechServer, type SpeechTestServer } from "../support/speech-server.ts";

const environment = { PATH: process.env["PATH"] ?? "" };
let runner: ProgramRunner;

beforeAll(() => {
  runner = createProgramRunner({
    environment,
    maxRunning: 2,
    maxWaiting: 16,
    logger: silentLogger,
  });
});
afterAll(() => runner.close());

function speakers(
  name: string,
  create: () => TextToSpeech | Promise<TextToSpeech>,
  hear: ((sound: Uint8Array) => Promise<string>) | null,
): void {
  describe(`${name} as a synthesiser`, () => {
    for (const { name: what, run } of textToSpeechContract) {
      test(what, async () => {
        const engine = await create();
        try {
          await run({ engine, hear });
        } finally {
          await engine.close();
        }
      });
    }
  });
}

speakers("flite", () => createFliteTextToSpeech({ logger: silentLogger }), null);

describeSpeech("engines with real programs behind them", () => {
  let server: SpeechTestServer;
  let wav: Uint8Array;

  beforeAll(async () => {
    server = await startSpeechServer();
    const flite = createFliteTextToSpeech({ logger: silentLogger });
    const { signal } = new AbortController();
    const options = { language: "en", format: "wav", speed: 1, signal } as const;
    const speech = await flite.synthesize("what time is it", options);
    wav = (await collect(speech.bytes, 1e7))!;
    await flite.close();
  });
  afterAll(() => server.close());

  speakers("flite", () => createFliteTextToSpeech({ logger: silentLogger }), recognize);

  const command = (argv: readonly string[]) =>
    createCommandTextToSpeech({
      command: argv,
      model: null,
      voice: null,
      voices: [],
      language: null,
      environment,
      runner,
    });
  // English by espeak-ng is beyond the recogniser; that words come out right is shown in Chinese.
  speakers("the preset espeak-ng", () => command(["espeak-ng"]), null);
  const script = 'espeak-ng -v en-us -s "$(awk "BEGIN { print int(160 * $1) }")" --stdin -w "$2"';
  speakers(
    "a command of one's own, by standard input",
    () => command(["sh", "-c", script, "sh", "{speed}", "{output}"]),
    null,
  );

  speakers(
    "openai",
    () =>
      createOpenAiTextToSpeech({
        apiUrl: server.url,
        apiKey: null,
        model: "tts",
        voice: "rms",
        voices: [],
        pcmSampleRateHz: null,
        limits: { retryMs: 5 },
        logger: silentLogger,
      }),
    recognize,
  );

  const listeners: [string, () => SpeechToText | Promise<SpeechToText>][] = [
    [
      "openai",
      () =>
        createOpenAiSpeechToText({
          apiUrl: server.url,
          apiKey: null,
          model: "stt",
          limits: { retryMs: 5 },
          logger: silentLogger,
        }),
    ],
    [
      "the preset pocketsphinx",
      () =>
        createCommandSpeechToText({
          command: ["pocketsphinx"],
          model: null,
          language: null,
          environment,
          runner,
        }),
    ],
    [
      "a command of one's own",
      () =>
        createCommandSpeechToText({
          command: ["pocketsphinx_continuous", "-logfn", "/dev/null", "-infile", "{input}"],
          model: null,
          language: "en",
          environment,
          runner,
        }),
    ],
  ];
  describe.each(listeners)("%s as a recogniser", (_, create) => {
    for (const { name: what, run } of speechToTextContract) {
      test(what, async () => {
        const engine = await create();
        const pcm: Recording = { kind: "pcm", audio: resample(readWav(wav)!, 16_000) };
        const uploads = await Promise.all(
          (["wav", "mp3", "webm", "ogg", "m4a", "flac"] as const).map(async (extension) => {
            const opus = extension === "webm" || extension === "ogg" ? ["-c:a", "libopus"] : [];
            const bytes = await convert(wav, extension, opus);
            const container = extension === "m4a" ? "mp4" : extension;
            return { kind: "upload", container, bytes, durationMs: 1_400 } as const;
          }),
        );
        try {
          const recordings = engine.accepts === "uploads" ? [pcm, ...uploads] : [pcm];
          await run({ engine, recordings });
        } finally {
          await engine.close();
        }
      });
    }
  });

  const model = process.env["SHERPA_TTS_MODEL"];
  if (model !== undefined) {
    speakers(
      "sherpa",
      () =>
        createSherpaTextToSpeech({
          model,
          voice: null,
          voices: [],
          language: "en",
          environment,
          logger: silentLogger,
        }),
      recognize,
    );
  } else if (canSherpa()) {
    console.warn("SKIPPED: sherpa as a synthesiser: SHERPA_TTS_MODEL names no folder with a model");
  }
});

function canSherpa(): boolean {
  try {
    createRequire(import.meta.filename).resolve("sherpa-onnx-node");
    return true;
  } catch {
    return false;
  }
}

test("an engine that is broken in any way fails the contract", async () => {
  const silence = new Uint8Array(44);
  const broken: TextToSpeech = {
    provider: "command",
    languages: ["en"],
    formats: ["wav"],
    maxCharacters: 100,
    streams: false,
    synthesize: async () => ({ format: "wav", sampleRateHz: 8_000, bytes: streamOf(silence) }),
    voices: async () => [
      { id: "same", name: "One", language: "en" },
      { id: "same", name: "Two", language: "en" },
    ],
    probe: async () => ({ status: "unhealthy", details: {} }),
    close: async () => undefined,
  };
  const deaf: SpeechToText = {
    provider: "command",
    languages: "any",
    accepts: "pcm",
    transcribe: async () => ({ text: String(Math.random()), language: null }),
    probe: async () => ({ status: "unhealthy", details: {} }),
    close: async () => undefined,
  };
  const audio = { samples: new Int16Array(16_000), sampleRateHz: 16_000 };
  for (const { name, run } of textToSpeechContract) {
    // That a voice may be refused is all that this case asks for.
    if (name.startsWith("an unknown voice")) continue;
    await expect(run({ engine: broken, hear: null }), name).rejects.toThrow();
  }
  for (const { name, run } of speechToTextContract) {
    const recordings = [{ kind: "pcm", audio } as const];
    await expect(run({ engine: deaf, recordings }), name).rejects.toThrow();
  }
});
