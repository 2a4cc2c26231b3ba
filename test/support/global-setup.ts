import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** A migrated data directory, made once for all test files: creating one takes seconds, copying it a moment. */
export async function setup(): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "chat-service-template-"));
  await promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, "../../bin/chat-service.mjs"), "migrate"],
    {
      cwd: directory,
      env: { PATH: process.env["PATH"], SERVICE_DATA_DIR: directory, SERVICE_ENVIRONMENT: "test" },
    },
  );
  process.env["TEST_DATA_TEMPLATE"] = directory;
  return () => rm(directory, { recursive: true, force: true });
}
