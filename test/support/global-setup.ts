import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const prefix = "chat-tests-";

/**
 * Everything that a run of tests makes is below one directory, and goes with it, whatever was killed meanwhile. In it a
 * migrated data directory, made once for all test files: creating one takes seconds, copying it a moment.
 */
export async function setup(): Promise<() => Promise<void>> {
  await removeLeftovers();
  const directory = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
  // PostgreSQL is another user's, and its directories are here too.
  await chmod(directory, 0o711);
  process.env["TEST_DIRECTORY"] = process.env["TMPDIR"] = directory;
  const template = await mkdtemp(join(directory, "template-"));
  await promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, "../../bin/chat-service.mjs"), "migrate"],
    {
      cwd: template,
      env: { PATH: process.env["PATH"], SERVICE_DATA_DIR: template, SERVICE_ENVIRONMENT: "test" },
    },
  );
  process.env["TEST_DATA_TEMPLATE"] = template;
  // What still runs in it and is about to end may write on.
  return () => rm(directory, { recursive: true, force: true, maxRetries: 10 });
}

/** Of runs that were killed before they could do so themselves: some dozens of them fill a disk. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [, pid] = new RegExp(`^${prefix}(\\d+)-`).exec(name) ?? [];
    if (pid === undefined || isRunning(Number(pid))) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true, maxRetries: 10 });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
