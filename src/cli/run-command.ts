import type { ParseArgsOptionsConfig } from "node:util";
import { explainFault } from "./explain-fault.ts";
import type { Terminal } from "./terminal.ts";
import { parseCommand } from "./usage.ts";

/** Options of every command that has a configuration. */
export const commonOptions = {
  config: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** What a command is given, and how it is meant. */
interface Command<T extends ParseArgsOptionsConfig> {
  readonly args: readonly string[];
  readonly options: T;
  readonly help: string;
}

/**
 * Runs a command: its help where that is asked for, else `work` with its arguments. Whatever is wrong is told as a person
 * reads it. Returns the exit code.
 */
export async function runCommand<const T extends ParseArgsOptionsConfig>(
  { args, options, help }: Command<T>,
  terminal: Terminal,
  work: (given: ReturnType<typeof parseCommand<T & typeof commonOptions>>) => Promise<number>,
): Promise<number> {
  try {
    const given = parseCommand(args, { ...options, ...commonOptions }, help);
    if ((given.values as { readonly help?: unknown }).help !== true) return await work(given);
    terminal.output.write(`${help}\n`);
    return 0;
  } catch (error) {
    return explainFault(error, terminal);
  }
}
