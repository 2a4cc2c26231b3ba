import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { unwaited } from "../lib/unwaited.ts";

interface LineWriterOptions {
  /** For people: what is written to. */
  readonly name: string;
  /** Asked for before the first line, after each fault, and after `reopen`. What it gives is closed here. */
  readonly open: () => Promise<Writable>;
  /** Told once when an outage begins: disk full, reader too slow, directory gone. Lines go on being taken. */
  readonly onFault: (error: Error) => void;
  /** Told when it is over, with how many lines were lost. */
  readonly onRecovery: (lost: number) => void;
  /** How much is written in one go. */
  readonly batchBytes?: number;
  /** Between two writes: what comes meanwhile goes together, since each write costs more than many lines. */
  readonly restMs?: number;
}

export interface LineWriter {
  /** Takes whole lines, each with its line feed. Never blocks and never throws. */
  write(line: string): void;
  /** What follows goes to a stream opened anew. */
  reopen(): void;
  /** Lines that wait, as one text; they count as written. For the end of the process. */
  takeWaiting(): string;
  /** Lines of the present outage that are lost or wait. */
  unwritten(): number;
  /** Waits until everything taken so far is written, or cannot be, then closes. May be called twice. */
  close(): Promise<void>;
}

/** Lines that may wait for a slow disk or reader; more are lost, and counted. */
const maxWaitingBytes = 8 * 1024 * 1024;
const maxBatchBytes = 64 * 1024;
const usualRestMs = 50;
/** What cannot be written is tried again so often. */
const retryMs = 1_000;

/** Stands in front of a stream for lines: bounds what waits, writes it in batches and outlives faults. */
export function createLineWriter(options: LineWriterOptions): LineWriter {
  const { name, open, onFault, onRecovery, batchBytes = maxBatchBytes } = options;
  const { restMs = usualRestMs } = options;
  let waiting: { readonly line: string; readonly bytes: number }[] = [];
  let waitingBytes = 0;
  /** Of the waiting ones, given to the stream at this moment. */
  let underWay = 0;
  let lost = 0;
  let isFaulty = false;
  let isClosed = false;
  let stream: Writable | null = null;
  let writing: Promise<void> | null = null;
  let retry: NodeJS.Timeout | undefined;
  let endRest = () => {};

  const fault = (error: unknown) => {
    if (isFaulty) return;
    // Before it is told: what is told may be meant for this writer too.
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

  const openStream = async (): Promise<Writable> => {
    const opened = await open();
    // Every fault of writing comes to the writer too; without a listener it would end the process.
    opened.on("error", () => undefined);
    return opened;
  };

  const writeAll = async () => {
    while (waiting.length > 0) {
      let target: Writable | null = null;
      try {
        target = stream ??= await openStream();
        const { lines, bytes, count } = batch();
        underWay = count;
        await write(target, lines.map(({ line }) => line).join(""));
        waiting = waiting.slice(count);
        waitingBytes -= bytes;
      } catch (error) {
        target?.destroy();
        if (stream === target) stream = null;
        fault(error);
        return retryLater();
      } finally {
        underWay = 0;
      }
      if (waiting.length > 0) continue;
      recover();
      await rest();
    }
  };

  /** The first line after a silence goes at once; those behind it wait for each other. */
  const rest = async () => {
    if (isClosed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, restMs);
      endRest = () => {
        clearTimeout(timer);
        resolve();
      };
    });
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
        return fault(new Error(`${name} cannot be written as fast as lines come; some are lost`));
      }
      waiting.push({ line, bytes });
      waitingBytes += bytes;
      if (retry === undefined) start();
    },
    reopen() {
      const former = stream;
      stream = null;
      // Whatever was given to it already is written first.
      unwaited(end(former));
    },
    takeWaiting() {
      const text = waiting.slice(underWay).map(({ line }) => line);
      waiting = waiting.slice(0, underWay);
      return text.join("");
    },
    unwritten: () => lost + waiting.length,
    async close() {
      isClosed = true;
      clearTimeout(retry);
      endRest();
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
