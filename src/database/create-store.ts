import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loaderArguments } from "../lib/loader-arguments.ts";

const script = fileURLToPath(new URL("write-store.ts", import.meta.url));
const unfinished = "pgdata-new-";

/**
 * The files of an empty embedded database in this folder, where there are none yet. A process of its own makes them: the
 * hundred megabytes and more that it takes are gone with it, while those of a thread are not. They are there when they
 * are whole; what an earlier start has left unfinished is removed. Call it for a folder that is this process's alone.
 */
export async function createStore(dataDir: string): Promise<void> {
  const store = join(dataDir, "pgdata");
  if (existsSync(join(store, "PG_VERSION"))) return;
  for (const name of await readdir(dataDir)) {
    if (name.startsWith(unfinished)) await rm(join(dataDir, name), { recursive: true });
  }
  const made = await mkdtemp(join(dataDir, unfinished));
  try {
    await promisify(execFile)(process.execPath, [...loaderArguments(), script, made], { env: {} });
    await rename(made, store).catch((error: unknown) => intoMount(made, store, error));
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw new Error("its files could not be created", { cause: error });
  }
}

const version = "PG_VERSION";

/** A file system that is mounted there, with nothing in it, cannot be replaced: it is filled, at last with what says that it is whole. */
async function intoMount(made: string, store: string, why: unknown): Promise<void> {
  if ((why as NodeJS.ErrnoException).code !== "EBUSY") throw why;
  const there = (await readdir(store)).filter((name) => name !== "lost+found");
  if (there.length > 0) throw why;
  const names = (await readdir(made)).filter((name) => name !== version);
  for (const name of [...names, version]) {
    await cp(join(made, name), join(store, name), { recursive: true });
  }
  await rm(made, { recursive: true });
}
