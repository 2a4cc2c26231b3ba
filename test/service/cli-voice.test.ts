import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runVoice } from "../../src/cli/voice-models.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { Config } from "../../src/config/settings.ts";
import { captureTerminal } from "../support/capture-terminal.ts";

describe("chat-service voice models", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "chat-voice-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  function configOf(environment: Record<string, string> = {}): Config {
    const loaded = loadConfig({
      environment: { SERVICE_DATA_DIR: directory, ...environment },
      cwd: directory,
    });
    if (!loaded.ok) throw new Error(loaded.faults.join());
    return loaded.config;
  }

  async function run(args: readonly string[], environment?: Record<string, string>) {
    const { terminal, seen } = captureTerminal();
    const code = await runVoice(configOf(environment), args, terminal);
    return { code, ...seen };
  }

  async function folder(name: string, ...files: readonly string[]): Promise<string> {
    const path = join(directory, name);
    await mkdir(path);
    for (const file of files) await writeFile(join(path, file), "");
    return path;
  }

  it("says what to install, where to put it and how to name it", async () => {
    const { code, output } = await run(["models"]);
    expect(code).toBe(0);
    for (const text of [
      "npm install --no-save sherpa-onnx-node",
      join(directory, "models"),
      "sense-voice",
      "kokoro",
      "provider: sherpa",
      "voice.stt.provider is auto, not sherpa",
    ]) {
      expect(output).toContain(text);
    }
    // What is named in the settings is what the downloads make.
    const named = [...output.matchAll(/model: (\S+)/g)].map(([, path]) => path);
    for (const path of named) expect(output).toContain(`${path?.split("/").at(-1)}.tar.bz2`);
    expect(named).toHaveLength(2);
  });

  it("says what is missing of what is configured, and ends with 1", async () => {
    const empty = await folder("empty");
    const { code, output } = await run(["models"], {
      VOICE_STT_PROVIDER: "sherpa",
      VOICE_STT_MODEL: empty,
      VOICE_TTS_PROVIDER: "sherpa",
      VOICE_TTS_MODEL: join(directory, "nowhere"),
    });
    expect(code).toBe(1);
    expect(output).toContain(`${empty} has no tokens.txt`);
    expect(output).toMatch(/nowhere cannot be read \(ENOENT\)/);
  });

  it("finds the models that are there", async () => {
    const heard = await folder("sense-voice", "model.int8.onnx", "tokens.txt");
    const spoken = await folder("kokoro", "model.onnx", "voices.bin", "tokens.txt");
    const { output } = await run(["models"], {
      VOICE_STT_PROVIDER: "sherpa",
      VOICE_STT_MODEL: heard,
      VOICE_TTS_PROVIDER: "sherpa",
      VOICE_TTS_MODEL: spoken,
    });
    expect(output).toMatch(/there +recognition +\S+sense-voice has the files of a model/);
    expect(output).toMatch(/there +speech +\S+kokoro has the files of a model/);
  });

  it("knows no other word", async () => {
    for (const args of [[], ["install"], ["models", "more"], ["models", "--what"]]) {
      const { code, errors } = await run(args);
      expect([args, code]).toEqual([args, 2]);
      expect(errors).toContain("chat-service voice models");
    }
    expect(await run(["models", "--help"])).toMatchObject({ code: 0, errors: "" });
  });
});
