import { createHash } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

const secretKey = "a secret for tests, 32 bytes or more";
const apiKey = (name: string) => ({ "x-api-key": `the-key-of-${name}` });

describe("front ends that act for their users", () => {
  let service: TestService;
  let client: Client;
  let bearer: (sub: string, roles?: string[]) => Promise<Record<string, string>>;

  beforeAll(async () => {
    const key = (name: string, more: object) => ({
      name,
      sha256: createHash("sha256").update(`the-key-of-${name}`).digest("hex"),
      user_id: name,
      ...more,
    });
    service = await startService({
      env: {
        AUTH_MODE: "jwt",
        SECURITY_SECRET_KEY: secretKey,
        LIMITS_WRITE_RATE_LIMIT: "40",
        LIMITS_MESSAGE_RATE_LIMIT_PER_KEY: "20",
        AUTH_API_KEYS: JSON.stringify([
          key("webui", { acts_for_users: true }),
          key("libre", { acts_for_users: true }),
          key("crowd", { acts_for_users: true }),
          key("plain", {}),
          key("operator", { roles: ["admin"] }),
        ]),
      },
    });
    client = createClient(service.url);
    bearer = async (sub, roles = []) => ({
      authorization: `Bearer ${await new SignJWT({ sub, roles })
        .setProtectedHeader({ alg: "HS256" })
        .setExpirationTime("1h")
        .sign(new TextEncoder().encode(secretKey))}`,
    });
  });
  afterAll(() => service.stop());

  const create = async (headers: Record<string, string>) => {
    const made = await client.send<{ session_id: string }>("POST", "/chat/session", {}, headers);
    return { session_id: made.body.session_id, user_id: await ownerOf(made.body.session_id) };
  };
  const ownerOf = async (sessionId: string | null) => {
    const path = `/sessions/${sessionId}`;
    return (await client.get<{ user_id: string }>(path, apiKey("operator"))).body.user_id;
  };
  const read = async (sessionId: string, headers: Record<string, string>) =>
    (await client.get(`/sessions/${sessionId}`, headers)).status;
  const complete = async (headers: Record<string, string>, more: object = {}) => {
    const answer = await client.send(
      "POST",
      "/v1/chat/completions",
      { model: "general-chat", messages: [{ role: "user", content: "hi" }], store: true, ...more },
      headers,
    );
    return { status: answer.status, user: await ownerOf(answer.headers.get("x-session-id")) };
  };

  it("each of them has users of its own, on native paths too", async () => {
    const headers = { ...apiKey("webui"), "x-user-id": "alice" };
    const { session_id: id, user_id: user } = await create(headers);
    expect(user).toBe("via:webui:alice");
    expect(await read(id, headers)).toBe(200);
    expect(await read(id, { ...apiKey("webui"), "x-openwebui-user-id": "alice" })).toBe(200);
    for (const stranger of [
      { ...apiKey("webui"), "x-user-id": "bob" },
      { ...apiKey("libre"), "x-user-id": "alice" },
      { ...apiKey("plain"), "x-user-id": "alice" },
      { ...apiKey("plain"), "x-user-id": "via:webui:alice" },
      { ...apiKey("libre"), "x-user-id": "via:webui:alice" },
      apiKey("webui"),
      { ...(await bearer("alice")), "x-user-id": "via:webui:alice" },
    ]) {
      expect(await read(id, stranger)).toBe(404);
    }
    expect(await read(id, await bearer("via:webui:alice"))).toBe(401);
    expect(await read(id, apiKey("operator"))).toBe(200);
  });

  it("nobody becomes a user that there is, or an administrator", async () => {
    const { session_id: id } = await create(await bearer("root", ["admin"]));
    for (const name of ["root", "operator", "plain", "webui"]) {
      const headers = { ...apiKey("webui"), "x-user-id": name, "x-user-role": "admin" };
      expect(await read(id, headers)).toBe(404);
      expect((await create(headers)).user_id).toBe(`via:webui:${name}`);
      const cleanup = await client.send(
        "POST",
        "/sessions/cleanup",
        { days_threshold: 1, dry_run: true },
        headers,
      );
      expect(cleanup.status).toBe(403);
    }
    const named = await client.get("/sessions?user_id=root", {
      ...apiKey("webui"),
      "x-user-id": "root",
    });
    expect(named.status).toBe(403);
  });

  it("beside any other credential the headers mean nothing", async () => {
    const names = { "x-user-id": "alice", "x-openwebui-user-id": "bob" };
    expect((await create({ ...apiKey("plain"), ...names })).user_id).toBe("plain");
    expect((await create({ ...(await bearer("carol")), ...names })).user_id).toBe("carol");
    expect((await create({ ...apiKey("operator"), ...names })).user_id).toBe("operator");
    expect(await complete(apiKey("plain"), { user: "alice" })).toMatchObject({ user: "plain" });
  });

  it.each([
    ["user", {}, { user: "alice" }, "via:webui:alice"],
    ["safety_identifier", {}, { safety_identifier: "alice" }, "via:webui:alice"],
    ["both", {}, { user: "alice", safety_identifier: "bob" }, "via:webui:alice"],
    ["a header before them", { "x-user-id": "bob" }, { user: "alice" }, "via:webui:bob"],
    ["a blank header", { "x-user-id": " " }, { user: "alice" }, "via:webui:alice"],
    ["nobody", {}, {}, "webui"],
  ])("OpenAI's clients name the user: %s", async (_what, headers, body, user) => {
    expect(await complete({ ...apiKey("webui"), ...headers }, body)).toEqual({ status: 200, user });
    const answer = await client.send(
      "POST",
      "/v1/responses",
      { model: "general-chat", input: "hi", ...body },
      { ...apiKey("webui"), ...headers },
    );
    expect(answer.status).toBe(200);
    expect(await ownerOf(answer.headers.get("x-session-id"))).toBe(user);
  });

  it("the header's bytes are UTF-8, as the body's are", async () => {
    const bytes = Buffer.from("小明").toString("latin1");
    const answer = await create({ ...apiKey("webui"), "x-user-id": bytes });
    expect(answer.user_id).toBe("via:webui:小明");
    expect((await complete(apiKey("webui"), { user: "小明" })).user).toBe("via:webui:小明");
  });

  it("two names at once, and what is no name, are refused in the shape of the path", async () => {
    const twice = { ...apiKey("webui"), "x-user-id": "alice", "x-openwebui-user-id": "bob" };
    expect((await client.get("/sessions", twice)).body).toMatchObject({
      error: { type: "bad_request" },
    });
    const models = await client.get("/v1/models", twice);
    expect(models).toMatchObject({ status: 400, body: { error: { code: "bad_request" } } });
    expect(await complete(apiKey("webui"), { user: "x".repeat(129) })).toMatchObject({
      status: 400,
    });
  });

  it("rates are each user's own", async () => {
    const busy = { ...apiKey("libre"), "x-user-id": "busy" };
    const statuses = await Promise.all(
      Array.from({ length: 60 }, () =>
        client.send("POST", "/chat/session", {}, busy).then(({ status }) => status),
      ),
    );
    expect(statuses).toContain(429);
    const quiet = { ...apiKey("libre"), "x-user-id": "quiet" };
    expect((await client.send("POST", "/chat/session", {}, quiet)).status).toBe(200);
  });

  it("all users of one together have a rate of messages, whatever others do", async () => {
    const ask = (name: string, user: string) =>
      client
        .send(
          "POST",
          "/v1/chat/completions",
          { model: "general-chat", messages: [{ role: "user", content: "hi" }] },
          { ...apiKey(name), "x-user-id": user },
        )
        .then(({ status }) => status);
    const many = await Promise.all(
      Array.from({ length: 50 }, (_, index) => ask("crowd", `user ${index}`)),
    );
    expect(new Set(many)).toEqual(new Set([200, 429]));
    expect(await ask("webui", "somebody")).toBe(200);
  });

  it.each(["handshake", "first message"])("a socket acts too: key in its %s", async (way) => {
    const key = apiKey("webui")["x-api-key"];
    const socket = connectSocket(`${service.url}/chat/ws`, {
      "x-user-id": "dora",
      ...(way === "handshake" && { "x-api-key": key }),
    });
    if (way !== "handshake") {
      await new Promise((resolve) => socket.socket.once("open", resolve));
      socket.send({ type: "auth", token: key });
    }
    const hello = await socket.next(({ type }) => type === "connection_established");
    expect(hello["user_id"]).toBe("via:webui:dora");
    socket.socket.close();
  });

  it("what it costs is the user's", async () => {
    await complete(apiKey("libre"), { user: "erin" });
    const { body } = await client.get<{ total: unknown; groups: object[] }>(
      "/usage?user_id=via:libre:erin&group_by=agent",
      apiKey("operator"),
    );
    expect(JSON.stringify(body)).toContain("general-chat");
  });
});
