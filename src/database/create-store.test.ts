import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { silentLogger } from "../telemetry/logger.ts";
import { createStore } from "./create-store.ts";
import { createEmbeddedDatabase } from "./embedded.ts";

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "chat-store-"));
});
afterAll(() => rm(dataDir, { recursive: true }));

test("what was left unfinished is made anew, and what is there is left alone", async () => {
  await mkdir(join(dataDir, "pgdata-new-killed/base"), { recursive: true });
  const database = await createEmbeddedDatabase({ dataDir, log: silentLogger });
  await database.execute("CREATE TABLE kept (id int)");
  await database.close();
  expect(await readdir(dataDir)).toContain("pgdata");
  expect((await readdir(dataDir)).filter((name) => name.startsWith("pgdata-"))).toEqual([]);
  const again = await createEmbeddedDatabase({ dataDir, log: silentLogger });
  expect((await again.query("SELECT id FROM kept")).rows).toEqual([]);
  await again.close();
});

test("where it cannot be made, nothing of it is left", async () => {
  const taken = join(dataDir, "taken");
  await mkdir(join(taken, "pgdata"), { recursive: true });
  await writeFile(join(taken, "pgdata/a-file"), "");
  await expect(createStore(taken)).rejects.toThrow("its files could not be created");
  expect(await readdir(taken)).toEqual(["pgdata"]);
});
