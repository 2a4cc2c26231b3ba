import type { Readable, Writable } from "node:stream";

/** Where a command reads and writes: the process's own streams, or others in tests. */
export interface Terminal {
  readonly input: Readable;
  readonly output: Writable;
  /** For what is not the result: progress, faults. */
  readonly errors: Writable;
  /** People sit at both ends: prompts and colours make sense. */
  readonly isInteractive: boolean;
  readonly isColoured: boolean;
}

export function processTerminal(noColour: boolean): Terminal {
  const isTerminal = process.stdout.isTTY;
  return {
    input: process.stdin,
    output: process.stdout,
    errors: process.stderr,
    isInteractive: isTerminal && process.stdin.isTTY,
    isColoured: isTerminal && !noColour && process.stdout.hasColors(),
  };
}

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

export type Paint = (colour: keyof typeof codes, text: string) => string;

export function painter(isColoured: boolean): Paint {
  return (colour, text) => (isColoured ? `\u001B[${codes[colour]}m${text}\u001B[0m` : text);
}

/** Text of others without control characters: a terminal would obey them. Line feeds and tabs stay. */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, "").replaceAll(/[\u202A-\u202E\u2066-\u2069]/g, "");
}
