import { open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { build } from "vite";

const root = join(import.meta.dirname, "../../web");
const lock = join(root, ".building");

/** Builds the page unless the built one is newer than all its sources. Test files may ask at the same time. */
export async function buildPage(): Promise<void> {
  if (await isFresh()) return;
  try {
    await (await open(lock, "wx")).close();
  } catch {
    for (let tries = 0; tries < 600 && !(await isFresh()); tries += 1) await delay(100);
    return;
  }
  try {
    await build({ root, logLevel: "warn" });
  } finally {
    await rm(lock, { force: true });
  }
}

async function isFresh(): Promise<boolean> {
  const built = await stat(join(root, "dist/index.html")).catch(() => null);
  if (built === null) return false;
  const names = await readdir(join(root, "src"), { recursive: true });
  const sources = [...names.map((name) => join(root, "src", name)), join(root, "index.html")];
  for (const source of sources) {
    const found = await stat(source);
    if (found.isFile() && found.mtimeMs > built.mtimeMs) return false;
  }
  return true;
}
