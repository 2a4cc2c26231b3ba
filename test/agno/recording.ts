import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Exchange } from "./recording-proxy.ts";

const folder = join(import.meta.dirname, "../fixtures/agno");

function fileOf(version: string, scenario: string): string {
  const name = scenario
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
  return join(folder, version, `${name}.json`);
}

/** What an AgentOS of this version answered when the scenario was recorded. */
export async function readRecording(
  version: string,
  scenario: string,
): Promise<readonly Exchange[]> {
  return JSON.parse(await readFile(fileOf(version, scenario), "utf8")) as Exchange[];
}

export async function writeRecording(
  version: string,
  scenario: string,
  exchanges: readonly Exchange[],
): Promise<void> {
  await mkdir(join(folder, version), { recursive: true });
  await writeFile(fileOf(version, scenario), `${JSON.stringify(exchanges, null, 1)}\n`);
}
