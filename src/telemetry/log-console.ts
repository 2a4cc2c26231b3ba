import { write, writeSync } from "node:fs";
import { Writable } from "node:stream";
import { createLineWriter } from "./line-writer.ts";

export interface LogConsole {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Waits until everything taken so far is written, or cannot be; later lines are lost. */
  close(): Promise<void>;
}

interface LogConsoleOptions {
  /** 1: standard output. */
  readonly fd: number;
  readonly isTerminal: boolean;
  readonly onFault: (error: Error) => void;
  readonly onRecovery: (lost: number) => void;
}

/** A descriptor that does not block has no room at the moment: it is tried again so often … */
const fullMs = 10;
/** … and for so long at the end of the process. */
const lastTriesMs = 500;

/**
 * The console of the process. Nobody waits for it, whatever stands behind it: a terminal that was stopped, a pipe that
 * nobody empties, a file on a full disk. What still waits when the process ends is written then, if it can be.
 */
export function createLogConsole(options: LogConsoleOptions): LogConsole {
  const { fd, isTerminal } = options;
  let isFaulty = false;
  /** Of what is being written, what has found no room yet. */
  let held: Buffer = Buffer.alloc(0);
  const writer = createLineWriter({
    name: "the console",
    open: async () =>
      streamTo(fd, (rest) => {
        held = rest;
      }),
    onFault(error) {
      isFaulty = true;
      options.onFault(error);
    },
    onRecovery(lost) {
      isFaulty = false;
      options.onRecovery(lost);
    },
  });
  const writeRest = () => {
    const rest = Buffer.concat([held, Buffer.from(writer.takeWaiting())]);
    if (isFaulty) return;
    try {
      writeNow(fd, rest);
    } catch {
      // The process ends, and it is the console that fails: nobody is left to be told.
    }
  };
  process.once("exit", writeRest);
  return {
    write: writer.write,
    isTerminal,
    async close() {
      await writer.close();
      process.off("exit", writeRest);
    },
  };
}

/**
 * Unlike a stream of files it leaves the descriptor open after a fault: the number would go to the next file. And pipes do
 * not block once Node, or another process that has them too, has looked at them: that one is full, because its reader is
 * slow for a moment, is no fault.
 */
function streamTo(fd: number, hold: (rest: Buffer) => void): Writable {
  const writeRest = (rest: Buffer, done: (error: Error | null) => void): void =>
    write(fd, rest, (error, count) => {
      if (isFull(error)) {
        hold(rest);
        setTimeout(() => {
          hold(Buffer.alloc(0));
          writeRest(rest, done);
        }, fullMs);
        return;
      }
      if (error !== null || count === rest.length) return done(error);
      writeRest(rest.subarray(count), done);
    });
  return new Writable({ write: (chunk: Buffer, _encoding, done) => writeRest(chunk, done) });
}

/** Before anything else happens. Raises what the descriptor says. */
function writeNow(fd: number, text: Buffer): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  let triesLeft = lastTriesMs / fullMs;
  for (let from = 0; from < text.length;) {
    try {
      from += writeSync(fd, text, from);
    } catch (error) {
      if (!isFull(error) || triesLeft === 0) throw error;
      triesLeft -= 1;
      Atomics.wait(sleeper, 0, 0, fullMs);
    }
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EAGAIN";
}
