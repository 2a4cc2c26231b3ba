import { readFileSync } from "node:fs";
import { UsageFault } from "./usage.ts";

/** A token or key from a file, as arguments are seen by everybody on the machine; null for undefined. */
export function readSecretFile(path: string | undefined): string | null {
  if (path === undefined) return null;
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new UsageFault(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
