import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Writable } from "node:stream";
import { UsageFault } from "./usage.ts";

/** A new file, for its owner's eyes only; what was written is on the disk when it is closed. */
export async function createPrivately(path: string): Promise<Writable> {
  try {
    const file = await open(path, "wx", 0o600);
    return createWriteStream(path, { fd: file, flush: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const fault = code === "EEXIST" ? "exists already" : `cannot be written (${code})`;
    throw new UsageFault(`${path} ${fault}; name another with --output`, { cause: error });
  }
}
