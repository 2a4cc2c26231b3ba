import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createClient } from "../support/client.ts";
import { startPostgres } from "../support/postgres.ts";
import { createDataDir, startService } from "../support/start-service.ts";

const postgres = await startPostgres();
afterAll(() => postgres?.stop());
const main = join(import.meta.dirname, "../../src/main.ts");

/** Exit code and what was said. */
function command(
  args: string[],
  dataDir: string,
  databaseUrl?: string,
): Promise<{ code: number; said: string }> {
  const env = {
    PATH: process.env["PATH"],
    SERVICE_DATA_DIR: dataDir,
    ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { env, cwd: dataDir }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: out + err });
    });
  });
}

const move = (dataDir: string, databaseUrl?: string) => command(["move"], dataDir, databaseUrl);

describe.skipIf(postgres === null)("from the embedded database to a server", () => {
  it("goes everything, once, and only into an empty one", async () => {
    const dataDir = await createDataDir();
    const before = await startService({ dataDir });
    const client = createClient(before.url);
    const sessionId = await client.session("alice");
    const message = {
      session_id: sessionId,
      message: 'What is 2 + 3? 你好 \\ " 😀',
      metadata: { a: [1, null] },
    };
    await client.send("POST", "/chat/message", message, { "idempotency-key": "once" });
    const history = (await client.get(`/chat/history/${sessionId}?user_id=alice`)).body;
    const databaseUrl = (await postgres?.freshDatabase()) ?? "";
    expect(await move(dataDir, databaseUrl)).toMatchObject({
      code: 1,
      said: expect.stringContaining("in use"),
    });
    await before.stop();

    expect(await move(dataDir)).toMatchObject({ code: 2 });
    const moved = await move(dataDir, databaseUrl);
    expect(moved.code, moved.said).toBe(0);
    expect(JSON.parse(moved.said)).toMatchObject({ moved: { sessions: 1, messages: 2 } });
    expect(await move(dataDir, databaseUrl)).toMatchObject({
      code: 1,
      said: expect.stringContaining("empty"),
    });

    const after = await startService({ env: { DATABASE_URL: databaseUrl } });
    const there = createClient(after.url);
    expect((await there.get(`/chat/history/${sessionId}?user_id=alice`)).body).toEqual(history);
    await expect
      .poll(async () => (await there.get(`/chat/history/${sessionId}?user_id=alice&q=2`)).body)
      .toMatchObject({ messages: [{ role: "user" }, {}] });
    const again = await there.send("POST", "/chat/message", message, { "idempotency-key": "once" });
    expect(again.body).toMatchObject({ session_id: sessionId });
    expect((await there.get(`/chat/history/${sessionId}?user_id=alice`)).body).toEqual(history);
    await after.stop();

    expect(await command(["reindex", "--all"], dataDir, databaseUrl)).toEqual({
      code: 0,
      said: "given-up texts that are tried again: 0; everything else is made searchable anew\n",
    });
    const backfill = "SELECT kind FROM search_backfill ORDER BY kind";
    expect(await postgres?.query(backfill, [], databaseUrl)).toEqual([
      { kind: "messages" },
      { kind: "titles" },
    ]);
    expect(await command(["reindex", "all"], dataDir, databaseUrl)).toMatchObject({ code: 2 });
    await rm(dataDir, { recursive: true });
  });
});
