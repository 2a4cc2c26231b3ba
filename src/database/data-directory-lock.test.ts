import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { silentLogger, type Logger } from "../telemetry/logger.ts";
import { lockDataDirectory } from "./data-directory-lock.ts";

describe("the lock of a data directory", () => {
  let directory: string;
  const path = () => join(directory, "lock.json");
  const heartbeat = async () =>
    (JSON.parse(await readFile(path(), "utf8")) as { heartbeat: number }).heartbeat;

  let told: string[];
  const tell = (_fields: object, words: string) => void told.push(words);
  const log = { ...silentLogger, warn: tell, info: tell } as Logger;

  beforeEach(async () => {
    told = [];
    directory = await mkdtemp(join(tmpdir(), "lock-test-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("is kept by its owner, however slow the disk", async () => {
    let lost = 0;
    // Every millisecond: each beat takes longer than that.
    const lock = await lockDataDirectory(directory, { onLost: () => lost++, log, heartbeatMs: 1 });
    const first = await heartbeat();
    const started = performance.now();
    while (performance.now() - started < 1_000) {
      const reads = Array.from({ length: 64 }, () => readFile(import.meta.filename));
      await Promise.all(reads);
      // Readers never see half a file.
      expect(await heartbeat()).toBeGreaterThanOrEqual(first);
    }
    expect(await heartbeat()).toBeGreaterThan(first);
    await lock.release();
    expect(told).toEqual([]);
    expect(lost).toBe(0);
  });

  it("is told once to have failed, and once to be renewed again", async () => {
    const lock = await lockDataDirectory(directory, { onLost() {}, log, heartbeatMs: 1 });
    const { token } = JSON.parse(await readFile(path(), "utf8")) as { token: string };
    const last = async () => {
      const before = await heartbeat();
      while ((await heartbeat()) === before);
    };
    // In the way of what is written.
    while (told.length === 0) await mkdir(`${path()}.${token}`).catch(() => undefined);
    const beats = vi.spyOn(Date, "now");
    while (beats.mock.calls.length < 10) await readFile(path());
    beats.mockRestore();
    await rmdir(`${path()}.${token}`);
    await last();
    await lock.release();
    expect(told).toEqual([
      "the lock of the data directory cannot be renewed; trying again",
      "the lock of the data directory is renewed again",
    ]);
  });

  it("is lost once to whoever took it meanwhile", async () => {
    const lost = new AbortController();
    const lock = await lockDataDirectory(directory, {
      onLost: () => lost.abort(),
      log,
      heartbeatMs: 5,
    });
    const other = { ...(JSON.parse(await readFile(path(), "utf8")) as object), token: "other" };
    // A beat that is under way writes once more after this.
    while (!lost.signal.aborted) await writeFile(path(), JSON.stringify(other));
    await lock.release();
    expect(await readFile(path(), "utf8")).toContain("other");
  });
});
