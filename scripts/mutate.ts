/**
 * Changes the source in one place at a time and looks whether the tests beside it notice: `npm run mutate`, or for some
 * files alone `npm run mutate -- lifecycle/cancel chat/`. `--model` also asks the model test about those that survive;
 * `--tell` says of each change which test has noticed it; `--check` only looks whether all of them can be made.
 *
 * Tests are written with these changes in view. `--random 60` makes as many of other lines of the same files instead,
 * without knowing what they mean: some change nothing that anybody could see. `--seed` chooses them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mutatedFiles } from "./mutants.ts";
import { lineMutants, sample } from "./random-mutants.ts";

interface Job {
  readonly file: string;
  readonly tests: readonly string[];
  /** At `at` of the file stands `from`; it becomes `to`. */
  readonly at: number;
  readonly from: string;
  readonly to: string;
}

/** `by`: the test that failed, or why there was none; null: the change has survived. */
interface Outcome {
  readonly by: string | null;
}

const root = join(import.meta.dirname, "..");
/** A mutant that hangs is noticed too. */
const limitMs = 180_000;
/** Half a minute of a core each. */
const parallel = 2;
const wantedPercent = 90;
const model = "src/replies/lifecycle/lifecycle.model.test.ts";
const { values: asked, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: "boolean" },
    tell: { type: "boolean" },
    check: { type: "boolean" },
    random: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});

const jobs: Job[] = [];
for (const { file, tests, mutants } of mutatedFiles) {
  if (names.length > 0 && !names.some((name) => file.includes(name))) continue;
  const source = await readFile(join(root, file), "utf8");
  if (asked.random !== undefined) {
    if (file.endsWith(".ts")) {
      jobs.push(...lineMutants(source).map((mutant) => ({ file, tests, ...mutant })));
    }
    continue;
  }
  for (const [from, to] of mutants) {
    const at = source.indexOf(from);
    if (at === -1 || source.includes(from, at + 1)) {
      throw new Error(
        `scripts/mutants.ts has to follow the code: this does not stand in ${file} once:\n${from}`,
      );
    }
    jobs.push({ file, tests, at, from, to });
  }
}
if (asked.random !== undefined) {
  jobs.splice(0, Infinity, ...sample(jobs, Number(asked.random), Number(asked.seed)));
}
if (jobs.length === 0) throw new Error(`no mutants in ${names.join(", ")}`);
if (asked.check === true) process.exit();

/** A copy of everything that tests read, so that the source stays as it is. */
async function copyTree(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mutate-"));
  for (const name of ["src", "test", "docs", "scripts", "package.json", "tsconfig.json"]) {
    await cp(join(root, name), join(directory, name), { recursive: true });
  }
  await symlink(join(root, "node_modules"), join(directory, "node_modules"));
  return directory;
}

const children = new Set<number>();
const endChildren = () => {
  for (const pid of children) process.kill(-pid, "SIGKILL");
};
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    endChildren();
    void tidy().then(() => process.exit(1));
  });
}

/** The first test that fails; null when all pass. */
async function failing(
  directory: string,
  tests: readonly string[],
  timeoutMs: number,
): Promise<string | null> {
  const child = spawn(
    process.execPath,
    [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--config=scripts/vitest.mutate.config.ts",
    ],
    {
      cwd: directory,
      stdio: "ignore",
      env: { ...process.env, MUTATE_TESTS: tests.join(" "), MODEL_HISTORIES: "60" },
      // A group of its own: its workers end with it.
      detached: true,
    },
  );
  const pid = child.pid as number;
  children.add(pid);
  const timer = setTimeout(() => process.kill(-pid, "SIGKILL"), timeoutMs);
  const [code] = (await once(child, "exit")) as [number | null];
  clearTimeout(timer);
  children.delete(pid);
  if (code === null) return "it takes too long";
  if (code === 0) return null;
  const report = join(directory, "mutate.json");
  if (!existsSync(report)) return "the tests have ended their process";
  const { testResults } = JSON.parse(await readFile(report, "utf8")) as {
    testResults: { assertionResults: { status: string; fullName: string }[] }[];
  };
  await rm(report);
  const found = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === "failed");
  return found?.fullName ?? "the tests do not come to an end";
}

async function judge(directory: string, job: Job): Promise<Outcome> {
  const { file, tests, at, from, to } = job;
  const path = join(directory, file);
  const source = await readFile(path, "utf8");
  await writeFile(path, source.slice(0, at) + to + source.slice(at + from.length));
  try {
    const by = await failing(directory, tests, limitMs);
    if (by !== null || asked.model !== true) return { by };
    return { by: await failing(directory, [model], 4 * limitMs) };
  } finally {
    await writeFile(path, source);
  }
}

const outcomes = new Map<Job, Outcome>();
const directories: string[] = [];
const tidy = () =>
  Promise.all(directories.map((each) => rm(each, { recursive: true, force: true })));
try {
  for (let index = 0; index < parallel; index += 1) directories.push(await copyTree());
  // A test that fails without any mutant would kill them all.
  const tests = [...new Set(jobs.flatMap((job) => job.tests))];
  const failed = await failing(directories[0] as string, tests, 4 * limitMs);
  if (failed !== null) throw new Error(`fails without any change: ${failed}`);
  const waiting = [...jobs];
  await Promise.all(
    directories.map(async (directory) => {
      for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
        const outcome = await judge(directory, job);
        outcomes.set(job, outcome);
        const [from, to] = [job.from, job.to].map((text) => text.trim().replaceAll(/\s+/g, " "));
        const change = `${job.file}: ${from} → ${to}`;
        if (outcome.by === null) console.log(`survived: ${change}`);
        else if (asked.tell === true) console.log(`killed: ${change}\n  by ${outcome.by}`);
      }
    }),
  );
} finally {
  await tidy();
}

const killedOf = (some: readonly Job[]) =>
  some.filter((job) => (outcomes.get(job)?.by ?? null) !== null).length;
console.log("\n| file | mutants | killed |\n|---|---|---|");
for (const file of new Set(jobs.map((job) => job.file))) {
  const own = jobs.filter((job) => job.file === file);
  console.log(`| ${file} | ${own.length} | ${killedOf(own)} |`);
}
const percent = (100 * killedOf(jobs)) / jobs.length;
console.log(`\n${killedOf(jobs)} of ${jobs.length} mutants killed: ${percent.toFixed(1)} %`);
if (asked.random === undefined && percent < wantedPercent) process.exitCode = 1;
