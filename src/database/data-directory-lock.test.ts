import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockDataDirectory } from "./data-directory-lock.ts";

describe("the lock of a data directory", () => {
  let directory: string;
  const path = () => join(directory, "lock.json");
  const heartbeat = async () =>
    (JSON.parse(await readFile(path(), "utf8")) as { heartbeat: number }).heartbeat;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "lock-test-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("is kept by its owner, however slow the disk", async () => {
    let lost = 0;
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    // Every millisecond: each beat takes longer than that.
    const lock = await lockDataDirectory(directory, () => lost++, 1);
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
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
    expect(lost).toBe(0);
  });

  it("is lost once to whoever took it meanwhile", async () => {
    const lost = new AbortController();
    const lock = await lockDataDirectory(directory, () => lost.abort(), 5);
    const other = { ...(JSON.parse(await readFile(path(), "utf8")) as object), token: "other" };
    // A beat that is under way writes once more after this.
    while (!lost.signal.aborted) await writeFile(path(), JSON.stringify(other));
    await lock.release();
    expect(await readFile(path(), "utf8")).toContain("other");
  });
});
