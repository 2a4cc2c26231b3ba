import { chmod, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll } from "vitest";

// Each test file has a directory of its own for what is temporary: what it leaves there, and who kills a service leaves
// its data, is gone when the file ends, not when all do.
const directory = await mkdtemp(join(process.env["TEST_DIRECTORY"]!, "file-"));
await chmod(directory, 0o711);
process.env["TMPDIR"] = directory;

// What cannot be removed, since something still writes there, goes at the end of the run.
afterAll(() =>
  rm(directory, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined),
);
