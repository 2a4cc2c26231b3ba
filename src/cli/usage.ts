import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

/** The command was written wrongly; the message says how it is meant. Exit code 2. */
export class UsageFault extends Error {
  override readonly name = "UsageFault";
}

/** Parses arguments; raises UsageFault with the command's own help for anything unknown. */
export function parseCommand<const T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: T,
  help: string,
) {
  try {
    const parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    return { values: parsed.values, positionals: parsed.positionals };
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    throw new UsageFault(`${fault}\n\n${help}`, { cause: error });
  }
}
