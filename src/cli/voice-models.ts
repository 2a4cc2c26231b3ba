import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Config } from "../config/settings.ts";
import { recognizerConfig, speakerConfig } from "../voice/providers/sherpa/model-files.ts";
import { painter, type Paint, type Terminal } from "./terminal.ts";
import { parseCommand, UsageFault } from "./usage.ts";

const help = `chat-service voice models [--config FILE]

Local speech by sherpa-onnx: which models there are, where to put them and how to name them, and what of it is there
already. Downloads nothing and changes nothing.`;

const packageName = "sherpa-onnx-node";
const releases = "https://github.com/k2-fsa/sherpa-onnx/releases/download";

interface Model {
  /** Of the archive, and of the folder in it. */
  readonly name: string;
  readonly languages: string;
  readonly sizeMb: number;
  readonly note: string;
  /** Another file that belongs into the folder, below `releases`. */
  readonly beside?: string;
}

const recognizers: readonly Model[] = [
  {
    name: "sherpa-onnx-sense-voice-zh-en-ja-ko-yue-int8-2024-07-17",
    languages: "Chinese, Cantonese, English, Japanese, Korean",
    sizeMb: 239,
    note: "SenseVoice: writes numbers and punctuation",
  },
];

const speakers: readonly Model[] = [
  {
    name: "kokoro-multi-lang-v1_1",
    languages: "Chinese, English",
    sizeMb: 330,
    note: "Kokoro: 103 voices, named by their numbers",
  },
  {
    name: "matcha-icefall-zh-en",
    languages: "Chinese, English",
    sizeMb: 126,
    note: "Matcha: one voice, fast",
    beside: "vocoder-models/vocos-16khz-univ.onnx",
  },
];

/** `chat-service voice …`. Returns the exit code: 1 when a model that is configured cannot be used. */
export async function runVoice(
  config: Config,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  try {
    const options = { config: { type: "string" }, help: { type: "boolean" } } as const;
    const { values, positionals } = parseCommand(args, options, help);
    if (values.help === true) {
      terminal.output.write(`${help}\n`);
      return 0;
    }
    if (positionals.length !== 1 || positionals[0] !== "models") throw new UsageFault(help);
  } catch (error) {
    if (!(error instanceof UsageFault)) throw error;
    terminal.errors.write(`${error.message}\n`);
    return 2;
  }
  const paint = painter(terminal.isColoured);
  const findings = await look(config);
  terminal.output.write(`${describe(config, findings, paint)}\n`);
  return findings.some(({ status }) => status === "wrong") ? 1 : 0;
}

interface Finding {
  readonly what: string;
  readonly status: "there" | "absent" | "wrong";
  readonly found: string;
}

async function look({ voice }: Config): Promise<readonly Finding[]> {
  const uses = voice["stt.provider"] === "sherpa" || voice["tts.provider"] === "sherpa";
  const place = findPackage();
  const installed: Finding = place
    ? { what: "package", status: "there", found: place }
    : { what: "package", status: uses ? "wrong" : "absent", found: "not installed" };
  return [
    installed,
    await lookInto("recognition", "stt", voice, recognizerConfig),
    await lookInto("speech", "tts", voice, speakerConfig),
  ];
}

/** Beside the service or in the working directory, as it will be loaded from. */
function findPackage(): string | null {
  for (const from of [import.meta.filename, join(process.cwd(), "package.json")]) {
    try {
      return createRequire(from).resolve(packageName);
    } catch {
      // Not there; perhaps in the other place.
    }
  }
  return null;
}

async function lookInto(
  what: string,
  direction: "stt" | "tts",
  voice: Config["voice"],
  read: (folder: string) => Promise<unknown>,
): Promise<Finding> {
  const provider = voice[`${direction}.provider`];
  const folder = voice[`${direction}.model`];
  if (provider !== "sherpa") {
    const found = `voice.${direction}.provider is ${provider}, not sherpa`;
    return { what, status: "absent", found };
  }
  if (folder === null) return { what, status: "wrong", found: `set voice.${direction}.model` };
  try {
    await read(folder);
    return { what, status: "there", found: `${folder} has the files of a model` };
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    return { what, status: "wrong", found };
  }
}

const colours = { there: "green", absent: "dim", wrong: "red" } as const;

function describe({ service }: Config, findings: readonly Finding[], paint: Paint): string {
  const folder = resolve(service.data_dir, "models");
  const root = resolve(import.meta.dirname, "../..");
  const [recognizer] = recognizers;
  const [speaker] = speakers;
  return [
    paint("bold", "There is"),
    ...findings.map(({ what, status, found }) => {
      return `  ${paint(colours[status], status.padEnd(7))} ${what.padEnd(12)} ${found}`;
    }),
    "",
    paint("bold", "1. Install the package"),
    `  It contains GPL code (espeak-ng), so it does not come with the service.`,
    `  cd ${root} && npm install --no-save ${packageName}`,
    "",
    paint("bold", "2. Put models into folders of their own"),
    `  Any place will do that the service can read, such as ${folder}.`,
    "  Recognition:",
    ...recognizers.flatMap((model) => instructions(model, folder, "asr-models")),
    "  Speech:",
    ...speakers.flatMap((model) => instructions(model, folder, "tts-models")),
    "  Others of the same kinds work too: Whisper, Paraformer, transducers; VITS, Piper's voices among them.",
    "",
    paint("bold", "3. Name the folders in config.yaml"),
    "  voice:",
    "    stt:",
    "      provider: sherpa",
    `      model: ${join(folder, recognizer?.name ?? "")}`,
    "    tts:",
    "      provider: sherpa",
    `      model: ${join(folder, speaker?.name ?? "")}`,
    `      voices: ["3", "10", "45"]`,
    "",
    paint("bold", "4. See whether it works"),
    "  chat-service doctor",
  ].join("\n");
}

function instructions(model: Model, folder: string, release: string): string[] {
  const { name, languages, sizeMb, note, beside } = model;
  const unpack = `curl -L ${releases}/${release}/${name}.tar.bz2 | tar xj -C ${folder}`;
  return [
    `    ${name}  (${languages}; ${sizeMb} MB; ${note})`,
    `      mkdir -p ${folder} && ${unpack}`,
    ...(beside
      ? [`      curl -L ${releases}/${beside} --output-dir ${join(folder, name)} -O`]
      : []),
  ];
}
