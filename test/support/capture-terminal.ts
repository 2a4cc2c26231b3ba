import { PassThrough } from "node:stream";
import type { Terminal } from "../../src/cli/terminal.ts";

/** The terminal of a command under test: what is typed goes in, what is shown comes out. */
export interface CapturedTerminal {
  readonly terminal: Terminal;
  readonly seen: { output: string; errors: string };
  /** Types the lines and ends the input. */
  type(...lines: string[]): void;
  /** Resolves when the output contains the text. */
  shows(text: string): Promise<void>;
}

export function captureTerminal(): CapturedTerminal {
  const input = new PassThrough();
  const seen = { output: "", errors: "" };
  const waiting = new Set<() => void>();
  const collect = (name: "output" | "errors") => {
    const stream = new PassThrough();
    stream.on("data", (chunk: Buffer) => {
      seen[name] += chunk.toString();
      for (const wake of waiting) wake();
    });
    return stream;
  };
  return {
    terminal: {
      input,
      output: collect("output"),
      errors: collect("errors"),
      isInteractive: false,
      isColoured: false,
    },
    seen,
    type: (...lines) => {
      input.end(lines.map((line) => `${line}\n`).join(""));
    },
    async shows(text) {
      while (!seen.output.includes(text)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await promise;
        waiting.delete(resolve);
      }
    },
  };
}
