import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { nearest } from "../config/nearest.ts";

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
    throw new UsageFault(`${sentence(error, Object.keys(options))}\n\n${help}`, { cause: error });
  }
}

/** Node's own sentences are for programmers. */
function sentence(error: unknown, known: readonly string[]): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const [, option = ""] = /'(--?[^'=<, ]+)/.exec(message) ?? [];
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    const { name, distance } = nearest(option.replace(/^-+/, ""), known);
    return `There is no option ${option}${distance <= 2 ? `; did you mean --${name}?` : "."}`;
  }
  if (code !== "ERR_PARSE_ARGS_INVALID_OPTION_VALUE") return message;
  const long = /--[\w-]+/.exec(message)?.[0] ?? option;
  return /does not take an argument/.test(message)
    ? `${long} takes no value.`
    : `${long} needs a value.`;
}
