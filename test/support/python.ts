import { execFile } from "node:child_process";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const installTimeoutMs = 10 * 60_000;

/**
 * The Python of a virtual environment of that name below `.cache`, with these packages; made when it is not
 * there yet, or was made of something else than `made` says. Else why it cannot be made.
 */
export async function pythonWith(
  name: string,
  packages: readonly string[],
  made: string,
): Promise<{ readonly python: string } | { readonly missing: string }> {
  const folder = join(root, ".cache", name);
  const python = join(folder, "bin", "python");
  const mark = join(folder, "ready.txt");
  const isReady = async () => (await readFile(mark, "utf8").catch(() => "")) === made;
  if (await isReady()) return { python };

  await mkdir(join(root, ".cache"), { recursive: true });
  const lock = `${folder}.lock`;
  // Test files run side by side: one installs, the others wait for it.
  const deadline = Date.now() + installTimeoutMs;
  for (;;) {
    try {
      await (await open(lock, "wx")).close();
      break;
    } catch {
      if (await isReady()) return { python };
      if (Date.now() > deadline) return { missing: `somebody else holds ${lock}` };
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  try {
    await run("python3", ["-m", "venv", folder], { timeout: installTimeoutMs });
    await run(python, ["-m", "pip", "install", "--quiet", ...packages], {
      timeout: installTimeoutMs,
    });
    await writeFile(mark, made);
    return { python };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n").slice(0, 3).join(" ") : "";
    return { missing: `Python, venv or the registry is missing: ${reason}` };
  } finally {
    await rm(lock, { force: true });
  }
}
