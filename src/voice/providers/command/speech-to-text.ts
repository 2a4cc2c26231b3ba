import { access, constants } from "node:fs/promises";
import { Problem } from "../../../problems/problem.ts";
import type { PcmAudio } from "../../audio-format.ts";
import { primaryLanguage } from "../../language.ts";
import type { SpeechToText } from "../../speech-to-text.ts";
import { voiceUnavailable } from "../../unavailable.ts";
import { writeWav } from "../../wav.ts";
import { fill, uses } from "./command-line.ts";
import { recognitionPresets } from "./presets.ts";
import { resolveCommand } from "./resolve-command.ts";
import type { ProgramRunner } from "./run-program.ts";

export interface CommandRecognitionOptions {
  /** A preset with arguments to add, or an argv with `{input}`. */
  readonly command: readonly string[];
  readonly model: string | null;
  /** What an own command understands; unset: any, and `{language}` is `auto`. */
  readonly language: string | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly runner: ProgramRunner;
  readonly timeoutMs?: number;
}

const maxOutputBytes = 1024 * 1024;

/**
 * Recognition by a program of the machine. It gets a WAV file of 16 kHz, and answers on standard output or in `{output}`:
 * text, or JSON with `text` (or `t`, as pocketsphinx 5 has it). Throws for a command that cannot work.
 */
export async function createCommandSpeechToText(
  options: CommandRecognitionOptions,
): Promise<SpeechToText> {
  const { argv, preset, program } = await resolveCommand(
    "voice.stt.command",
    options.command,
    recognitionPresets,
    options.model,
    options.environment,
  );
  if (!uses(argv, "input")) throw new Error("voice.stt.command needs {input}, the recording");
  const intoFile = uses(argv, "output");
  const spoken = options.language === null ? null : [primaryLanguage(options.language)];
  // Then the configured language is only the one of callers who name none.
  const anyLanguage = preset?.languages === "any" || uses(argv, "language");
  const onlyLanguage =
    preset && preset.languages !== "any" && preset.languages.length === 1
      ? (preset.languages[0] ?? null)
      : null;
  const closing = new AbortController();

  return {
    provider: "command",
    languages: anyLanguage ? "any" : (spoken ?? preset?.languages ?? "any"),
    accepts: "pcm",
    async transcribe(recording, { language, signal }) {
      signal.throwIfAborted();
      if (closing.signal.aborted) throw voiceUnavailable("engine");
      if (recording.kind !== "pcm") throw new Error("a command takes decoded recordings only");
      const tag = language ? primaryLanguage(language) : (spoken?.[0] ?? "auto");
      const wav = writeWav(padded(recording.audio, preset?.paddingMs ?? 0));
      const { stdout, outputFile } = await options.runner.run(
        {
          argv: (path) =>
            fill(argv, {
              input: path("input.wav"),
              output: path("output"),
              language: tag,
              model: options.model ?? "",
              voice: "",
              speed: "1",
              text_file: "",
            }),
          files: new Map([["input.wav", wav]]),
          ...(intoFile ? { outputFile: "output" } : {}),
          maxOutputBytes,
          timeoutMs: options.timeoutMs ?? 30_000,
        },
        AbortSignal.any([signal, closing.signal]),
      );
      if (intoFile && !outputFile) {
        throw new Problem("speech_failed", {}, { cause: new Error("no {output} was written") });
      }
      const text = textIn(Buffer.from(outputFile ?? stdout).toString("utf8"));
      return { text, language: tag === "auto" ? onlyLanguage : tag };
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

function padded(audio: PcmAudio, paddingMs: number): PcmAudio {
  const silence = Math.round((audio.sampleRateHz * paddingMs) / 1000);
  const samples = new Int16Array(audio.samples.length + 2 * silence);
  samples.set(audio.samples, silence);
  return { ...audio, samples };
}

/** Plain text, or the text of a JSON document, or of JSON lines. */
function textIn(output: string): string {
  const texts = output.split("\n").map((line) => jsonText(line) ?? null);
  if (texts.some((text) => text !== null)) return joined(texts.map((text) => text ?? ""));
  return jsonText(output) ?? joined(output.split("\n"));
}

function joined(lines: readonly string[]): string {
  return lines
    .map((line) => line.trim())
    .filter(Boolean)
    .join(" ");
}

function jsonText(document: string): string | undefined {
  if (!document.trim().startsWith("{")) return undefined;
  try {
    const value = JSON.parse(document) as Record<string, unknown>;
    const text = value["text"] ?? value["t"];
    return typeof text === "string" ? text : undefined;
  } catch {
    // Text that begins with a brace.
    return undefined;
  }
}
