/**
 * Builds packages/client as it is published: JavaScript and declarations in its `dist`, or in the directory named.
 *
 *     node scripts/build-client.ts
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const source = join(root, "packages/client");
const output = process.argv[2] ?? join(source, "dist");

rmSync(output, { recursive: true, force: true });
execFileSync(
  join(root, "node_modules/.bin/tsc"),
  ["-p", source, "--noEmit", "false", "--outDir", output],
  { stdio: "inherit" },
);
