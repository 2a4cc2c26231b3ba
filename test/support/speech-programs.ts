import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe } from "vitest";

/** The Debian packages `pocketsphinx pocketsphinx-en-us espeak-ng ffmpeg` bring these. */
const programs = ["pocketsphinx_continuous", "espeak-ng", "ffmpeg"];
const run = promisify(execFile);

function isInstalled(program: string): boolean {
  try {
    execFileSync("which", [program], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export const missingPrograms = programs.filter((program) => !isInstalled(program));
const isRequired = (process.env["REQUIRE_BACKENDS"] ?? "").split(",").includes("speech");

/** `describe` for tests with real speech: skipped, loudly, where a program is missing; REQUIRE_BACKENDS=speech fails then. */
export function describeSpeech(name: string, suite: () => void): void {
  if (missingPrograms.length === 0) {
    describe(name, suite);
    return;
  }
  const reason = `${missingPrograms.join(", ")} not installed`;
  if (isRequired) throw new Error(`${name}: ${reason}`);
  console.warn(`SKIPPED: ${name}: ${reason}`);
  describe.skip(name, suite);
}

/** Does something with files in a directory of its own. */
async function inDirectory<T>(work: (path: (name: string) => string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "speech-test-"));
  try {
    return await work((name) => join(directory, name));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A sound file in another format, by ffmpeg: arguments such as `-c:a libopus`, and the new file's extension. */
export function convert(
  sound: Uint8Array,
  extension: string,
  args: readonly string[] = [],
): Promise<Buffer> {
  return inDirectory(async (path) => {
    await writeFile(path("in"), sound);
    const output = path(`out.${extension}`);
    await run("ffmpeg", ["-v", "error", "-i", path("in"), ...args, output]);
    return readFile(output);
  });
}

/** Chinese speech by espeak-ng, at a pace that the recogniser below understands. */
export function speakChinese(text: string): Promise<Buffer> {
  return inDirectory(async (path) => {
    await writeFile(path("text"), text);
    const voice = ["-v", "cmn-latn-pinyin+f2", "-s", "130"];
    await run("espeak-ng", [...voice, "-f", path("text"), "-w", path("out.wav")]);
    return readFile(path("out.wav"));
  });
}

const grammar = (name: string) => join(import.meta.dirname, "../fixtures/speech", name);

/** Arguments with which pocketsphinx knows a few phrases of Chinese. */
export const chineseGrammar = ["-dict", grammar("zh.dict"), "-jsgf", grammar("zh.jsgf")];

/** What pocketsphinx hears in any sound file; Han characters without the blanks it puts between words. */
export function recognize(sound: Uint8Array, args: readonly string[] = []): Promise<string> {
  return inDirectory(async (path) => {
    await writeFile(path("in"), sound);
    const filter = ["-af", "adelay=300:all=1,apad=pad_dur=0.3"];
    const format = ["-ar", "16000", "-ac", "1", path("in.wav")];
    await run("ffmpeg", ["-v", "error", "-i", path("in"), ...filter, ...format]);
    const { stdout } = await run("pocketsphinx_continuous", [
      "-infile",
      path("in.wav"),
      "-logfn",
      "/dev/null",
      ...args,
    ]);
    return plain(stdout);
  });
}

/** For comparisons: without punctuation and capitals, Han characters without blanks between them. */
export function plain(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s']/gu, " ")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/(?<=\p{Script=Han}) (?=\p{Script=Han})/gu, "")
    .trim();
}
