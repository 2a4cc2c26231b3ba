import { closeSync, constants, createWriteStream, openSync, statSync } from "node:fs";
import { open as openFile, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { dirname } from "node:path";
import type { Writable } from "node:stream";
import { createStream } from "rotating-file-stream";
import { makeDirectory } from "../lib/make-directory.ts";
import { createLineWriter, type LineWriter } from "./line-writer.ts";

interface LogFileOptions {
  readonly path: string;
  /** From about this size on the file is renamed to `path.1`; devices and pipes never are. */
  readonly maxBytes: number;
  /** How many renamed files are kept; 0: the file starts anew. */
  readonly backups: number;
  readonly onFault: (error: Error) => void;
  readonly onRecovery: (lost: number) => void;
}

export type LogFile = Omit<LineWriter, "takeWaiting">;

/**
 * A log file whose name stays the same: full ones become `path.1`, `path.2` and so on. One process per path. `reopen`
 * is for when somebody else has renamed it: a new one of the old name is begun. The library rotates. Throws where the
 * file cannot be opened, so that a wrong setting is noticed at start.
 */
export function createLogFile(options: LogFileOptions): LogFile {
  const { path, maxBytes, onFault, onRecovery } = options;
  const kind = checkOpenable(path);
  return createLineWriter({
    name: path,
    batchBytes: Math.min(64 * 1024, Math.max(1, maxBytes / 8)),
    onFault,
    onRecovery,
    async open() {
      if (kind !== "file") return openDevice(path, kind);
      const isTorn = await endsInMidLine(path);
      const opened = openRotating(options);
      if (isTorn) opened.write("\n");
      return opened;
    },
  });
}

function openRotating({ path, maxBytes, backups }: LogFileOptions): Writable {
  const stream = createStream(path, { size: `${maxBytes}B`, rotate: Math.max(1, backups) });
  if (backups === 0) stream.on("rotated", (renamed) => void rm(renamed, { force: true }));
  return stream;
}

/** A full disk, or the end of a process, may have cut the last line: the next one is not to be cut too. */
async function endsInMidLine(path: string): Promise<boolean> {
  const file = await openFile(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (file === null) return false;
  try {
    const { size } = await file.stat();
    if (size === 0) return false;
    const { buffer } = await file.read({ buffer: Buffer.alloc(1), position: size - 1 });
    return buffer[0] !== 0x0a;
  } finally {
    await file.close();
  }
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
