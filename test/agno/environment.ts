import { execFile } from "node:child_process";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** The AgentOS versions that the product is tested with at each change: the last 2.x and the newest. */
export const agnoVersions: readonly string[] = ["2.9.0", "3.1.10"];

/**
 * Those that this run of the suite takes: `AGNO_VERSIONS`, a list with commas, in which `newest` is what the registry
 * has now.
 */
export async function chosenVersions(): Promise<readonly string[]> {
  const wanted = (process.env["AGNO_VERSIONS"] ?? "").split(",").filter((each) => each !== "");
  if (wanted.length === 0) return agnoVersions;
  if (!wanted.includes("newest")) return wanted;
  const newest = await newestVersion();
  return wanted.map((each) => (each === "newest" ? newest : each));
}

/** As pip sees it, without releases that are not final. */
async function newestVersion(): Promise<string> {
  const { stdout } = await run("python3", ["-m", "pip", "index", "versions", "agno"]);
  const newest = /\(([\d.]+)\)/.exec(stdout)?.[1];
  if (newest === undefined) throw new Error(`pip names no version of agno:\n${stdout}`);
  return newest;
}

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const installTimeoutMs = 10 * 60_000;

/** The Python of a virtual environment with this version, made when it is not there yet; else why it cannot be made. */
export async function pythonOf(
  version: string,
): Promise<{ readonly python: string } | { readonly missing: string }> {
  const folder = join(root, ".cache", `agno-${version}`);
  const python = join(folder, "bin", "python");
  const requirementsFile = join(import.meta.dirname, "requirements.txt");
  const requirements = await readFile(requirementsFile, "utf8");
  // What a version beside the usual ones wants of these is its own matter.
  const others = agnoVersions.includes(version)
    ? ["-r", requirementsFile]
    : requirements.split("\n").flatMap((line) => line.split("==")[0] || []);
  const ready = `agno ${version}\n${requirements}`;
  const mark = join(folder, "ready.txt");
  if ((await readFile(mark, "utf8").catch(() => "")) === ready) return { python };

  await mkdir(join(root, ".cache"), { recursive: true });
  const lock = `${folder}.lock`;
  // Test files run side by side: one installs, the others wait for it.
  const deadline = Date.now() + installTimeoutMs;
  for (;;) {
    try {
      await (await open(lock, "wx")).close();
      break;
    } catch {
      if ((await readFile(mark, "utf8").catch(() => "")) === ready) return { python };
      if (Date.now() > deadline) return { missing: `somebody else holds ${lock}` };
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  try {
    await run("python3", ["-m", "venv", folder], { timeout: installTimeoutMs });
    await run(python, ["-m", "pip", "install", "--quiet", `agno[os]==${version}`, ...others], {
      timeout: installTimeoutMs,
    });
    await writeFile(mark, ready);
    return { python };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n").slice(0, 3).join(" ") : "";
    return { missing: `Python, venv or the registry is missing: ${reason}` };
  } finally {
    await rm(lock, { force: true });
  }
}
