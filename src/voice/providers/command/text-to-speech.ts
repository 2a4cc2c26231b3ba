import { access, constants } from "node:fs/promises";
import { Problem } from "../../../problems/problem.ts";
import type { AudioFormat } from "../../audio-format.ts";
import { streamOf } from "../../byte-stream.ts";
import { primaryLanguage } from "../../language.ts";
import { sniffSpeech } from "../../sniff-audio.ts";
import type { TextToSpeech } from "../../text-to-speech.ts";
import { voiceUnavailable } from "../../unavailable.ts";
import { readWavLayout } from "../../wav.ts";
import { fill, uses } from "./command-line.ts";
import { synthesisPresets } from "./presets.ts";
import { resolveCommand } from "./resolve-command.ts";
import type { ProgramRunner } from "./run-program.ts";

export interface CommandSynthesisOptions {
  /** A preset with arguments to add, or an argv; the text comes in `{text_file}`, else on standard input. */
  readonly command: readonly string[];
  readonly model: string | null;
  readonly voice: string | null;
  readonly voices: readonly string[];
  /** What an own command or a model speaks; unset: any. */
  readonly language: string | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly runner: ProgramRunner;
  readonly timeoutMs?: number;
}

const maxOutputBytes = 32 * 1024 * 1024;

/**
 * Speech by a program of the machine, which writes a sound file to `{output}`, else to standard output. Throws for a
 * command that cannot work.
 */
export async function createCommandTextToSpeech(
  options: CommandSynthesisOptions,
): Promise<TextToSpeech> {
  const { argv, preset, program } = await resolveCommand(
    "voice.tts.command",
    options.command,
    synthesisPresets,
    options.model,
    options.environment,
  );
  const intoFile = uses(argv, "output");
  const fromFile = uses(argv, "text_file");
  const spoken = options.language === null ? null : [primaryLanguage(options.language)];
  const languages = preset && preset.languages !== "any" ? preset.languages : (spoken ?? "any");
  const configured = options.voices.map((id) => ({ id, name: id, language: null }));
  const voices = configured.length > 0 ? configured : (preset?.voices ?? []);
  const closing = new AbortController();

  /** Only voices of the list reach the command line. */
  function voiceFor(asked: string | undefined, language: string): string {
    const fits = (id: string | null | undefined) =>
      voices.find((voice) => voice.id === id && (voice.language ?? language) === language)?.id;
    return (
      fits(asked) ?? fits(options.voice) ?? preset?.defaultVoice(language) ?? options.voice ?? ""
    );
  }

  return {
    provider: "command",
    languages,
    formats: ["wav"],
    maxCharacters: 1_000,
    streams: false,
    async synthesize(text, { language, voice, speed, signal }) {
      signal.throwIfAborted();
      if (closing.signal.aborted) throw voiceUnavailable("engine");
      if (languages !== "any" && !languages.includes(language)) throw voiceUnavailable("language");
      // Some programs make a file of every line.
      const bytes = Buffer.from(text.replaceAll(/\s+/g, " ").trim(), "utf8");
      const { stdout, outputFile } = await options.runner.run(
        {
          argv: (path) =>
            fill(argv, {
              input: "",
              output: path("output.wav"),
              text_file: path("text.txt"),
              language,
              model: options.model ?? "",
              voice: voiceFor(voice, language),
              speed: preset?.speedValue(speed) ?? String(speed),
            }),
          files: fromFile ? new Map([["text.txt", bytes]]) : new Map(),
          ...(fromFile ? {} : { stdin: bytes }),
          ...(intoFile ? { outputFile: "output.wav" } : {}),
          maxOutputBytes,
          timeoutMs: options.timeoutMs ?? 30_000,
        },
        AbortSignal.any([signal, closing.signal]),
      );
      const sound = outputFile ?? stdout;
      const format: AudioFormat | null = sniffSpeech(sound);
      if (!format) {
        const cause = new Error(`the command put out ${sound.length} bytes that are no sound file`);
        throw new Problem("speech_failed", {}, { cause });
      }
      const sampleRateHz = format === "wav" ? (readWavLayout(sound)?.sampleRateHz ?? null) : null;
      return { format, sampleRateHz, bytes: streamOf(sound) };
    },
    async voices(signal) {
      signal.throwIfAborted();
      return voices;
    },
    async probe() {
      const found = program !== null && (await access(program, constants.X_OK).then(yes, no));
      const details = { provider: "command", program: program ?? options.command[0] };
      return { status: found && !closing.signal.aborted ? "healthy" : "unhealthy", details };
    },
    async close() {
      closing.abort(voiceUnavailable("engine"));
    },
  };
}

const yes = () => true;
const no = () => false;
