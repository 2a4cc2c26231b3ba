import { spawn, type ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import {
  deserializeMessage,
  serializeMessage,
  type JSONRPCMessage,
  type Transport,
} from "@modelcontextprotocol/client";
import { getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { signalGroup } from "../../../../lib/signal-group.ts";
import { orphanWatch } from "./orphan-watch.ts";
import { unwaited } from "../../../../lib/unwaited.ts";

interface StdioTransportOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Beside PATH, HOME and the like: nothing else of this process's own environment goes along. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  /** Of one message; a longer one ends the program. */
  readonly maxMessageBytes: number;
  readonly onErrorOutput: (chunk: Buffer) => void;
}

const lineFeed = 0x0a;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** After its input has ended, and again after it was asked to end. */
const graceMs = 1_000;
/** For what an ended program had still to say, where something else holds its output open. */
const lastWordsMs = 200;

/**
 * A program as an MCP server. Unlike the SDK's own transport it gives the program a process group of its own, so that
 * `npx` and shells take with them what they have started.
 */
export function createStdioTransport(options: StdioTransportOptions): Transport {
  let child: Child | null = null;
  let ended: Promise<void> = Promise.resolve();
  /** Of the line that has begun; joined once, when it ends. */
  let pieces: Buffer[] = [];
  let pieceBytes = 0;

  const hold = (piece: Buffer): void => {
    pieces.push(piece);
    pieceBytes += piece.length;
  };

  const readLine = (): void => {
    const line = Buffer.concat(pieces).toString("utf8");
    pieces = [];
    pieceBytes = 0;
    if (line.trim() === "") return;
    try {
      transport.onmessage?.(deserializeMessage(line));
    } catch (error) {
      // A line that is no message, such as a greeting: programs print many things.
      transport.onerror?.(error as Error);
    }
  };

  const read = (chunk: Buffer): void => {
    let from = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, from)) {
      hold(chunk.subarray(from, end));
      readLine();
      from = end + 1;
    }
    hold(chunk.subarray(from));
    if (pieceBytes <= options.maxMessageBytes) return;
    child?.stdout.destroy();
    if (child !== null) signalGroup(child, "SIGKILL");
    transport.onerror?.(new Error(`a message of more than ${options.maxMessageBytes} bytes`));
  };

  const transport: Transport = {
    async start() {
      const started: Child = spawn(options.command, options.args, {
        cwd: options.cwd,
        env: { ...getDefaultEnvironment(), ...options.env },
        detached: true,
        stdio: ["pipe", "pipe", "pipe"],
      });
      child = started;
      const { pid } = started;
      const orphans = orphanWatch((error) => transport.onerror?.(error));
      if (pid !== undefined) orphans.add(pid);
      ended = new Promise((resolve) => {
        const end = () => {
          if (pid !== undefined) orphans.remove(pid);
          resolve();
        };
        started.once("close", end);
        started.once("error", end);
        started.once("exit", () => {
          signalGroup(started, "SIGKILL");
          setTimeout(end, lastWordsMs);
        });
      });
      unwaited(
        ended.then(() => {
          started.stdout.destroy();
          transport.onclose?.();
        }),
      );
      started.stdout.on("data", read);
      started.stderr.on("data", options.onErrorOutput);
      for (const stream of [started.stdin, started.stdout, started.stderr]) {
        stream.on("error", (error) => transport.onerror?.(error));
      }
      await new Promise<void>((resolve, reject) => {
        started.once("spawn", resolve);
        started.once("error", reject);
      });
    },
    async send(message: JSONRPCMessage) {
      if (child === null || !child.stdin.writable) throw new Error("the program has ended");
      if (child.stdin.write(serializeMessage(message))) return;
      const { stdin } = child;
      await new Promise<void>((resolve) => {
        stdin.once("drain", resolve);
        stdin.once("close", resolve);
      });
    },
    async close() {
      const closing = child;
      if (closing === null || closing.pid === undefined) return;
      closing.stdin.end();
      const term = setTimeout(() => signalGroup(closing, "SIGTERM"), graceMs);
      const kill = setTimeout(() => signalGroup(closing, "SIGKILL"), 2 * graceMs);
      await ended;
      clearTimeout(term);
      clearTimeout(kill);
    },
  };
  return transport;
}
