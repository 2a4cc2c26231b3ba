import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { createClient } from "../support/client.ts";
import { startPostgres } from "../support/postgres.ts";
import { createDataDir, startService } from "../support/start-service.ts";

const postgres = await startPostgres();
afterAll(() => postgres?.stop());
const main = join(import.meta.dirname, "../../bin/chat-service.mjs");

/** Exit code and what was said. */
function command(
  args: string[],
  dataDir: string,
  databaseUrl?: string,
): Promise<{ code: number; said: string }> {
  const options = { env: environment(dataDir, databaseUrl), cwd: dataDir };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: out + err });
    });
  });
}

function environment(dataDir: string, databaseUrl?: string) {
  return {
    PATH: process.env["PATH"],
    SERVICE_DATA_DIR: dataDir,
    ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
  };
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

describe.skipIf(postgres === null)("a store as a file", () => {
  it("goes to a server, also after a kill in the middle, and through a pipe back into an embedded database", async () => {
    const dataDir = await createDataDir();
    const before = await startService({ dataDir });
    const client = createClient(before.url);
    const sessionId = await client.session("alice");
    const data = Buffer.from("two\nlines").toString("base64");
    const { body: sent } = await client.send<{ message_id: string; user_message_id: string }>(
      "POST",
      "/chat/message",
      {
        session_id: sessionId,
        message: "What is 2 + 3?",
        attachments: [{ name: "a.txt", media_type: "text/plain", data }],
      },
    );
    await client.send("PUT", `/chat/message/${sent.message_id}/feedback`, { rating: "up" });
    const again = `/chat/message/${sent.message_id}/regenerate`;
    expect(await client.send("POST", again, {}, { accept: "application/json" })).toMatchObject({
      status: 200,
    });
    const conversation = async (url: string) => {
      const there = createClient(url);
      const { body } = await there.get<{ messages: { attachments?: { url: string }[] }[] }>(
        `/chat/history/${sessionId}?user_id=alice&path=all`,
      );
      const file = body.messages[0]?.attachments?.[0]?.url ?? "";
      return { messages: body.messages, file: await (await fetch(url + file)).text() };
    };
    const told = await conversation(before.url);
    expect(told).toMatchObject({
      messages: [{}, { feedback: { rating: "up" } }, {}],
      file: "two\nlines",
    });
    const file = join(dataDir, "store.jsonl.gz");
    expect(await command(["export", "--all", file], dataDir)).toMatchObject({
      code: 1,
      said: expect.stringContaining("in use"),
    });
    expect(existsSync(file)).toBe(false);
    await before.stop();
    const written = await command(["export", "--all", file], dataDir);
    expect(written.code, written.said).toBe(0);
    expect(JSON.parse(written.said)).toMatchObject({
      receipt: "export",
      tables: { sessions: 1, messages: 3, attachments: 1, feedback: 1 },
    });
    expect(await command(["export", "--all", file], dataDir)).toMatchObject({ code: 2 });
    expect(await command(["export", "--all", "a", "b"], dataDir)).toMatchObject({ code: 2 });
    expect(await command(["import"], dataDir)).toMatchObject({ code: 2 });
    expect(await command(["import", file], dataDir)).toMatchObject({
      code: 1,
      said: expect.stringContaining("import into an empty one"),
    });

    const databaseUrl = (await postgres?.freshDatabase()) ?? "";
    expect(await command(["import", `${file}.no`], dataDir, databaseUrl)).toMatchObject({
      code: 1,
      said: expect.stringContaining("is not there"),
    });
    // It is at the messages when it is killed: somebody holds them.
    const holder = new Client({ connectionString: databaseUrl });
    await holder.connect();
    await holder.query("BEGIN; LOCK TABLE messages IN EXCLUSIVE MODE");
    const killed = spawn(process.execPath, [main, "import", file], {
      env: environment(dataDir, databaseUrl),
      cwd: dataDir,
      stdio: "ignore",
    });
    const waiting = "SELECT 1 FROM pg_locks WHERE relation = 'messages'::regclass AND NOT granted";
    await expect
      .poll(() => postgres?.query(waiting, [], databaseUrl), { timeout: 60_000 })
      .toHaveLength(1);
    killed.kill("SIGKILL");
    await once(killed, "exit");
    await holder.end();
    expect(await command(["serve"], dataDir, databaseUrl)).toMatchObject({
      code: 1,
      said: expect.stringContaining("import of it was interrupted behind line"),
    });
    const imported = await command(["import", file], dataDir, databaseUrl);
    expect(imported.code, imported.said).toBe(0);
    const receipt = JSON.parse(imported.said) as { resumed_behind_line: number };
    expect(receipt).toMatchObject({ verified: true, tables: { messages: 3 } });
    expect(receipt.resumed_behind_line).toBeGreaterThan(1);
    const after = await startService({ env: { DATABASE_URL: databaseUrl } });
    expect(await conversation(after.url)).toEqual(told);

    // While that service runs.
    const backDir = await createDataDir();
    const pipe = `"$0" "$1" export --all - | env -u DATABASE_URL SERVICE_DATA_DIR="$2" "$0" "$1" import -`;
    const code = await new Promise((resolve) => {
      const options = { env: environment(dataDir, databaseUrl), cwd: dataDir };
      const all = ["-o", "pipefail", "-c", pipe, process.execPath, main, backDir];
      execFile("bash", all, options, (error) => {
        resolve(error === null ? 0 : error);
      });
    });
    expect(code).toBe(0);
    await after.stop();
    const back = await startService({ dataDir: backDir });
    expect(await conversation(back.url)).toEqual(told);
    await back.stop();
    for (const each of [dataDir, backDir]) await rm(each, { recursive: true });
  });
});
