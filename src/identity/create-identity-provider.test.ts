import { createHash } from "node:crypto";
import { SignJWT } from "jose";
import { expect, test } from "vitest";
import { startBaseService } from "../../test/support/base-service-server.ts";
import { createMemoryCache } from "../cache/memory.ts";
import { loadConfig } from "../config/load-config.ts";
import type { Config } from "../config/settings.ts";
import { silentLogger, type Logger } from "../telemetry/logger.ts";
import { createIdentityProvider } from "./create-identity-provider.ts";

const secret = "a-secret-of-this-test-that-is-long-enough";

function configOf(environment: Record<string, string>): Config {
  const loaded = loadConfig({ environment, cwd: import.meta.dirname });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded));
  return loaded.config;
}

/** As if the loader had let it through. */
function changed(config: Config, section: keyof Config, values: object): Config {
  return { ...config, [section]: { ...config[section], ...values } };
}

function provide(config: Config, log: Logger = silentLogger) {
  return createIdentityProvider(config, { cache: createMemoryCache(), log });
}

function warnings(config: Config): readonly string[] {
  const lines: string[] = [];
  provide(config, { ...silentLogger, warn: (_fields, message) => lines.push(message) });
  return lines;
}

test("each mode gets its provider", async () => {
  expect(provide(configOf({})).mode).toBe("open");
  expect(await provide(configOf({})).authenticate({ authorization: "Bearer x" })).toBeNull();
  const jwt = configOf({ AUTH_MODE: "jwt", SECURITY_SECRET_KEY: secret });
  expect(provide(jwt).mode).toBe("jwt");
  const base = configOf({ AUTH_MODE: "base-service", BASE_SERVICE_URL: "http://127.0.0.1:1" });
  expect(provide(base).mode).toBe("base-service");
});

test("open in production is refused unless it is wanted, and then it is said aloud", () => {
  const open = changed(configOf({}), "service", { environment: "production" });
  expect(() => provide(open)).toThrow("refused in production");
  const wanted = changed(open, "auth", { allow_open_in_production: true });
  expect(warnings(wanted)).toEqual([expect.stringContaining("everybody may act as any user")]);
});

test("a mode without what it needs is refused", () => {
  expect(() => provide(changed(configOf({}), "auth", { mode: "jwt" }))).toThrow(/secret_key/);
  expect(() => provide(changed(configOf({}), "auth", { mode: "base-service" }))).toThrow(/url/);
  const empty = changed(configOf({}), "auth", { mode: "jwt" });
  expect(() => provide(changed(empty, "security", { secret_key: "" }))).toThrow(/empty/);
});

test("a weak secret is refused in production, and warned of elsewhere", () => {
  const published = configOf({ AUTH_MODE: "jwt", SECURITY_SECRET_KEY: "your-secret-key-here" });
  expect(warnings(published)).toEqual([expect.stringContaining("published")]);
  expect(() => provide(changed(published, "service", { environment: "production" }))).toThrow(
    /^(?!.*your-secret).*published/,
  );
  expect(warnings(configOf({ AUTH_MODE: "jwt", SECURITY_SECRET_KEY: secret }))).toEqual([]);
});

test("jwt: everybody may chat, an admin or whoever has the permission may manage", async () => {
  const provider = provide(configOf({ AUTH_MODE: "jwt", SECURITY_SECRET_KEY: secret }));
  const who = async (claims: object) => {
    const token = await new SignJWT({ sub: "alice", ...claims })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("5m")
      .sign(Buffer.from(secret));
    return (await provider.authenticate({ authorization: `Bearer ${token}` }))!;
  };
  const user = await who({ roles: ["user", "Admin", "administrator"] });
  await provider.authorize(user, "send_message");
  await expect(provider.authorize(user, "manage_sessions")).rejects.toMatchObject({ status: 403 });
  await provider.authorize(await who({ roles: ["admin"] }), "manage_sessions");
  await provider.authorize(await who({ permissions: ["manage_sessions"] }), "manage_sessions");
  await provider.close();
  await provider.close();
});

test("base-service: keys need no Base Service, tokens do; prefix and secret are used", async () => {
  const server = await startBaseService({ prefix: "/base" });
  server.setUser("opaque", { id: "bob", username: "Bob", role: "user" });
  const provider = provide(
    configOf({
      AUTH_MODE: "base-service",
      BASE_SERVICE_URL: server.url,
      BASE_SERVICE_PREFIX: "/base",
      SECURITY_SECRET_KEY: secret,
      AUTH_API_KEYS: JSON.stringify([
        {
          name: "reports",
          sha256: createHash("sha256").update("the-key").digest("hex"),
          user_id: "reports",
        },
      ]),
    }),
  );
  const key = (await provider.authenticate({ apiKey: "the-key" }))!;
  expect(key).toMatchObject({ kind: "api_key", userId: "reports" });
  await provider.authorize(key, "send_message");
  const token = await new SignJWT({ user_id: "carol" })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("5m")
    .sign(Buffer.from(secret));
  const carol = await provider.authenticate({ authorization: `Bearer ${token}` });
  expect(carol).toMatchObject({ kind: "token", userId: "carol" });
  expect(server.requests.length).toBe(0);
  const bob = (await provider.authenticate({ authorization: "Bearer opaque" }))!;
  expect(bob.userId).toBe("bob");
  await provider.authorize(bob, "send_message");
  expect(server.requests.map(({ path }) => path)).toEqual([
    "/base/auth/me",
    "/base/permissions/check",
  ]);
  await server.stop();
});
