import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { pythonWith } from "../support/python.ts";

/** The AgentOS versions that the product is tested with at each change: the last 2.x and the newest. */
export const agnoVersions: readonly string[] = ["2.9.0", "3.1.10"];

/**
 * Those that this run of the suite takes: `AGNO_VERSIONS`, a list with commas, in which `tested` are those above, and
 * `newest` is what the registry has now.
 */
export async function chosenVersions(): Promise<readonly string[]> {
  const wanted = (process.env["AGNO_VERSIONS"] ?? "").split(",").filter((each) => each !== "");
  if (wanted.length === 0) return agnoVersions;
  const newest = wanted.includes("newest") ? await newestVersion() : "";
  const meant = wanted.flatMap((each) => {
    if (each === "tested") return agnoVersions;
    return each === "newest" ? newest : each;
  });
  return [...new Set(meant)];
}

/** As pip sees it, without releases that are not final. */
async function newestVersion(): Promise<string> {
  const { stdout } = await run("python3", ["-m", "pip", "index", "versions", "agno"]);
  const newest = /\(([\d.]+)\)/.exec(stdout)?.[1];
  if (newest === undefined) throw new Error(`pip names no version of agno:\n${stdout}`);
  return newest;
}

const run = promisify(execFile);

/** The Python of a virtual environment with this version, made when it is not there yet; else why it cannot be made. */
export async function pythonOf(
  version: string,
): Promise<{ readonly python: string } | { readonly missing: string }> {
  const requirementsFile = join(import.meta.dirname, "requirements.txt");
  const requirements = await readFile(requirementsFile, "utf8");
  // What a version beside the usual ones wants of these is its own matter.
  const others = agnoVersions.includes(version)
    ? ["-r", requirementsFile]
    : requirements.split("\n").flatMap((line) => line.split("==")[0] || []);
  const packages = [`agno[os]==${version}`, ...others];
  return pythonWith(`agno-${version}`, packages, `agno ${version}\n${requirements}`);
}
