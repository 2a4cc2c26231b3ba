import { findProgram } from "./find-program.ts";
import { placeholders, uses } from "./command-line.ts";

interface Preset {
  readonly programs: readonly { readonly name: string; readonly args: readonly string[] }[];
  readonly needsModel: boolean;
}

export interface ResolvedCommand<P> {
  /** Program and arguments, with placeholders. */
  readonly argv: readonly string[];
  /** Null for a command of the operator's own. */
  readonly preset: P | null;
  /** Null when the machine does not have it. */
  readonly program: string | null;
}

/**
 * The command to run for a configured one: a preset's name, with arguments to add to it perhaps, or an argv of the
 * operator's own. Throws for one that cannot work, in words for the operator.
 */
export async function resolveCommand<P extends Preset>(
  setting: string,
  command: readonly string[],
  presets: Readonly<Record<string, P>>,
  model: string | null,
  environment: Readonly<Record<string, string>>,
): Promise<ResolvedCommand<P>> {
  const [name, ...added] = command;
  if (!name) {
    const known = Object.keys(presets).join(", ");
    throw new Error(
      `${setting} is empty: name a preset (${known}), or a program and its arguments`,
    );
  }
  const own = placeholders.some((each) => uses(command, each));
  const preset = own ? undefined : presets[name];
  if (!preset) {
    const program = await findProgram(name, environment);
    return { argv: [program ?? name, ...added], preset: null, program };
  }
  if (preset.needsModel && model === null) {
    throw new Error(
      `${setting} ${name} needs a model file: set ${setting.replace("command", "model")}`,
    );
  }
  for (const { name: programName, args } of preset.programs) {
    const program = await findProgram(programName, environment);
    if (program) return { argv: [program, ...args, ...added], preset, program };
  }
  return { argv: [name, ...added], preset, program: null };
}
