/** What can stand in an argument of a configured command, in braces. */
export const placeholders = [
  "input",
  "output",
  "voice",
  "language",
  "speed",
  "text_file",
  "model",
] as const;

export type Placeholder = (typeof placeholders)[number];

const pattern = new RegExp(`\\{(${placeholders.join("|")})\\}`, "g");

/** Whether any argument holds this placeholder. */
export function uses(command: readonly string[], placeholder: Placeholder): boolean {
  return command.some((argument) => argument.includes(`{${placeholder}}`));
}

/** The arguments with values in place of placeholders. Nothing is split, quoted or expanded: there is no shell. */
export function fill(
  command: readonly string[],
  values: Readonly<Record<Placeholder, string>>,
): string[] {
  return command.map((argument) =>
    argument.replaceAll(pattern, (_, name: Placeholder) => values[name]),
  );
}
