import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { startPostgres } from "../test/support/postgres.ts";
import { createDataDir, startService } from "../test/support/start-service.ts";
import { peakMiB, residentMiB } from "./processes.ts";

/** Until what was only needed to start is given back. */
const restMs = 20_000;

/** What a service that has just been started holds: embedded for the first time and later, and with a PostgreSQL server. */
export async function benchMemory(): Promise<void> {
  const postgres = await startPostgres();
  const dataDir = await createDataDir();
  const starts = [
    { name: "embedded, first start", env: {}, dataDir },
    { name: "embedded, later start", env: {}, dataDir },
    ...(postgres === null
      ? []
      : [{ name: "PostgreSQL", env: { DATABASE_URL: await postgres.freshDatabase() }, dataDir }]),
  ];
  console.log(`memory: resident after ${restMs / 1_000} s, and at most`);
  for (const { name, ...options } of starts) {
    const service = await startService(options);
    await delay(restMs);
    const text = await (await fetch(`${service.url}/metrics`)).text();
    const of = (metric: string) =>
      Number(new RegExp(`^${metric} (\\S+)`, "m").exec(text)?.[1]) / 2 ** 20;
    console.log(
      `  ${name}: ${residentMiB(service.process).toFixed(0)} MiB, ${peakMiB(service.process).toFixed(0)} (heap ${of("nodejs_heap_size_total_bytes").toFixed(0)}, outside of it ${of("nodejs_external_memory_bytes").toFixed(0)})`,
    );
    await service.stop();
  }
  await postgres?.stop();
  await rm(dataDir, { recursive: true, force: true });
}
