import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { mkdtemp, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLogFile } from "./log-file.ts";

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "log-file-"));
  path = join(directory, "chat.log");
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(directory, { recursive: true, force: true });
});

function openFile(more: Partial<Parameters<typeof createLogFile>[0]> = {}) {
  const told: string[] = [];
  const file = createLogFile({
    path,
    maxBytes: 1_000_000,
    backups: 2,
    onFault: (error) => told.push(`fault ${(error as NodeJS.ErrnoException).code ?? "slow"}`),
    onRecovery: (lost) => told.push(`recovered ${lost}`),
    ...more,
  });
  return { file, told };
}

/** Asks again until it holds; shared machines stall for seconds at a time. */
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 20_000, interval: 1 });

const read = (name: string) => readFile(join(directory, name), "utf8");

test("lines are written in order, and more after the end of an earlier process", async () => {
  for (const lines of [["one\n", "two\n"], ["three\n"]]) {
    const { file } = openFile();
    for (const line of lines) file.write(line);
    await file.close();
  }
  expect(await read("chat.log")).toBe("one\ntwo\nthree\n");
});

test.each([
  { backups: 2, kept: ["chat.log", "chat.log.1", "chat.log.2"] },
  { backups: 0, kept: ["chat.log"] },
])("full files are renamed and $backups are kept", async ({ backups, kept }) => {
  const { file } = openFile({ maxBytes: 1_024, backups });
  for (let number = 0; number < 100; number += 1) file.write(`${number} ${"x".repeat(90)}\n`);
  await file.close();
  await eventually(async () => expect((await readdir(directory)).sort()).toEqual(kept));
  const newest = [...kept].reverse();
  const texts = await Promise.all(newest.map(read));
  for (const text of texts) expect(text.length).toBeLessThanOrEqual(1_024 * 1.25);
  const numbers = texts.join("").trim().split("\n").map(parseFloat);
  expect(numbers).toEqual(numbers.map((_, index) => 100 - numbers.length + index));
});

test("a full disk is told once, loses nothing that fits the bound, and is told when it is over", async () => {
  const { file, told } = openFile({ path: "/dev/full" });
  for (let number = 0; number < 100; number += 1) file.write("line\n");
  await eventually(() => expect(told).toEqual(["fault ENOSPC"]));
  for (let number = 0; number < 100; number += 1) file.write("line\n");
  expect(file.unwritten()).toBe(200);
  await file.close();
  expect(told).toEqual(["fault ENOSPC"]);
});

test("a directory that goes away comes back, and the lines with it", async () => {
  const logs = join(directory, "logs");
  path = join(logs, "chat.log");
  const { file, told } = openFile({ maxBytes: 8 });
  file.write("before\n");
  await eventually(async () => expect(await readdir(logs)).toContain("chat.log"));
  await rename(logs, `${logs}-away`);
  // A file in the place of the directory.
  await (await open(logs, "w")).close();
  file.write("meanwhile\n");
  file.write("meanwhile\n");
  await eventually(() => expect(told).toHaveLength(1));
  await rm(logs);
  await eventually(() => expect(told).toEqual([expect.stringMatching(/fault/), "recovered 0"]));
  await file.close();
});

test("a reader that has stopped reading: what waits is bounded, the rest is lost and counted", async () => {
  execFileSync("mkfifo", [path]);
  const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const told: string[] = [];
  const { file } = openFile({
    // As the logger does it: the fault is a line of this very file too.
    onFault: (error) => {
      told.push((error as NodeJS.ErrnoException).code ?? "slow");
      file.write("a fault\n");
    },
    onRecovery: (lost) => told.push(`recovered ${lost}`),
  });
  const line = `${"x".repeat(1_023)}\n`;
  for (let number = 0; number < 20_000; number += 1) file.write(line);
  expect(told).toHaveLength(1);
  let text = 0;
  const buffer = Buffer.alloc(1024 * 1024);
  await eventually(async () => {
    const { bytesRead } = await reader
      .read(buffer, 0, buffer.length)
      .catch(() => ({ bytesRead: 0 }));
    text += bytesRead;
    expect(told.at(-1)).toMatch(/recovered/);
  });
  const lost = Number(/recovered (\d+)/.exec(told.at(-1) ?? "")?.[1]);
  expect(lost).toBeGreaterThan(10_000);
  expect(text).toBeLessThanOrEqual(8 * 1024 * 1024 + 64 * 1024);
  await file.close();
  await reader.close();
});

test("a pipe without a reader does not hold up the start, and has the lines when one comes", async () => {
  execFileSync("mkfifo", [path]);
  const { file, told } = openFile();
  file.write("line\n");
  const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(100);
  await eventually(async () => {
    const { bytesRead } = await reader.read(buffer, 0, buffer.length);
    expect(buffer.toString("utf8", 0, bytesRead)).toBe("line\n");
  });
  await file.close();
  await reader.close();
  expect(told).toEqual([]);
});

test("a file that somebody has renamed is begun anew when it is reopened", async () => {
  const { file } = openFile();
  file.write("one\n");
  await eventually(async () => expect(await read("chat.log")).toBe("one\n"));
  await rename(path, `${path}.old`);
  file.write("two\n");
  await eventually(async () => expect(await read("chat.log.old")).toBe("one\ntwo\n"));
  file.reopen();
  file.write("three\n");
  await file.close();
  expect(await read("chat.log.old")).toBe("one\ntwo\n");
  expect(await read("chat.log")).toBe("three\n");
});

test("what a full disk has cut stays a line of its own", async () => {
  await writeFile(path, '{"whole":1}\n{"cut');
  const { file } = openFile();
  file.write('{"next":1}\n');
  await file.close();
  expect(await read("chat.log")).toBe('{"whole":1}\n{"cut\n{"next":1}\n');
});

test("a path that cannot be opened is refused at once", () => {
  expect(() => openFile({ path: directory })).toThrow(/EISDIR/);
});
