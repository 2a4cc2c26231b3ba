import { execFile } from "node:child_process";
import { open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "../../web");
const vite = join(root, "../node_modules/vite/bin/vite.js");
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
    // As installations build it: here NODE_ENV says test, which would make it slow and large.
    const env = { ...process.env, NODE_ENV: "production" };
    await promisify(execFile)(process.execPath, [vite, "build", root, "--logLevel", "warn"], {
      env,
    });
  } finally {
    await rm(lock, { force: true });
  }
}

async function isFresh(): Promise<boolean> {
  const built = await stat(join(root, "dist/index.html")).catch(() => null);
  if (built === null) return false;
  const folders = [join(root, "src"), join(root, "../packages/client/src")];
  const names = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(folder, { recursive: true })).map((name) => join(folder, name)),
    ),
  );
  const sources = [...names.flat(), join(root, "index.html"), join(root, "vite.config.ts")];
  for (const source of sources) {
    const found = await stat(source);
    if (found.isFile() && found.mtimeMs > built.mtimeMs) return false;
  }
  return true;
}
