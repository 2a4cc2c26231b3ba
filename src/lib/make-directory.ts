import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes a directory and those above it. Node's own `recursive: true` tries for ever where the parent is there and the
 * system answers ENOENT all the same, as /proc does.
 */
export function makeDirectory(path: string): void {
  const missing: string[] = [];
  let current = resolve(path);
  while (!isThere(current)) {
    missing.unshift(current);
    current = dirname(current);
  }
  for (const next of missing) {
    try {
      mkdirSync(next);
    } catch (error) {
      // Somebody else has made it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  if (!statSync(path).isDirectory()) {
    throw Object.assign(new Error(`${path} is not a directory`), { code: "ENOTDIR", path });
  }
}

function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
