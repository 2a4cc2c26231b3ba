import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runErase } from "../../src/cli/erase-user.ts";
import { runExport } from "../../src/cli/export-user.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { Config } from "../../src/config/settings.ts";
import { captureTerminal } from "../support/capture-terminal.ts";
import { createClient, type Client } from "../support/client.ts";
import { createDataDir, startService, type TestService } from "../support/start-service.ts";

const secret = "a secret of at least thirty-two bytes";
const adminKey = "an-admin-key-for-tests";
const sha256 = createHash("sha256").update(adminKey).digest("hex");

let directory: string;
let dataDir: string;
let service: TestService;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chat-user-data-"));
  dataDir = await createDataDir();
  await writeFile(join(directory, "key"), `${adminKey}\n`);
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
  await rm(dataDir, { recursive: true, force: true });
});

/** Callers must prove who they are: what works then works in open mode too. */
const environment = {
  AUTH_MODE: "jwt",
  SECURITY_SECRET_KEY: secret,
  AUTH_API_KEYS: JSON.stringify([{ name: "admin", sha256, user_id: "root", roles: ["admin"] }]),
};

function configOf(): Config {
  const loaded = loadConfig({
    environment: { SERVICE_DATA_DIR: dataDir, SERVICE_ENVIRONMENT: "test", ...environment },
    cwd: directory,
  });
  if (!loaded.ok) throw new Error(loaded.faults.join());
  return loaded.config;
}

async function converse(client: Client, userId: string, sessions: number): Promise<void> {
  for (let session = 0; session < sessions; session++) {
    const sessionId = await client.session(userId);
    for (const message of ["1 + 1 = ?", "你好"]) {
      const { status } = await client.send("POST", "/chat/message", {
        session_id: sessionId,
        user_id: userId,
        message,
        // Each is a branch of its own: all of them are the user's.
        parent_message_id: null,
      });
      expect(status).toBe(200);
    }
  }
}

async function totalOf(client: Client, userId: string): Promise<number> {
  const { body } = await client.get<{ total_sessions: number }>(`/sessions/user/${userId}/stats`);
  return body.total_sessions;
}

describe("export and erase", () => {
  it("through the running service, with an admin's key", async () => {
    service = await startService({ dataDir, env: environment });
    const admin = createClient(service.url, { "x-api-key": adminKey });
    await converse(admin, "ann/1", 3);
    await converse(admin, "bob", 1);
    const spoken = await admin.send("POST", "/chat/message", {
      user_id: "ann/1",
      message: "Say it.",
      voice_config: { enable_tts: true },
    });
    expect(spoken.body).toMatchObject({ audio_response: { format: expect.any(String) } });
    const access = ["--url", service.url, "--api-key-file", join(directory, "key")];

    const file = join(directory, "ann.jsonl");
    const exported = captureTerminal();
    expect(
      await runExport(configOf(), ["ann/1", "--output", file, ...access], exported.terminal),
    ).toBe(0);
    const receipt = JSON.parse(exported.seen.output) as Record<string, unknown>;
    const bytes = await readFile(file);
    expect(receipt).toMatchObject({
      receipt: "export",
      user_id: "ann/1",
      sessions: 4,
      messages: 14,
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    });
    const lines = bytes
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const turn = ["message", "message"];
    const whole = ["session", turn, turn].flat();
    expect(lines.map(({ type }) => type)).toEqual(
      ["export", "session", turn, whole, whole, whole, "end"].flat(),
    );
    expect(lines.some(({ content }) => content === "你好")).toBe(true);
    expect((await stat(file)).mode & 0o077).toBe(0);

    const again = captureTerminal();
    expect(
      await runExport(configOf(), ["ann/1", "--output", file, ...access], again.terminal),
    ).toBe(2);
    expect(again.seen.errors).toContain("exists already");

    const counted = captureTerminal();
    expect(await runErase(configOf(), ["ann/1", ...access], counted.terminal)).toBe(1);
    expect(counted.seen.output).toContain(
      "ann/1 has 4 sessions with 14 messages and 1 recordings. Nothing was erased",
    );
    expect(await totalOf(admin, "ann%2F1")).toBe(4);

    const erased = captureTerminal();
    expect(
      await runErase(
        configOf(),
        ["ann/1", "--yes", "--receipt", join(directory, "receipt"), ...access],
        erased.terminal,
      ),
    ).toBe(0);
    expect(JSON.parse(erased.seen.output)).toMatchObject({
      receipt: "erasure",
      user_id: "ann/1",
      sessions: 4,
      messages: 14,
      audio: 1,
      memories: 0,
      memories_pending: false,
      verified: true,
    });
    expect(await readFile(join(directory, "receipt"), "utf8")).toBe(erased.seen.output);
    expect(await totalOf(admin, "ann%2F1")).toBe(0);
    expect(await totalOf(admin, "bob")).toBe(1);
  });

  it("says that nothing was kept of somebody who was not there: a name that was mistyped", async () => {
    const nobody = captureTerminal();
    const access = ["--url", service.url, "--api-key-file", join(directory, "key")];
    expect(await runErase(configOf(), ["anne", "--yes", ...access], nobody.terminal)).toBe(1);
    expect(JSON.parse(nobody.seen.output)).toMatchObject({ found: false, sessions: 0 });
    expect(nobody.seen.errors).toContain("Nothing was kept of anne");
  });

  it("refuses without the right, and next to the service without its address", async () => {
    const stranger = captureTerminal();
    expect(
      await runErase(configOf(), ["bob", "--yes", "--url", service.url], stranger.terminal),
    ).toBe(1);
    expect(stranger.seen.errors).toContain("needs a token");
    const beside = captureTerminal();
    expect(await runErase(configOf(), ["bob", "--yes"], beside.terminal)).toBe(2);
    expect(beside.seen.errors).toMatch(/is in use by process[^]*--url http:\/\/127\.0\.0\.1:8001/);
    expect(await runErase(configOf(), [], captureTerminal().terminal)).toBe(2);
  });

  it("on the stopped service's data, and needs no key for that", async () => {
    await service.stop();
    const exported = captureTerminal();
    expect(await runExport(configOf(), ["bob", "--output", "-"], exported.terminal)).toBe(0);
    expect(exported.seen.output.trim().split("\n")).toHaveLength(7);
    expect(JSON.parse(exported.seen.errors)).toMatchObject({ sessions: 1, messages: 4 });
    const erased = captureTerminal();
    expect(await runErase(configOf(), ["bob", "--yes"], erased.terminal)).toBe(0);
    expect(JSON.parse(erased.seen.output)).toMatchObject({
      sessions: 1,
      messages: 4,
      verified: true,
    });
  });
});
