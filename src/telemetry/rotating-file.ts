import { closeSync, fstatSync, mkdirSync, openSync, type Stats } from "node:fs";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

interface RotatingFileOptions {
  readonly path: string;
  /** The file is renamed to `path.1` before a line would take it beyond this size; devices and pipes never are. */
  readonly maxBytes: number;
  /** How many renamed files are kept; 0: the file starts anew. */
  readonly backups: number;
  /** Told once when lines are lost (disk full, disk too slow), and again after it has worked in between. */
  readonly onFault: (error: Error) => void;
}

export interface RotatingFile {
  /** Takes whole lines, each with its line feed. Never blocks and never throws. */
  write(line: string): void;
  /** Waits until everything taken so far is written, then closes the file. May be called twice. */
  close(): Promise<void>;
}

/** Lines that may wait for a slow disk; more are dropped. */
const maxWaitingBytes = 8 * 1024 * 1024;
const maxBatchBytes = 64 * 1024;

/**
 * A log file whose name stays the same: full ones become `path.1`, `path.2` and so on. One process per path.
 * Throws where the file cannot be opened, so that a wrong setting is noticed at start.
 */
export function createRotatingFile(options: RotatingFileOptions): RotatingFile {
  const { path, backups, onFault } = options;
  const opened = statOfOpenable(path);
  const maxBytes = opened.isFile() ? options.maxBytes : Infinity;
  let waiting: { line: string; bytes: number }[] = [];
  let waitingBytes = 0;
  let writing: Promise<void> | null = null;
  let closed = false;
  let isFaulty = false;
  let file: FileHandle | null = null;
  let { size } = opened;

  const fault = (error: unknown) => {
    if (!isFaulty) onFault(error instanceof Error ? error : new Error(String(error)));
    isFaulty = true;
  };

  const rotate = async () => {
    await file?.close();
    file = null;
    for (let number = backups; number >= 1; number--) {
      const older = number === 1 ? path : `${path}.${number - 1}`;
      await rename(older, `${path}.${number}`).catch(ignoreMissing);
    }
    if (backups === 0) await rm(path, { force: true });
    size = 0;
  };

  /** The lines that still fit, at least one. */
  const takeBatch = (): Buffer => {
    let bytes = 0;
    let count = 0;
    for (const entry of waiting) {
      const full = size + bytes + entry.bytes > maxBytes || bytes + entry.bytes > maxBatchBytes;
      if (count > 0 && full) break;
      bytes += entry.bytes;
      count += 1;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    waitingBytes -= bytes;
    return Buffer.from(batch.map((entry) => entry.line).join(""));
  };

  const writeAll = async () => {
    while (waiting.length > 0) {
      try {
        if (size > 0 && size + (waiting[0]?.bytes ?? 0) > maxBytes) await rotate();
        file ??= await open(path, "a");
        const batch = takeBatch();
        await file.appendFile(batch);
        size += batch.length;
        isFaulty = false;
      } catch (error) {
        waiting = [];
        waitingBytes = 0;
        fault(error);
      }
    }
    writing = null;
  };

  return {
    write(line) {
      if (closed) return;
      const bytes = Buffer.byteLength(line);
      if (waitingBytes + bytes > maxWaitingBytes) {
        fault(new Error(`${path} cannot be written as fast as lines come; some are lost`));
        return;
      }
      waiting.push({ line, bytes });
      waitingBytes += bytes;
      writing ??= writeAll();
    },
    async close() {
      closed = true;
      await writing;
      await file?.close().catch(fault);
      file = null;
    },
  };
}

function statOfOpenable(path: string): Stats {
  mkdirSync(dirname(path), { recursive: true });
  const descriptor = openSync(path, "a");
  try {
    return fstatSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}
