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

/**
 * The console of the process. Nobody waits for it, whatever stands behind it: a terminal that was stopped, a pipe that
 * nobody empties, a file on a full disk. What still waits when the process ends is written then, if it can be.
 */
export function createLogConsole(options: LogConsoleOptions): LogConsole {
  const { fd, isTerminal } = options;
  let isFaulty = false;
  const writer = createLineWriter({
    name: "the console",
    open: async () => streamTo(fd),
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
    const text = writer.takeWaiting();
    if (isFaulty || text === "") return;
    try {
      writeSync(fd, text);
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

/** Unlike a stream of files it leaves the descriptor open after a fault: the number would go to the next file. */
function streamTo(fd: number): Writable {
  const writeRest = (rest: Buffer, done: (error: Error | null) => void): void =>
    write(fd, rest, (error, count) => {
      if (error !== null || count === rest.length) return done(error);
      writeRest(rest.subarray(count), done);
    });
  return new Writable({ write: (chunk: Buffer, _encoding, done) => writeRest(chunk, done) });
}
