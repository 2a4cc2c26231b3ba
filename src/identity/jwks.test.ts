import { exportJWK, SignJWT, type CryptoKey, type JWK } from "jose";
import { afterEach, expect, test } from "vitest";
import type { Logger } from "../telemetry/logger.ts";
import { silentLogger } from "../telemetry/logger.ts";
import {
  makeSigningKey,
  startJwksServer,
  type JwksServer,
} from "../../test/support/jwks-server.ts";
import { createKeySet } from "./jwks.ts";
import { createJwtVerifier, type JwtVerifier } from "./jwt-verifier.ts";

const first = await makeSigningKey("RS256", "first");
const second = await makeSigningKey("RS256", "second");
const minute = 60_000;

const servers: JwksServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

/** A verifier with a clock that stands until it is moved. */
async function setUp(...keys: readonly JWK[]) {
  const server = await startJwksServer(...keys);
  servers.push(server);
  let nowMs = 1_000_000;
  const keySet = createKeySet({ url: server.jwksUrl, log: silentLogger, now: () => nowMs });
  const verifier = createJwtVerifier({
    secretKey: null,
    keySet,
    issuer: null,
    audience: null,
    clockSkewSeconds: 60,
  });
  return {
    server,
    keySet,
    verifier,
    pass(milliseconds: number) {
      nowMs += milliseconds;
    },
  };
}

function tokenBy(key: { privateKey: CryptoKey }, kid?: string): Promise<string> {
  return new SignJWT({ sub: "alice" })
    .setProtectedHeader({ alg: "RS256", ...(kid === undefined ? {} : { kid }) })
    .setExpirationTime("10m")
    .sign(key.privateKey);
}

const outcomeOf = async (verifier: JwtVerifier, token: string): Promise<string> => {
  try {
    return (await verifier.verify(token)).userId;
  } catch (error) {
    return `${(error as { status: number }).status}`;
  }
};

test("many at once, before any key is known, cause one fetch", async () => {
  const { server, verifier } = await setUp(first.jwk);
  const token = await tokenBy(first, "first");
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcomeOf(verifier, token)));
  expect(new Set(outcomes)).toEqual(new Set(["alice"]));
  expect(server.requests.length).toBe(1);
});

test("a flood of unknown kids causes one fetch in 30 s", async () => {
  const { server, keySet, verifier, pass } = await setUp(first.jwk);
  await keySet.warm();
  const flood = async (from: number) => {
    const tokens = await Promise.all(
      Array.from({ length: 40 }, (_, index) => tokenBy(second, `invented ${from + index}`)),
    );
    // At once and one after the other.
    expect(new Set(await Promise.all(tokens.map((token) => outcomeOf(verifier, token))))).toEqual(
      new Set(["401"]),
    );
    for (const token of tokens) expect(await outcomeOf(verifier, token)).toBe("401");
  };
  await flood(0);
  expect(server.requests.length).toBe(2);
  pass(29_999);
  await flood(100);
  expect(server.requests.length).toBe(2);
  pass(1);
  await flood(200);
  expect(server.requests.length).toBe(3);
  expect(await outcomeOf(verifier, await tokenBy(first, "first"))).toBe("alice");
});

test("a flood while the issuer is down is bounded as well, and known keys stay good", async () => {
  const { server, keySet, verifier, pass } = await setUp(first.jwk);
  await keySet.warm();
  server.fail("error");
  for (let seconds = 0; seconds < 60; seconds++) {
    expect(await outcomeOf(verifier, await tokenBy(second, `invented ${seconds}`))).toBe("401");
    expect(await outcomeOf(verifier, await tokenBy(first, "first"))).toBe("alice");
    pass(1_000);
  }
  expect(server.requests.length).toBe(1 + 2);
});

test("a key that the issuer begins to use is found at once, the old one stays good beside it", async () => {
  const { server, keySet, verifier } = await setUp(first.jwk);
  await keySet.warm();
  server.publish(first.jwk, second.jwk);
  expect(await outcomeOf(verifier, await tokenBy(second, "second"))).toBe("alice");
  expect(await outcomeOf(verifier, await tokenBy(first, "first"))).toBe("alice");
  expect(server.requests.length).toBe(2);
});

test("a key that was withdrawn is refused after the next look", async () => {
  const { server, keySet, verifier, pass } = await setUp(first.jwk, second.jwk);
  await keySet.warm();
  server.publish(second.jwk);
  const token = await tokenBy(first, "first");
  expect(await outcomeOf(verifier, token)).toBe("alice");
  pass(21 * minute);
  expect(await outcomeOf(verifier, token)).toBe("401");
});

test("keys a little out of date are used while they are fetched anew", async () => {
  const { server, keySet, verifier, pass } = await setUp(first.jwk);
  await keySet.warm();
  pass(11 * minute);
  server.fail("slow");
  const asked = server.nextRequest();
  expect(await outcomeOf(verifier, await tokenBy(first, "first"))).toBe("alice");
  await asked;
  server.recover();
  await keySet.warm();
});

test.each(["error", "garbage", "reset", "redirect", "endless"] as const)(
  "keys stay good while the issuer answers with %s, for a day",
  async (fault) => {
    const { server, keySet, verifier, pass } = await setUp(first.jwk);
    await keySet.warm();
    server.fail(fault);
    const token = await tokenBy(first, "first");
    for (const minutes of [11, 30, 5 * 60, 18 * 60]) {
      pass(minutes * minute);
      expect(await outcomeOf(verifier, token)).toBe("alice");
    }
    pass(60 * minute);
    expect(await outcomeOf(verifier, token)).toBe("503");
    server.recover();
    pass(minute);
    expect(await outcomeOf(verifier, token)).toBe("alice");
  },
);

test("an issuer that is gone from the beginning: 503 with Retry-After, then soon in", async () => {
  const { server, verifier, pass } = await setUp(first.jwk);
  await server.stop();
  const token = await tokenBy(first, "first");
  await expect(verifier.verify(token)).rejects.toMatchObject({
    type: "storage_unavailable",
    status: 503,
    retryAfterSeconds: expect.any(Number),
  });
  await server.start();
  expect(await outcomeOf(verifier, token)).toBe("503");
  expect(server.requests.length).toBe(0);
  pass(1_000);
  expect(await outcomeOf(verifier, token)).toBe("alice");
});

test("without any keys the pauses grow to 30 s", async () => {
  const { server, verifier, pass } = await setUp(first.jwk);
  server.fail("error");
  const token = await tokenBy(first, "first");
  for (let seconds = 0; seconds < 300; seconds++) {
    expect(await outcomeOf(verifier, token)).toBe("503");
    pass(1_000);
  }
  // 0, 1, 3, 7, 15, 31, then every 30 s.
  expect(server.requests.length).toBe(6 + 8);
});

test("a set that is empty, no list or much too long does not replace the keys", async () => {
  const { server, keySet, verifier, pass } = await setUp(first.jwk);
  await keySet.warm();
  const token = await tokenBy(first, "first");
  for (const keys of [[], Array.from({ length: 101 }, () => second.jwk)]) {
    server.publish(...keys);
    pass(21 * minute);
    expect(await outcomeOf(verifier, token)).toBe("alice");
  }
});

test("a private key in the set is used for nothing", async () => {
  const { privateKey } = first;
  const { verifier } = await setUp({ ...(await exportJWK(privateKey)), kid: "first" });
  expect(await outcomeOf(verifier, await tokenBy(first, "first"))).toBe("401");
});

test("without a kid every key that fits is tried, four at most", async () => {
  const others = await Promise.all(["a", "b", "c", "d"].map((kid) => makeSigningKey("RS256", kid)));
  const { verifier } = await setUp(others[0]!.jwk, first.jwk);
  expect(await outcomeOf(verifier, await tokenBy(first))).toBe("alice");
  const many = await setUp(...others.map(({ jwk }) => jwk), first.jwk);
  expect(await outcomeOf(many.verifier, await tokenBy(first))).toBe("401");
});

test("an RSA key that is too short is no key", async () => {
  const weak = await crypto.subtle.generateKey(
    {
      name: "RSASSA-PKCS1-v1_5",
      modulusLength: 1024,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-256",
    },
    true,
    ["sign", "verify"],
  );
  const jwk = { ...(await crypto.subtle.exportKey("jwk", weak.publicKey)), kid: "weak" } as JWK;
  const { verifier } = await setUp(jwk);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${encode({ alg: "RS256", kid: "weak" })}.${encode({ sub: "alice", exp: 4e9 })}`;
  const signature = await crypto.subtle.sign(
    "RSASSA-PKCS1-v1_5",
    weak.privateKey,
    Buffer.from(input),
  );
  const token = `${input}.${Buffer.from(signature).toString("base64url")}`;
  expect(await outcomeOf(verifier, token)).toBe("401");
});

test("outages are logged when they begin and when they end, not in between", async () => {
  const server = await startJwksServer(first.jwk);
  servers.push(server);
  const lines: string[] = [];
  const log: Logger = {
    ...silentLogger,
    info: (_fields, message) => lines.push(message),
    warn: (_fields, message) => lines.push(message),
  };
  const keySet = createKeySet({ url: server.jwksUrl, log });
  server.fail("error");
  await keySet.warm();
  await keySet.warm();
  server.recover();
  await keySet.warm();
  await keySet.warm();
  await expect
    .poll(() => lines)
    .toEqual([
      "the issuer of the tokens is away: status 500; trying again",
      "the issuer of the tokens is back",
    ]);
});
