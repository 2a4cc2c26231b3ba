import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "vitest";
import { collect, never, request } from "../../../../test/agno/scenarios.ts";
import {
  sendJson,
  startScriptedAgentOs,
  type ScriptedAgentOs,
} from "../../../../test/agno/scripted-agent-os.ts";
import { backendFor } from "../../../../test/agno/stage.ts";
import { createApiKey } from "./api-key.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "agno-key-"));
  file = join(folder, "key");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a file that is missing, empty or no key is told, and takes no key away", async () => {
  const key = createApiKey({ apiKeyFile: file });
  assert.deepEqual(key.headers(), {});
  assert.equal(key.fault, "its key file cannot be read (ENOENT)");
  await writeFile(file, " one \r\n");
  assert.equal(key.renew(), true);
  assert.equal(key.fault, null);
  for (const nonsense of ["", "two\nlines", "ключ"]) {
    await writeFile(file, nonsense);
    assert.equal(key.renew(), false);
    assert.equal(key.fault, "its key file holds no key");
    assert.deepEqual(key.headers(), { authorization: "Bearer one" });
  }
});

test("a key that is set stays as it is", () => {
  const key = createApiKey({ apiKey: "set" });
  assert.equal(key.renew(), false);
  assert.deepEqual(key.headers(), { authorization: "Bearer set" });
});

describe("a server that has another key now", () => {
  let server: ScriptedAgentOs;
  /** What it takes; the keys of runs it was asked for. */
  let wanted: string;
  const keys: (string | undefined)[] = [];

  beforeEach(async () => {
    server = await startScriptedAgentOs();
    keys.length = 0;
    wanted = "Bearer old";
    server.setAnswer(({ path, headers }, response) => {
      if (path.endsWith("/runs")) keys.push(headers.authorization);
      if (path === "/health" || headers.authorization === wanted) return false;
      sendJson(response, 401, { detail: "no" });
      return true;
    });
  });
  afterEach(() => server.unplug());

  test("is asked again with it, and nobody notices", async () => {
    await writeFile(file, "old");
    const servers = [{ name: "test", apiUrl: server.url, apiKeyFile: file }];
    const backend = backendFor(server.url, { servers });
    const ask = () => collect(backend.run(request("assistant", "hello"), never));
    assert.equal((await ask()).error, null);
    wanted = "Bearer new";
    await writeFile(file, "new");
    assert.equal((await ask()).error, null);
    assert.deepEqual(keys, ["Bearer old", "Bearer old", "Bearer new"]);
    await backend.close();
  });

  test("is asked once where the file has not changed, or the caller's own token was refused", async () => {
    await writeFile(file, "old");
    const servers = [{ name: "test", apiUrl: server.url, apiKeyFile: file }];
    const backend = backendFor(server.url, { servers, forwardUserToken: true });
    await backend.list(never);
    wanted = "Bearer new";
    assert.notEqual((await collect(backend.run(request("assistant", "hello"), never))).error, null);
    await writeFile(file, "new");
    const own = { userToken: "of-ann" };
    const { error } = await collect(backend.run(request("assistant", "hello", own), never));
    assert.equal((error as { type?: string }).type, "agent_failed");
    assert.deepEqual(keys, ["Bearer old", "Bearer of-ann"]);
    await backend.close();
  });
});
