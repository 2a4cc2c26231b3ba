import { openAsBlob } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chatGptConversation } from "../test/support/foreign-exports.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { startService } from "../test/support/start-service.ts";
import { peakMiB, residentMiB } from "./processes.ts";

/** npm run bench import [-- --megabytes N]: an export of ChatGPT of N MB (default 100), and what memory the service takes for it. */
export async function benchImport(): Promise<void> {
  const given = process.argv.indexOf("--megabytes");
  const megabytes = given === -1 ? 100 : Number(process.argv[given + 1]);
  const postgres = await startPostgres({ own: true });
  if (postgres === null) throw new Error("needs the programs of a PostgreSQL server");
  const directory = await mkdtemp(join(tmpdir(), "bench-import-"));
  const path = join(directory, "conversations.json");
  const conversations = await writeExport(path, megabytes * 1e6);
  const service = await startService({
    env: {
      DATABASE_URL: await postgres.freshDatabase(),
    },
  });
  const before = residentMiB(service.process);
  const startedMs = performance.now();
  const answer = await fetch(`${service.url}/import?user_id=bench`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: await openAsBlob(path),
    signal: AbortSignal.timeout(3_600_000),
  });
  const result = (await answer.json()) as { imported?: number };
  if (result.imported !== conversations) throw new Error(JSON.stringify(result).slice(0, 500));
  const peak = peakMiB(service.process);
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(`import: ${megabytes} MB of ChatGPT's, ${conversations} conversations`);
  console.log(
    `  ${seconds.toFixed(0)} s, memory at most ${peak.toFixed(0)} MiB (VmHWM), ${before.toFixed(0)} before: ${(peak - before).toFixed(0)} more`,
  );
  await service.kill();
  await postgres.stop();
  await rm(directory, { recursive: true });
}

/** Returns how many conversations it has. */
async function writeExport(path: string, bytes: number): Promise<number> {
  await using file = await open(path, "wx");
  let written = 0;
  let number = 0;
  for (; written < bytes; number += 1) {
    // Mostly short ones, and now and then one of megabytes.
    const turns = number % 100 === 99 ? 1_000 : 10;
    const text = JSON.stringify(chatGptConversation({ number, turns, length: 1_500 }));
    written += (await file.write(`${number === 0 ? "[" : ","}${text}`)).bytesWritten;
  }
  await file.write("]");
  return number;
}
