/**
 * Makes a release: its number in the files that name it, one commit, and its tag. Nothing leaves this machine.
 *
 *     node scripts/release.ts 0.2.0
 */
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { filesOfRelease, ReleaseFault, type ReleaseFiles } from "./release-files.ts";

const root = join(import.meta.dirname, "..");
const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" });

async function release(version: string): Promise<void> {
  if (git("status", "--porcelain") !== "") throw new ReleaseFault("there are changes; commit them");
  const tag = `v${version}`;
  if (git("tag", "--list", tag) !== "") throw new ReleaseFault(`there is a tag ${tag}`);
  const paths = [
    "CHANGELOG.md",
    "package.json",
    "package-lock.json",
    "packages/client/package.json",
    "clients/python/pyproject.toml",
    "deploy/kubernetes/chat-service.yaml",
  ] as const;
  const texts = await Promise.all(paths.map((path) => readFile(join(root, path), "utf8")));
  const files = Object.fromEntries(paths.map((path, at) => [path, texts[at]])) as ReleaseFiles;
  const day = new Date().toISOString().slice(0, 10);
  const released = filesOfRelease(files, version, day);
  for (const path of paths) await writeFile(join(root, path), released[path]);
  git("commit", "--quiet", "--all", "--message", `release: ${version}`);
  git("tag", "--annotate", tag, "--message", `Chat Service ${version}`);
  process.stdout.write(`${tag} is made. To publish it: git push --follow-tags\n`);
}

try {
  await release(process.argv[2] ?? "");
} catch (error) {
  if (!(error instanceof ReleaseFault)) throw error;
  process.stderr.write(`No release: ${error.message}.\n`);
  process.exitCode = 1;
}
