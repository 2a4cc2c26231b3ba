/**
 * Changes the source in one place at a time and looks whether the tests beside it notice: `npm run mutate`, or for some
 * files alone `npm run mutate lifecycle/cancel chat/`. `--model` also asks the model test about those that survive.
 */
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mutatedFiles, type Mutant } from "./mutants.ts";

interface Job {
  readonly file: string;
  readonly tests: readonly string[];
  readonly mutant: Mutant;
}

type Outcome = "killed" | "survived" | "too long" | "stale" | "killed by the model";

const root = join(import.meta.dirname, "..");
const limitMs = 180_000;
const parallel = 2;
const wantedPercent = 90;
const model = "src/replies/lifecycle/lifecycle.model.test.ts";
const args = process.argv.slice(2);
const asksModel = args.includes("--model");
const names = args.filter((arg) => !arg.startsWith("--"));

const jobs: Job[] = mutatedFiles
  .filter(({ file }) => names.length === 0 || names.some((name) => file.includes(name)))
  .flatMap(({ file, tests, mutants }) => mutants.map((mutant) => ({ file, tests, mutant })));

/** A copy of everything that tests read, so that the source stays as it is. */
async function copyTree(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mutate-"));
  for (const name of [
    "src",
    "test",
    "docs",
    "scripts",
    "package.json",
    "vitest.config.ts",
    "tsconfig.json",
  ]) {
    await cp(join(root, name), join(directory, name), { recursive: true });
  }
  await symlink(join(root, "node_modules"), join(directory, "node_modules"));
  // These tests start no service, and so need no data directory to copy.
  await writeFile(
    join(directory, "vitest.mutate.config.ts"),
    `import { defineConfig } from "vitest/config";
     export default defineConfig({ test: {
       include: ["src/**/*.test.ts"], testTimeout: 20_000, hookTimeout: 60_000, maxWorkers: 1 } });`,
  );
  return directory;
}

/** True when all tests pass, null when they take too long. */
function passes(directory: string, tests: readonly string[]): Promise<boolean | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        join(root, "node_modules/vitest/vitest.mjs"),
        "run",
        "--config=vitest.mutate.config.ts",
        "--bail=1",
        "--retry=0",
        ...tests,
      ],
      {
        cwd: directory,
        stdio: "ignore",
        env: { ...process.env, MODEL_RUNS: "60" },
        detached: true,
      },
    );
    const timer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      resolve(null);
    }, limitMs);
    child.once("error", reject);
    child.once("exit", (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}

async function judge(
  directory: string,
  { file, tests, mutant: [from, to] }: Job,
): Promise<Outcome> {
  const path = join(directory, file);
  const source = await readFile(join(root, file), "utf8");
  if (source.split(from).length !== 2) return "stale";
  await writeFile(
    path,
    source.replace(from, () => to),
  );
  try {
    const isGreen = await passes(directory, tests);
    if (isGreen === null) return "too long";
    if (!isGreen) return "killed";
    if (!asksModel) return "survived";
    return (await passes(directory, [model])) === true ? "survived" : "killed by the model";
  } finally {
    await writeFile(path, source);
  }
}

const outcomes = new Map<Job, Outcome>();
const directories = await Promise.all(Array.from({ length: parallel }, copyTree));
try {
  // A test that fails without any mutant would kill them all.
  const tests = [...new Set(jobs.flatMap((job) => job.tests))];
  if ((await passes(directories[0] ?? root, tests)) !== true)
    throw new Error("the tests fail as it is");
  const waiting = [...jobs];
  await Promise.all(
    directories.map(async (directory) => {
      for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
        const outcome = await judge(directory, job);
        outcomes.set(job, outcome);
        const [from, to] = job.mutant.map((text) => text.trim().replaceAll(/\s+/g, " "));
        if (outcome !== "killed") console.log(`${outcome}: ${job.file}: ${from} → ${to}`);
      }
    }),
  );
} finally {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
}

const dead = (outcome: Outcome | undefined) =>
  outcome !== undefined && outcome !== "survived" && outcome !== "stale";
console.log("\n| file | mutants | killed |\n|---|---|---|");
for (const file of new Set(jobs.map((job) => job.file))) {
  const own = jobs.filter((job) => job.file === file);
  const killed = own.filter((job) => dead(outcomes.get(job))).length;
  console.log(`| ${file} | ${own.length} | ${killed} |`);
}
const killed = jobs.filter((job) => dead(outcomes.get(job))).length;
const percent = (100 * killed) / jobs.length;
console.log(`\n${killed} of ${jobs.length} mutants killed: ${percent.toFixed(1)} %`);
if (percent < wantedPercent || [...outcomes.values()].includes("stale")) process.exitCode = 1;
