import { closeSync, constants, createWriteStream, openSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import { dirname } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { createStream } from "rotating-file-stream";
import { makeDirectory } from "../lib/make-directory.ts";

interface LogFileOptions {
  readonly path: string;
  /** From about this size on the file is renamed to `path.1`; devices and pipes never are. */
  readonly maxBytes: number;
  /** How many renamed files are kept; 0: the file starts anew. */
  readonly backups: number;
  /** Told once when an outage begins: disk full, disk too slow, directory gone. Lines go on being taken. */
  readonly onFault: (error: Error) => void;
  /** Told when it is over, with how many lines were lost. */
  readonly onRecovery: (lost: number) => void;
}

export interface LogFile {
  /** Takes whole lines, each with its line feed. Never blocks and never throws. */
  write(line: string): void;
  /** The file was renamed by somebody else: what follows goes to a new one of the old name. */
  reopen(): void;
  /** Waits until everything taken so far is written, or cannot be, then closes the file. May be called twice. */
  close(): Promise<void>;
}

/** Lines that may wait for a slow disk; more are lost, and counted. */
const maxWaitingBytes = 8 * 1024 * 1024;
const maxBatchBytes = 64 * 1024;
/** A file that cannot be written is tried again so often. */
const retryMs = 1_000;

/**
 * A log file whose name stays the same: full ones become `path.1`, `path.2` and so on. One process per path. This part
 * bounds what waits, writes it in batches and outlives faults; the library rotates. Throws where the file cannot be
 * opened, so that a wrong setting is noticed at start.
 */
export function createLogFile(options: LogFileOptions): LogFile {
  const { path, onFault, onRecovery } = options;
  const kind = checkOpenable(path);
  const batchBytes = Math.min(maxBatchBytes, Math.max(1, options.maxBytes / 8));
  let waiting: { readonly line: string; readonly bytes: number }[] = [];
  let waitingBytes = 0;
  let lost = 0;
  let isFaulty = false;
  let isClosed = false;
  let stream: Writable | null = null;
  let writing: Promise<void> | null = null;
  let retry: NodeJS.Timeout | undefined;

  const fault = (error: unknown) => {
    if (isFaulty) return;
    // Before it is told: what is told may be meant for this file too.
    isFaulty = true;
    onFault(error instanceof Error ? error : new Error(String(error)));
  };

  const recover = () => {
    if (!isFaulty) return;
    const count = lost;
    isFaulty = false;
    lost = 0;
    onRecovery(count);
  };

  const open = (): Writable => {
    const opened = kind === "file" ? openRotating(options) : openDevice(path, kind);
    // Every fault of writing comes to the writer too; without a listener it would end the process.
    opened.on("error", () => undefined);
    return opened;
  };

  /** Whole lines, at least one. */
  const batch = () => {
    let bytes = 0;
    let count = 0;
    for (const entry of waiting) {
      if (count > 0 && bytes + entry.bytes > batchBytes) break;
      bytes += entry.bytes;
      count += 1;
    }
    return { lines: waiting.slice(0, count), bytes, count };
  };

  const writeAll = async () => {
    while (waiting.length > 0) {
      let target: Writable | null = null;
      const { lines, bytes, count } = batch();
      try {
        target = stream ??= open();
        await write(target, lines.map(({ line }) => line).join(""));
      } catch (error) {
        target?.destroy();
        if (stream === target) stream = null;
        fault(error);
        return retryLater();
      }
      waiting = waiting.slice(count);
      waitingBytes -= bytes;
    }
    recover();
  };

  const start = () => {
    retry = undefined;
    writing ??= writeAll().finally(() => {
      writing = null;
      if (waiting.length > 0 && retry === undefined && !isClosed) start();
    });
  };

  const retryLater = () => {
    if (isClosed) return;
    retry = setTimeout(start, retryMs);
    retry.unref();
  };

  const end = async (target: Writable | null) => {
    if (target === null || target.destroyed) return;
    target.end();
    await finished(target).catch(fault);
  };

  return {
    write(line) {
      if (isClosed) return;
      const bytes = Buffer.byteLength(line);
      if (waitingBytes + bytes > maxWaitingBytes) {
        lost += 1;
        return fault(new Error(`${path} cannot be written as fast as lines come; some are lost`));
      }
      waiting.push({ line, bytes });
      waitingBytes += bytes;
      if (retry === undefined) start();
    },
    reopen() {
      const renamed = stream;
      stream = null;
      // Whatever was given to it already is written first.
      void end(renamed);
    },
    async close() {
      isClosed = true;
      clearTimeout(retry);
      await writing;
      await end(stream);
      stream = null;
    },
  };
}

function write(target: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    target.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

function openRotating({ path, maxBytes, backups }: LogFileOptions): Writable {
  const stream = createStream(path, { size: `${maxBytes}B`, rotate: Math.max(1, backups) });
  if (backups === 0) stream.on("rotated", (renamed) => void rm(renamed, { force: true }));
  return stream;
}

type Kind = "file" | "device" | "pipe";

function openDevice(path: string, kind: Kind): Writable {
  if (kind === "device") return createWriteStream(path, { flags: "a" });
  // Held open for reading too, a pipe takes lines before its reader comes and after it has gone; and nobody waits.
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  return new Socket({ fd, readable: false, writable: true });
}

function checkOpenable(path: string): Kind {
  makeDirectory(dirname(path));
  const before = statSync(path, { throwIfNoEntry: false });
  if (before?.isFIFO() === true) return "pipe";
  closeSync(openSync(path, "a"));
  return statSync(path).isFile() ? "file" : "device";
}
