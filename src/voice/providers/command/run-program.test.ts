import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { programEnvironment } from "../../../config/program-environment.ts";
import { silentLogger } from "../../../telemetry/logger.ts";
import { findProgram } from "./find-program.ts";
import { createProgramRunner, type ProgramJob, type ProgramRunner } from "./run-program.ts";

let runner: ProgramRunner;
const environment = { PATH: programEnvironment()["PATH"] ?? "", ONLY: "this" };

beforeEach(() => {
  runner = createProgramRunner({
    environment,
    maxRunning: 1,
    maxWaiting: 2,
    logger: silentLogger,
  });
});
afterEach(() => runner.close());

const node = (script: string, more: Partial<ProgramJob> = {}): ProgramJob => ({
  argv: (path) => [process.execPath, "-e", script, "--", path("in"), path("out")],
  files: new Map(),
  maxOutputBytes: 1024 * 1024,
  timeoutMs: 20_000,
  ...more,
});
const live = () => new AbortController().signal;
const text = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString("utf8");

/** Directories of this runner's kind that are there now. */
async function directories(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith("chat-service-voice-"));
}

test("input by file and standard input, output by both, nothing left behind", async () => {
  const script = `
    const fs = require("fs");
    const [input, output] = process.argv.slice(-2);
    process.stdin.on("data", (chunk) => {
      fs.writeFileSync(output, fs.readFileSync(input) + "+" + chunk);
      console.log(JSON.stringify({
        environment: Object.keys(process.env).filter((name) => !name.startsWith("_")).sort(),
        mode: (fs.statSync(input).mode & 0o777).toString(8),
        directory: (fs.statSync(".").mode & 0o777).toString(8),
        here: process.cwd(),
        argument: process.argv.at(-3),
      }));
    });`;
  const { stdout, outputFile } = await runner.run(
    {
      ...node(script),
      argv: (path) => [process.execPath, "-e", script, "--", "$(id) `id`", path("in"), path("out")],
      files: new Map([["in", Buffer.from("file")]]),
      stdin: Buffer.from("stdin"),
      outputFile: "out",
    },
    live(),
  );
  expect(text(outputFile)).toBe("file+stdin");
  const seen = JSON.parse(text(stdout)) as Record<string, string>;
  expect(seen).toMatchObject({
    environment: ["ONLY", "PATH", "TMPDIR"],
    mode: "600",
    directory: "700",
    argument: "$(id) `id`",
  });
  expect(existsSync(seen["here"]!)).toBe(false);
});

test("a program that fails, one that is not there", async () => {
  await expect(runner.run(node("process.exit(3)"), live())).rejects.toMatchObject({
    type: "speech_failed",
  });
  const missing = { ...node(""), argv: () => ["/nowhere/program"] };
  await expect(runner.run(missing, live())).rejects.toMatchObject({ type: "voice_unavailable" });
  const secret = node('console.error("what the user said"); process.exit(1)');
  const error = await runner.run(secret, live()).catch((reason: unknown) => reason);
  expect(JSON.stringify(error) + String((error as Error).cause)).not.toContain("user said");
});

test("output beyond its limit ends the program, on standard output and in the file", async () => {
  const endless = { ...node(""), argv: () => ["cat", "/dev/zero"] };
  await expect(runner.run(endless, live())).rejects.toMatchObject({ type: "speech_failed" });
  const file = `
    const fs = require("fs");
    setInterval(() => fs.appendFileSync(process.argv.at(-1), "x".repeat(1 << 20)), 5);`;
  const job = node(file, { outputFile: "out" });
  await expect(runner.run(job, live())).rejects.toMatchObject({ type: "speech_failed" });
});

/** Starts a child of its own that both ignore polite signals; tells their ids in the file `out`. */
const stubborn = `
  process.on("SIGTERM", () => {});
  const child = require("child_process").spawn(process.execPath, ["-e",
    'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { stdio: "inherit" });
  require("fs").writeFileSync(process.env.NOTE, process.pid + " " + child.pid);
  setInterval(() => {}, 1000);`;

/** Whether it still runs; one that is dead but not yet forgotten by the system does not. */
function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0] !== "Z";
  } catch {
    return false;
  }
}

test("a hanging program and its children are ended: by abort, by time-out, by closing", async () => {
  const before = await directories();
  const ends: [string, (job: ProgramJob) => Promise<unknown>, RegExp][] = [
    ["abort", (job) => runner.run(job, AbortSignal.timeout(1_500)), /timeout|aborted/i],
    ["time-out", (job) => runner.run({ ...job, timeoutMs: 1_500 }, live()), /took too long/],
    [
      "close",
      (job) => {
        setTimeout(() => void runner.close(), 1_500);
        return runner.run(job, live());
      },
      /cannot be used/,
    ],
  ];
  for (const [name, end, message] of ends) {
    const note = `${tmpdir()}/run-program-test-${process.pid}-${name}`;
    const script = stubborn.replace("process.env.NOTE", JSON.stringify(note));
    await expect(end(node(script)), name).rejects.toThrow(message);
    const pids = (await readFile(note, "utf8")).split(" ").map(Number);
    expect(pids).toHaveLength(2);
    // They are killed; a busy system takes its time for it.
    for (const pid of pids) await vi.waitFor(() => expect(isAlive(pid), name).toBe(false), 5_000);
  }
  expect(await directories()).toEqual(before);
});

test("a child that outlives its parent is ended with it", async () => {
  const script = `
    const child = require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"],
      { stdio: "inherit" });
    child.unref();
    process.stdout.write(String(child.pid), () => process.exit(0));`;
  const { stdout } = await runner.run(node(script), live());
  expect(isAlive(Number(text(stdout)))).toBe(false);
});

test("one runs, two wait in order, more are refused", async () => {
  const order: number[] = [];
  const work = [1, 2, 3].map((number) =>
    runner.run(node(`console.log(${number})`), live()).then(({ stdout }) => {
      order.push(Number(text(stdout)));
    }),
  );
  await expect(runner.run(node(""), live())).rejects.toMatchObject({
    type: "voice_unavailable",
    retryAfterSeconds: 1,
  });
  await Promise.all(work);
  expect(order).toEqual([1, 2, 3]);
  const given = new AbortController();
  const first = runner.run(node("setTimeout(() => {}, 300)"), live());
  const second = runner.run(node(""), given.signal);
  given.abort(new Error("not any more"));
  await expect(second).rejects.toThrow("not any more");
  await first;
});

test("programs are found by PATH alone", async () => {
  expect(await findProgram("sh", environment)).toMatch(/^\/.*\/sh$/);
  expect(await findProgram("no-such-program", environment)).toBeNull();
  expect(await findProgram("sh", {})).toBeNull();
  expect(await findProgram("sh", { PATH: "" })).toBeNull();
  expect(await findProgram("/bin/sh", {})).toBe("/bin/sh");
  expect(await findProgram("/etc/passwd", {})).toBeNull();
});
