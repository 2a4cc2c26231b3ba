import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runKeys } from "../../src/cli/api-keys.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { captureTerminal } from "../support/capture-terminal.ts";
import { createClient, type Client } from "../support/client.ts";
import { openStream } from "../support/reply-stream.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

const secretKey = "a secret for tests, 32 bytes or more";
const postgres = await startPostgres();
afterAll(() => postgres?.stop());

interface Made {
  readonly key: string;
  readonly api_key: Record<string, unknown> & { readonly key_id: string };
}

describe.each([
  ["embedded", 1, async () => ({})],
  [
    "two nodes on postgres",
    2,
    async () => ({ DATABASE_URL: (await postgres?.freshDatabase()) ?? "" }),
  ],
] as const)("API keys, on %s", (_kind, nodes, database) => {
  if (nodes > 1 && postgres === null) return;
  const services: TestService[] = [];
  let client: Client;
  /** Another node, where there is one. */
  let other: Client;
  let admin: Record<string, string>;

  beforeAll(async () => {
    const env = {
      AUTH_MODE: "jwt",
      SECURITY_SECRET_KEY: secretKey,
      AUTH_API_KEYS: JSON.stringify([{ name: "fixed", sha256: "0".repeat(64), user_id: "fixed" }]),
      ...(await database()),
    };
    for (let node = 0; node < nodes; node += 1) services.push(await startService({ env }));
    client = createClient(services[0]?.url ?? "");
    other = createClient(services.at(-1)?.url ?? "");
    admin = await bearer("root", { roles: ["admin"] });
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
  });

  const bearer = async (sub: string, claims: object = {}) => ({
    authorization: `Bearer ${await new SignJWT({ sub, ...claims })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode(secretKey))}`,
  });
  const make = async (body: object, headers = admin) => {
    const made = await client.send<Made>("POST", "/api-keys", body, headers);
    expect(made.status).toBe(200);
    return made.body;
  };
  const revoke = (id: string) => client.send("DELETE", `/api-keys/${id}`, undefined, admin);
  const status = async (at: Client, key: string) =>
    (await at.get("/sessions", { "x-api-key": key })).status;

  it("is shown once, and works on every node at once", async () => {
    const { key, api_key: about } = await make({ name: "reports", user_id: "reporter" });
    expect(key).toMatch(/^csk_[\w-]{43}$/);
    expect(await status(other, key)).toBe(200);
    const asToken = await other.get("/chat/session/none/status", {
      authorization: `Bearer ${key}`,
    });
    expect(asToken.status).toBe(404);
    const { body } = await client.get<{ api_keys: object[] }>("/api-keys", admin);
    expect(body.api_keys).toContainEqual(
      expect.objectContaining({
        name: "reports",
        user_id: "reporter",
        hint: key.slice(0, 10),
        created_by: "root",
        scopes: null,
      }),
    );
    expect(JSON.stringify(body) + JSON.stringify(about)).not.toContain(key);
    for (const service of services) expect(service.output()).not.toContain(key);
  });

  it("that is revoked is refused everywhere, and what it has opened ends", async () => {
    const { key, api_key: about } = await make({ name: "watcher" });
    const headers = { "x-api-key": key };
    const stream = await openStream(`${other.url}/sessions/events`, { headers });
    await stream.next((event) => event.type === "ready");
    const socket = connectSocket(`${other.url}/chat/ws`, headers);
    await socket.next(({ type }) => type === "connection_established");
    const front = await make({ name: "front", acts_for_users: true });
    const acting = { "x-api-key": front.key, "x-user-id": "alice" };
    const acted = await openStream(`${other.url}/sessions/events`, { headers: acting });
    await acted.next((event) => event.type === "ready");
    const closed = socket.closed();

    expect((await revoke(about.key_id)).body).toMatchObject({
      api_key: { revoked_at: expect.any(String) },
    });
    expect(await status(client, key)).toBe(401);
    await stream.all();
    expect(await closed).toBe(4401);
    expect(await status(other, key)).toBe(401);
    // Again it changes nothing.
    const first = (await revoke(about.key_id)).body;
    expect((await revoke(about.key_id)).body).toEqual(first);
    // Whoever acts with another key reads on, until that is revoked.
    expect(await status(other, front.key)).toBe(200);
    await revoke(front.api_key.key_id);
    await acted.all();
    const { body } = await client.get<{ api_keys: object[] }>(
      "/api-keys?include_ended=true",
      admin,
    );
    expect(JSON.stringify(body.api_keys)).toContain(about.key_id);
    expect(JSON.stringify((await client.get("/api-keys", admin)).body)).not.toContain(about.key_id);
  });

  it("acts for users, with the scopes and the agents that it has", async () => {
    const { key } = await make({
      name: "webui",
      acts_for_users: true,
      scopes: ["create_chat_session", "agents:guide:run"],
    });
    const headers = { "x-api-key": key, "x-user-id": "alice" };
    const made = await other.send<{ session_info: object }>("POST", "/chat/session", {}, headers);
    expect(made.body.session_info).toMatchObject({
      user_id: "via:webui:alice",
      agent_id: "guide",
    });
    expect((await other.get("/sessions", headers)).status).toBe(403);
    const { body } = await client.get<{ agents: { agent_id: string }[] }>("/chat/agents", headers);
    expect(body.agents.map(({ agent_id: id }) => id)).toEqual(["guide"]);
  });

  it("ends at its time, and its name is free then", async () => {
    const { key } = await make({ name: "brief", expires_in: 2 });
    // On a machine that stands still it may be over before it was used.
    await openStream(`${other.url}/sessions/events`, { headers: { "x-api-key": key } }).then(
      (stream) => stream.all(),
      (error: unknown) => expect(String(error)).toContain("401"),
    );
    expect(await status(other, key)).toBe(401);
    await make({ name: "brief" });
  });

  it.each([
    ["a name that is taken", { name: "reports" }, "/name"],
    ["a name of the configuration", { name: "fixed" }, "/name"],
    ["a scope that is none", { name: "x", scopes: ["send_messages"] }, "/scopes/0"],
    ["a front end's user", { name: "x", user_id: "via:a:b" }, "/user_id"],
    ["what nobody sees", { name: "x\u200b" }, "/name"],
    ["acting as an administrator", { name: "x", roles: ["admin"], acts_for_users: true }, "/acts"],
    ["acting under a name with a colon", { name: "a:b", acts_for_users: true }, "/acts"],
    ["no time", { name: "x", expires_in: 0 }, "/expires_in"],
  ])("%s is refused", async (_what, body, path) => {
    const answer = await client.send("POST", "/api-keys", body, admin);
    expect(answer.status).toBe(422);
    expect(JSON.stringify(answer.body)).toContain(`"path":"${path}`);
  });

  it("is administrators' business, who give away no more than they have", async () => {
    const { key: plain, api_key: about } = await make({ name: "plain" });
    const { key: narrow } = await make({
      name: "narrow",
      roles: ["admin"],
      scopes: ["manage_sessions", "send_message", "agents:a*:run"],
    });
    const withKey = (key: string) => ({ "x-api-key": key });
    for (const headers of [withKey(plain), await bearer("bob")]) {
      expect((await client.get("/api-keys", headers)).status).toBe(403);
      expect((await client.send("POST", "/api-keys", { name: "y" }, headers)).status).toBe(403);
      const path = `/api-keys/${about.key_id}`;
      expect((await client.send("DELETE", path, undefined, headers)).status).toBe(403);
    }
    const byNarrow = async (scopes: string[] | null) =>
      (
        await client.send(
          "POST",
          "/api-keys",
          { name: `n${Math.random()}`, scopes },
          withKey(narrow),
        )
      ).status;
    expect(await byNarrow(null)).toBe(403);
    expect(await byNarrow(["agents:a:run"])).toBe(403);
    expect(await byNarrow(["delete_chat_session", "agents:a:run"])).toBe(403);
    expect(await byNarrow(["send_message", "agents:b:run"])).toBe(403);
    expect(await byNarrow(["send_message"])).toBe(403);
    expect(await byNarrow(["send_message", "agents:ab*:run"])).toBe(200);
    expect((await revoke("nonsense")).status).toBe(404);
    expect((await revoke("019aab3e-7f1c-7c3a-9d52-0d6f4c1e8a11")).status).toBe(404);
  });

  it("is listed in pages", async () => {
    const seen: string[] = [];
    let cursor = "";
    do {
      const { body } = await client.get<{
        api_keys: { key_id: string }[];
        pagination: { next_cursor: string | null };
      }>(`/api-keys?limit=2&include_ended=true${cursor}`, admin);
      seen.push(...body.api_keys.map(({ key_id: id }) => id));
      cursor = body.pagination.next_cursor === null ? "" : `&cursor=${body.pagination.next_cursor}`;
    } while (cursor !== "");
    expect(new Set(seen).size).toBe(seen.length);
    expect([...seen].sort().toReversed()).toEqual(seen);
    expect(seen.length).toBeGreaterThan(7);
    expect((await client.get("/api-keys?cursor=abc", admin)).status).toBe(422);
  });

  it("is made, listed and revoked in the terminal", async () => {
    const { key: operator } = await make({ name: "operator", roles: ["admin"] });
    const loaded = loadConfig({ environment: {}, cwd: "/" });
    if (!loaded.ok) throw new Error(loaded.faults.join());
    process.env["CHAT_API_KEY"] = operator;
    const run = async (...args: string[]) => {
      const { terminal, seen } = captureTerminal();
      const code = await runKeys(loaded.config, [...args, "--url", client.url], terminal);
      return { code, out: seen.output };
    };
    const made = await run("make", "cli", "--scope", "send_message", "--expires", "30d");
    expect(made.out).toMatch(/^csk_[\w-]{43}\n$/);
    const listed = await run();
    const line = listed.out.split("\n").find((each) => each.includes(made.out.slice(0, 10)));
    expect(line).toMatch(/ {2}cli {2}user cli {2}scopes send_message {2}until .* {2}used never$/);
    const id = line?.split(" ")[0] ?? "";
    expect((await run("revoke", id)).out).toContain("revoked ");
    expect(await status(client, made.out.trim())).toBe(401);
    for (const wrong of [["make"], ["revoke"], ["list", "x"], ["make", "a", "--expires", "1y"]]) {
      expect((await run(...wrong)).code).toBe(2);
    }
    delete process.env["CHAT_API_KEY"];
  });
});
