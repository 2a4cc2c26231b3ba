import { access, constants, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

/** The file that would be run for a program's name, by PATH; null when there is none. */
export async function findProgram(
  name: string,
  environment: Readonly<Record<string, string>>,
): Promise<string | null> {
  const directories = (environment["PATH"] ?? "").split(delimiter).filter(isAbsolute);
  const candidates = name.includes("/") ? [name] : directories.map((each) => join(each, name));
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      if ((await stat(candidate)).isFile()) return candidate;
    } catch {
      // Not this one.
    }
  }
  return null;
}
