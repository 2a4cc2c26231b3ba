import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SentRequest } from "./request-recorder.ts";

/** What a front end sent while somebody used it. */
export interface Recording {
  readonly frontEnd: string;
  readonly version: string;
  readonly requests: readonly SentRequest[];
}

const folder = join(import.meta.dirname, "../protocols/recorded");
const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

export async function readRecording(name: string): Promise<Recording> {
  return JSON.parse(await readFile(join(folder, `${name}.json`), "utf8")) as Recording;
}

/** Ids are counted, so that two recordings of the same differ in what differs. */
export async function writeRecording(name: string, recording: Recording): Promise<void> {
  const ids = new Map<string, string>();
  const json = JSON.stringify(recording, null, 1).replaceAll(uuid, (id) => {
    const known =
      ids.get(id) ?? `00000000-0000-4000-8000-${String(ids.size + 1).padStart(12, "0")}`;
    ids.set(id, known);
    return known;
  });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.json`), `${json}\n`);
}
