import { readFileSync } from "node:fs";
import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { v4 as randomId } from "uuid";
import { makeDirectory } from "../lib/make-directory.ts";
import { StartFault } from "../problems/start-fault.ts";
import type { Logger } from "../telemetry/logger.ts";

/** Two processes on one embedded database silently lose acknowledged rows, so the second one is refused. */
export class DataDirectoryInUse extends StartFault {
  override readonly name = "DataDirectoryInUse";

  constructor(directory: string, owner: Owner) {
    super(
      `${directory} is in use by process ${owner.pid} on ${owner.host} (since ${owner.since}). ` +
        "Stop that process, choose another service.data_dir, or set DATABASE_URL to share a PostgreSQL server.",
    );
  }
}

export interface DataDirectoryLock {
  /** May be called twice. */
  release(): Promise<void>;
}

interface Owner {
  readonly token: string;
  readonly pid: number;
  /** Tells a process from a later one that got the same pid; null where the system does not say. */
  readonly processStart: string | null;
  readonly host: string;
  readonly boot: string | null;
  readonly since: string;
  readonly heartbeat: number;
}

interface LockOptions {
  readonly onLost: () => void;
  readonly log: Logger;
  readonly heartbeatMs?: number;
}

const defaultHeartbeatMs = 2_000;
/** An owner on another host (a shared volume) cannot be probed; it counts as dead after this long without a heartbeat. */
const remoteStaleMs = 15_000;
/** Two processes that find the same dead owner both write; after this pause the later writer has won. */
const settleMs = 100;

/**
 * Takes the exclusive lock of a data directory. The owner is written into `lock.json` and renews a heartbeat; a lock
 * whose owner is dead is taken over. Raises DataDirectoryInUse within a second otherwise.
 * `onLost` is called once if somebody else turns out to own the lock later on (a machine that was suspended). A lock that
 * cannot be renewed is told once.
 */
export async function lockDataDirectory(
  directory: string,
  { onLost, log, heartbeatMs = defaultHeartbeatMs }: LockOptions,
): Promise<DataDirectoryLock> {
  makeDirectory(directory);
  const path = join(directory, "lock.json");
  const token = randomId();
  const self = (): Owner => ({
    token,
    pid: process.pid,
    processStart: processStart(process.pid),
    host: hostname(),
    boot: bootId(),
    since,
    heartbeat: Date.now(),
  });
  const since = new Date().toISOString();

  if (!(await createExclusively(path, self()))) {
    const owner = await readOwner(path);
    if (owner !== null && isAlive(owner)) throw new DataDirectoryInUse(directory, owner);
    await replace(path, self());
    await delay(settleMs);
    const winner = await readOwner(path);
    if (winner?.token !== token) throw new DataDirectoryInUse(directory, winner ?? self());
  }

  let released = false;
  const beat = async () => {
    const owner = await readOwner(path);
    if (released) return;
    if (owner?.token !== token) {
      clearInterval(timer);
      onLost();
      return;
    }
    await replace(path, self());
  };
  let beating: Promise<void> | null = null;
  let isFailing = false;
  const timer = setInterval(() => {
    // On a slow disk a beat may outlast the interval: two at a time would tear each other's file, and the torn file
    // would look as if somebody else had taken the lock.
    if (beating !== null) return;
    beating = beat()
      .then(() => {
        if (isFailing) log.info({ path }, "the lock of the data directory is renewed again");
        isFailing = false;
      })
      // A full or read-only disk must not crash the process: the pid still proves that this owner lives.
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        const words = "the lock of the data directory cannot be renewed; trying again";
        if (!isFailing) log.warn({ path, reason }, words);
        isFailing = true;
      })
      .finally(() => (beating = null));
  }, heartbeatMs);
  timer.unref();
  return {
    async release() {
      if (released) return;
      released = true;
      clearInterval(timer);
      // It would write the lock once more.
      await beating;
      const owner = await readOwner(path);
      if (owner?.token === token) await rm(path, { force: true });
    },
  };
}

async function createExclusively(path: string, owner: Owner): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(JSON.stringify(owner));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Readers see the old owner or the new one, never half a file. */
async function replace(path: string, owner: Owner): Promise<void> {
  const temporary = `${path}.${owner.token}`;
  await writeFile(temporary, JSON.stringify(owner));
  await rename(temporary, path);
}

/** Null for a lock that is gone or was cut short while being written: its writer is dead. */
async function readOwner(path: string): Promise<Owner | null> {
  try {
    const owner = JSON.parse(await readFile(path, "utf8")) as Partial<Owner>;
    return typeof owner.pid === "number" && typeof owner.token === "string"
      ? (owner as Owner)
      : null;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") {
      return null;
    }
    throw error;
  }
}

function isAlive(owner: Owner): boolean {
  if (owner.host !== hostname()) return Date.now() - owner.heartbeat < remoteStaleMs;
  if (owner.boot !== null && owner.boot !== bootId()) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: it exists, under another user.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const start = processStart(owner.pid);
  return owner.processStart === null || start === null || start === owner.processStart;
}

function bootId(): string | null {
  return readSystemFile("/proc/sys/kernel/random/boot_id");
}

/** Start time in clock ticks since boot: the 22nd field of /proc/<pid>/stat, counted after the command in parentheses. */
function processStart(pid: number): string | null {
  const stat = readSystemFile(`/proc/${pid}/stat`);
  return stat === null ? null : (stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null);
}

function readSystemFile(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null; // no /proc on this system: the pid alone decides
  }
}
