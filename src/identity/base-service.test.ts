import { createHash } from "node:crypto";
import { SignJWT } from "jose";
import { afterEach, expect, test } from "vitest";
import type { Cache } from "../cache/cache.ts";
import { createMemoryCache } from "../cache/memory.ts";
import { silentLogger } from "../telemetry/logger.ts";
import {
  startBaseService,
  type BaseServiceOptions,
  type BaseServiceServer,
} from "../../test/support/base-service-server.ts";
import { faultText, startJsonServer } from "../../test/support/json-server.ts";
import { createBaseServiceClient } from "./base-service-client.ts";
import { createBaseServiceIdentity } from "./base-service.ts";
import type { AccessContext, Action, Identity } from "./identity.ts";
import { createJwtVerifier } from "./jwt-verifier.ts";

const secret = "a-secret-of-this-test-that-is-long-enough";
const servers: BaseServiceServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

interface SetUp extends BaseServiceOptions {
  readonly onUnreachable?: "deny" | "allow_read";
  readonly secretKey?: string;
  readonly cache?: Cache;
  readonly timeoutMs?: number;
}

async function setUp(options: SetUp = {}) {
  const server = await startBaseService(options);
  servers.push(server);
  server.setUser("token-of-alice", { id: "alice", username: "Alice", role: "user" });
  const clock = { nowMs: Date.now() };
  const now = () => clock.nowMs;
  const provider = createBaseServiceIdentity({
    client: createBaseServiceClient({
      url: `${server.url}/`,
      prefix: options.prefix ?? "/api/v1",
      log: silentLogger,
      now,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    }),
    cache: options.cache ?? createMemoryCache({ now }),
    cacheTtlMs: 30_000,
    onUnreachable: options.onUnreachable ?? "deny",
    verifier:
      options.secretKey === undefined
        ? null
        : createJwtVerifier({
            secretKey: options.secretKey,
            keySet: null,
            issuer: null,
            audience: null,
            clockSkewSeconds: 60,
            now,
          }),
    clockSkewSeconds: 60,
    now,
  });
  const pass = (milliseconds: number) => {
    clock.nowMs += milliseconds;
  };
  const whoIs = async (token: string, context?: AccessContext): Promise<unknown> => {
    try {
      return (await provider.authenticate({ authorization: `Bearer ${token}` }, context))?.userId;
    } catch (error) {
      return (error as { status: number }).status;
    }
  };
  const may = async (action: Action, context?: AccessContext): Promise<unknown> => {
    const alice: Identity = { userId: "alice", roles: [], kind: "token", token: "token-of-alice" };
    try {
      await provider.authorize(alice, action, context);
      return true;
    } catch (error) {
      return (error as { status: number }).status;
    }
  };
  return { server, provider, pass, whoIs, may };
}

const reading = { readOnly: true };

test.each([
  ["me", "/api/v1"],
  ["verify", "/api/v1"],
  ["me", ""],
  ["verify", "/base"],
] as const)("asks who it is with %s below %j", async (who, prefix) => {
  const { server, provider, whoIs } = await setUp({ who, prefix });
  server.setUser("t", { id: 7, username: "b", role: "admin", permissions: ["x"] });
  server.setUser("limited", {
    id: 8,
    username: "l",
    role: "user",
    permissions: ["agents:a-*:run", "agents:b:read"],
  });
  expect(await provider.authenticate({ authorization: "Bearer t" })).toEqual({
    userId: "7",
    roles: ["admin"],
    permissions: ["x"],
    kind: "token",
    token: "t",
  });
  expect(await provider.authenticate({ authorization: "Bearer limited" })).toMatchObject({
    agents: ["a-*"],
  });
  expect(await whoIs("nobody's")).toBe(401);
  expect(await whoIs("nobodys-either")).toBe(401);
  // The spelling that worked is remembered.
  expect(server.count("/auth/me")).toBe(who === "me" ? 4 : 1);
});

test("passes the request's ids on", async () => {
  const { server, provider } = await setUp();
  const context = { requestId: "r-1", traceparent: "00-1-2-01" };
  const identity = await provider.authenticate({ authorization: "Bearer token-of-alice" }, context);
  await provider.authorize(identity!, "send_message", context);
  expect(
    server.requests.map(({ headers }) => [headers["x-request-id"], headers.traceparent]),
  ).toEqual([
    ["r-1", "00-1-2-01"],
    ["r-1", "00-1-2-01"],
  ]);
});

test("no token is 401 without asking", async () => {
  const { server, provider } = await setUp();
  for (const credentials of [{}, { authorization: "Basic x" }, { apiKey: "k" }]) {
    await expect(provider.authenticate(credentials)).rejects.toMatchObject({ status: 401 });
  }
  expect(server.requests.length).toBe(0);
});

test("identities are kept for the ttl, many at once ask once", async () => {
  const { server, pass, whoIs } = await setUp();
  const callers = await Promise.all(Array.from({ length: 50 }, () => whoIs("token-of-alice")));
  expect(new Set(callers)).toEqual(new Set(["alice"]));
  pass(29_999);
  expect(await whoIs("token-of-alice")).toBe("alice");
  expect(server.requests.length).toBe(1);
  server.setUser("token-of-alice", null);
  expect(await whoIs("token-of-alice")).toBe("alice");
  pass(1);
  expect(await whoIs("token-of-alice")).toBe(401);
});

test("a refusal is kept for 5 s", async () => {
  const { server, pass, whoIs } = await setUp();
  expect(await whoIs("new")).toBe(401);
  server.setUser("new", { id: "new", username: "n", role: "user" });
  expect(await whoIs("new")).toBe(401);
  pass(5_001);
  expect(await whoIs("new")).toBe("new");
});

test("nothing in the cache is a token or can be turned into one", async () => {
  const kept: string[] = [];
  const memory = createMemoryCache();
  const spy: Cache = {
    ...memory,
    read: (key) => memory.read((kept.push(key), key)),
    set: (key, value, ttlMs) => memory.set((kept.push(key, value), key), value, ttlMs),
    fill: (key, token, value, ttlMs) =>
      memory.fill((kept.push(key, value), key), token, value, ttlMs),
  };
  const { whoIs, may } = await setUp({ cache: spy });
  await whoIs("token-of-alice");
  await may("send_message");
  const hash = createHash("sha256").update("token-of-alice").digest("base64url");
  expect(kept.join("\n")).toContain(hash);
  expect(kept.join("\n")).not.toContain("token-of-alice");
});

test("what another version left in the cache is asked for anew", async () => {
  const cache = createMemoryCache();
  const hash = createHash("sha256").update("token-of-alice").digest("base64url");
  for (const text of ["{", "null", '{"user":{"userId":3},"atMs":9e15}', '{"atMs":"x"}']) {
    await cache.set(`identity:${hash}`, text, 60_000);
    const { whoIs } = await setUp({ cache });
    expect(await whoIs("token-of-alice")).toBe("alice");
    await cache.delete(`identity:${hash}`);
  }
});

test.each([
  ["data.has_permission", (is: boolean) => ({ data: { has_permission: is } })],
  ["data.allowed", (is: boolean) => ({ data: { allowed: is } })],
  ["allowed", (is: boolean) => ({ allowed: is })],
  ["has_permission", (is: boolean) => ({ has_permission: is })],
  ["all of them", (is: boolean) => ({ allowed: is, data: { allowed: is, has_permission: is } })],
])("understands the verdict %s, on both paths", async (_name, verdict) => {
  for (const permission of ["check", "check-permission"] as const) {
    const { server, may } = await setUp({ permission, verdict });
    server.forbid("alice", "delete_chat_session");
    expect(await may("send_message")).toBe(true);
    expect(await may("delete_chat_session")).toBe(403);
    const asked = server.requests.at(-1)!;
    expect(asked.headers.authorization).toBe("Bearer token-of-alice");
    expect(asked.body).toEqual({
      user_id: "alice",
      resource: "CHAT",
      resource_type: "CHAT",
      action: "delete_chat_session",
      context: { service: "chat-service", operation: "delete_chat_session" },
    });
  }
});

test.each([
  ["none", {}],
  ["a text", { allowed: "true" }],
  ["one", { allowed: 1 }],
  ["null", { allowed: null }],
  ["an object", { data: { allowed: {} } }],
  ["contradicting ones", { allowed: true, data: { has_permission: false } }],
  ["one that failed", { success: false, allowed: true }],
  ["another word", { permitted: true, data: "allowed" }],
])("a verdict that is %s is a no", async (_name, body) => {
  const { may } = await setUp({ verdict: () => body });
  expect(await may("send_message")).toBe(403);
});

test("verdicts are kept for the ttl, by action", async () => {
  const { server, pass, may } = await setUp();
  server.forbid("alice", "delete_chat_session");
  for (let round = 0; round < 3; round++) {
    expect(await may("send_message")).toBe(true);
    expect(await may("delete_chat_session")).toBe(403);
  }
  expect(server.count("/permissions/check")).toBe(2);
  server.forbid("alice", "send_message");
  pass(30_001);
  expect(await may("send_message")).toBe(403);
});

test("a token that is refused while permissions are asked is 401, and that is not kept", async () => {
  const { server, may } = await setUp();
  server.setUser("token-of-alice", null);
  expect(await may("send_message")).toBe(401);
  server.setUser("token-of-alice", { id: "alice", username: "Alice", role: "user" });
  expect(await may("send_message")).toBe(true);
});

test("a caller without a token may do nothing", async () => {
  const { provider } = await setUp();
  const nobody: Identity = { userId: "x", roles: ["admin"], kind: "open" };
  await expect(provider.authorize(nobody, "send_message")).rejects.toMatchObject({ status: 403 });
});

test.each(["error", "garbage", "reset", "redirect", "endless", "slow", "gone"] as const)(
  "a Base Service that is %s: 503 with Retry-After and nothing of its words; well again at once",
  async (fault) => {
    const { server, provider, whoIs, may } = await setUp({
      timeoutMs: fault === "slow" ? 500 : 5_000,
    });
    if (fault === "gone") await server.stop();
    else server.fail(fault);
    const asked = provider.authenticate({ authorization: "Bearer token-of-alice" }, reading);
    const problem = await asked.catch((error: unknown) => error);
    expect(problem).toMatchObject({
      type: "storage_unavailable",
      status: 503,
      retryAfterSeconds: 5,
    });
    expect((problem as Error).message).not.toContain(faultText);
    expect(await may("send_message")).toBe(503);
    expect(await may("access_chat_session", reading)).toBe(503);
    if (fault === "gone") await server.start();
    else server.recover();
    expect(await whoIs("token-of-alice")).toBe("alice");
    expect(await may("send_message")).toBe(true);
  },
);

test("no known path at all is 503, not a yes", async () => {
  const { server, whoIs, may } = await setUp({ prefix: "/elsewhere" });
  const { server: other, ...wrong } = await setUp({ prefix: "/api/v1" });
  expect(server.url).not.toBe(other.url);
  expect([await whoIs("token-of-alice"), await may("send_message")]).toEqual(["alice", true]);
  const lost = createBaseServiceIdentity({
    client: createBaseServiceClient({ url: server.url, prefix: "/nowhere", log: silentLogger }),
    cache: createMemoryCache(),
    cacheTtlMs: 30_000,
    onUnreachable: "deny",
    verifier: null,
    clockSkewSeconds: 60,
  });
  await expect(lost.authenticate({ authorization: "Bearer t" })).rejects.toMatchObject({
    status: 503,
  });
  expect(await wrong.whoIs("token-of-alice")).toBe("alice");
});

test("a peer that keeps failing is not asked for a while, then asked once", async () => {
  const { server, pass, whoIs } = await setUp();
  server.fail("error");
  for (let index = 0; index < 30; index++) expect(await whoIs(`token-${index}`)).toBe(503);
  expect(server.requests.length).toBe(5);
  server.recover();
  expect(await whoIs("token-of-alice")).toBe(503);
  pass(5_000);
  expect(await whoIs("token-of-alice")).toBe("alice");
  expect(server.requests.length).toBe(6);
});

test("allow_read: whoever was confirmed lately may go on reading, nobody else, nothing else", async () => {
  const { server, pass, whoIs, may } = await setUp({ onUnreachable: "allow_read" });
  expect(await whoIs("token-of-alice")).toBe("alice");
  await server.stop();
  pass(31_000);
  expect(await whoIs("token-of-alice", reading)).toBe("alice");
  expect(await may("access_chat_session", reading)).toBe(true);
  expect(await whoIs("token-of-alice")).toBe(503);
  expect(await whoIs("token-of-bob", reading)).toBe(503);
  expect(await may("access_chat_session")).toBe(503);
  expect(await may("send_message", reading)).toBe(503);
  pass(5 * 60_000);
  expect(await whoIs("token-of-alice", reading)).toBe(503);
});

test("allow_read does not revive a token that was refused since", async () => {
  const { server, pass, whoIs } = await setUp({ onUnreachable: "allow_read" });
  expect(await whoIs("token-of-alice")).toBe("alice");
  server.setUser("token-of-alice", null);
  pass(30_000);
  expect(await whoIs("token-of-alice", reading)).toBe(401);
  await server.stop();
  expect(await whoIs("token-of-alice", reading)).toBe(401);
  pass(6_000);
  expect(await whoIs("token-of-alice", reading)).toBe(503);
});

test("deny: nobody reads on what is out of date", async () => {
  const { server, pass, whoIs } = await setUp({ onUnreachable: "deny" });
  expect(await whoIs("token-of-alice", reading)).toBe("alice");
  await server.stop();
  expect(await whoIs("token-of-alice", reading)).toBe("alice");
  pass(30_000);
  expect(await whoIs("token-of-alice", reading)).toBe(503);
});

function jwt(claims: Record<string, unknown>, key = secret): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(key));
}

const later = Math.floor(Date.now() / 1000) + 3_600;

test("with the secret, tokens that are JWTs are checked here, and opaque ones are asked about", async () => {
  const { server, whoIs } = await setUp({ secretKey: secret });
  expect(await whoIs(await jwt({ user_id: "carol", exp: later }))).toBe("carol");
  expect(await whoIs(await jwt({ user_id: "carol", exp: later }, "another".repeat(6)))).toBe(401);
  expect(await whoIs(await jwt({ user_id: "carol", exp: later, type: "refresh" }))).toBe(401);
  expect(await whoIs(await jwt({ user_id: "carol", exp: 1 }))).toBe(401);
  expect(server.requests.length).toBe(0);
  expect(await whoIs("token-of-alice")).toBe("alice");
  expect(server.requests.length).toBe(1);
});

test("without it, JWTs are asked about, but not those that call themselves refresh tokens or expired", async () => {
  const { server, pass, whoIs } = await setUp();
  const token = await jwt({ user_id: "carol", exp: later });
  const refresh = await jwt({ user_id: "carol", exp: later, type: "refresh" });
  const old = await jwt({ user_id: "carol", exp: 1 });
  for (const each of [token, refresh, old]) {
    server.setUser(each, { id: "carol", username: "C", role: "user" });
  }
  expect(await whoIs(token)).toBe("carol");
  expect(await whoIs(refresh)).toBe(401);
  expect(await whoIs(old)).toBe(401);
  expect(server.requests.length).toBe(1);
  pass(3_700_000);
  expect(await whoIs(token)).toBe(401);
});

test.each([
  ["success false", { success: false, data: { id: "1" } }, 401],
  ["blocked", { success: true, data: { id: "1", is_active: false } }, 401],
  ["suspended", { success: true, data: { id: "1", status: "suspended" } }, 401],
  ["valid false", { valid: false, user_id: "1" }, 401],
  ["without a user", { success: true, data: {} }, 503],
  ["with a useless user", { success: true, data: { id: "" } }, 401],
  ["with half a character", { data: { id: "\ud800" } }, 401],
  ["a list", [], 503],
  ["without an envelope", { id: "bare", roles: ["admin"] }, "bare"],
  ["by sub", { data: { sub: "by-sub" } }, "by-sub"],
  ["user_id before id", { data: { id: "record-5", user_id: "u5" } }, "u5"],
])("an answer that is %s", async (_name, body, expected) => {
  const server = await startJsonServer(() => ({ status: 200, body }));
  servers.push(server as BaseServiceServer);
  const client = createBaseServiceClient({ url: server.url, prefix: "", log: silentLogger });
  const outcome = await client.whoIs("t").then(
    (user) => user?.userId ?? 401,
    () => 503,
  );
  expect(outcome).toBe(expected);
});
