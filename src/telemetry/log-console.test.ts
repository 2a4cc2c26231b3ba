import { execFileSync } from "node:child_process";
import { constants, closeSync, openSync } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLogConsole } from "./log-console.ts";

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "log-console-"));
  path = join(directory, "pipe");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function openConsole(fd: number) {
  const told: string[] = [];
  const console = createLogConsole({
    fd,
    isTerminal: false,
    onFault: (error) => {
      told.push((error as NodeJS.ErrnoException).code ?? "slow");
      // As the logger must not do it; nothing goes on for ever all the same.
      console.write("a fault\n");
    },
    onRecovery: (lost) => told.push(`recovered ${lost}`),
  });
  return { console, told };
}

test("a full disk behind the console is told once and ends nothing", async () => {
  const fd = openSync("/dev/full", "w");
  const { console, told } = openConsole(fd);
  for (let number = 0; number < 100; number += 1) {
    console.write("line\n");
    await new Promise(setImmediate);
  }
  await vi.waitFor(() => expect(told).toEqual(["ENOSPC"]), { timeout: 20_000 });
  await console.close();
  // Still this console's: nobody else was given its number.
  closeSync(fd);
});

test.each([
  ["blocks", ""],
  ["does not block, as those that Node has looked at", "process.stdout.isTTY;"],
])("what waits when the process ends is written then, to a pipe that %s", (_how, look) => {
  const script = `
    import { createLogConsole } from ${JSON.stringify(join(import.meta.dirname, "log-console.ts"))};
    ${look}
    const console = createLogConsole({ fd: 1, isTerminal: false, onFault() {}, onRecovery() {} });
    for (let number = 0; number < 3000; number += 1) console.write(number + " ".repeat(1000) + "\\n");
    process.exit(0);
  `;
  const text = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    maxBuffer: 10_000_000,
  });
  expect(text.trim().split("\n").map(Number)).toEqual(Array.from({ length: 3000 }, (_, n) => n));
});

test("a pipe that is full for a moment and does not block is no fault: each line is there once", async () => {
  execFileSync("mkfifo", [path]);
  const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const { console, told } = openConsole(fd);
  const lines = Array.from({ length: 3_000 }, (_, n) => `${n}${" ".repeat(1_000)}\n`);
  for (const line of lines) console.write(line);
  const closing = console.close();
  const whole = lines.join("");
  let text = "";
  const buffer = Buffer.alloc(10_000);
  await vi.waitFor(
    async () => {
      const { bytesRead } = await reader.read(buffer, 0, buffer.length);
      text += buffer.toString("latin1", 0, bytesRead);
      expect(text).toHaveLength(whole.length);
    },
    { timeout: 20_000, interval: 1 },
  );
  await closing;
  expect(told).toEqual([]);
  expect(text).toBe(whole);
  await reader.close();
  closeSync(fd);
});

test("a reader that has stopped reading: what waits is bounded, the rest is lost and counted", async () => {
  execFileSync("mkfifo", [path]);
  const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(path, "w");
  const { console, told } = openConsole(fd);
  const line = `${"x".repeat(1_023)}\n`;
  for (let number = 0; number < 20_000; number += 1) console.write(line);
  expect(told).toEqual(["slow"]);
  let text = 0;
  const buffer = Buffer.alloc(1024 * 1024);
  await vi.waitFor(
    async () => {
      const { bytesRead } = await reader
        .read(buffer, 0, buffer.length)
        .catch(() => ({ bytesRead: 0 }));
      text += bytesRead;
      expect(told.at(-1)).toMatch(/recovered/);
    },
    { timeout: 20_000, interval: 1 },
  );
  const lost = Number(/recovered (\d+)/.exec(told.at(-1) ?? "")?.[1]);
  expect(lost).toBeGreaterThan(10_000);
  expect(text).toBeLessThanOrEqual(8 * 1024 * 1024 + 64 * 1024);
  await console.close();
  await reader.close();
  closeSync(fd);
});
