import { createHmac } from "node:crypto";
import {
  base64url,
  EncryptJWT,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
} from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMemoryCache } from "../cache/memory.ts";
import { loadConfig } from "../config/load-config.ts";
import type { Problem } from "../problems/problem.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { makeSigningKey, startJwksServer } from "../../test/support/jwks-server.ts";
import { createIdentityProvider } from "./create-identity-provider.ts";
import { readCredentials } from "./credentials.ts";
import type { IdentityProvider } from "./identity.ts";

const secretKey = "a-secret-of-this-test-that-is-long-enough";
const secret = Buffer.from(secretKey);
const rsa = await makeSigningKey("RS256", "rsa");
const ec = await makeSigningKey("ES256", "ec");
const ed = await makeSigningKey("EdDSA", "ed");
const encryptionKey = await makeSigningKey("RS256", "enc");
const attacker = await makeSigningKey("RS256", "rsa");
const rsaPem = await exportSPKI(rsa.publicKey);

const nowSeconds = Math.floor(Date.now() / 1000);
const good = {
  user_id: "alice",
  roles: ["user"],
  type: "access",
  iss: "zzdsj-gateway",
  aud: "zzdsj-services",
  iat: nowSeconds,
  exp: nowSeconds + 600,
};

type Claims = Record<string, unknown>;
type Header = Record<string, unknown>;

const encode = (value: unknown) =>
  base64url.encode(typeof value === "string" ? value : JSON.stringify(value));

/** Signs whatever it is given, as a library would refuse to. */
function hmac(header: Header | string, claims: unknown, key: string | Buffer = secret): string {
  const input = `${encode(header)}.${encode(claims)}`;
  const hash = String((header as Header)["alg"]).replace(/^HS(\d+)$/i, "sha$1");
  const algorithm = /^sha(256|384|512)$/.test(hash) ? hash : "sha256";
  return `${input}.${createHmac(algorithm, key).update(input).digest("base64url")}`;
}

async function sign(
  claims: Claims,
  header: Header = {},
  key: CryptoKey = rsa.privateKey,
): Promise<string> {
  const signer = new SignJWT(claims);
  return signer.setProtectedHeader({ alg: "RS256", kid: "rsa", ...header }).sign(key);
}

const hs = { alg: "HS256", typ: "JWT" };
const bearer = (token: string) => ["Authorization", `Bearer ${token}`];
const without = (name: keyof typeof good) => {
  const { [name]: _left, ...rest } = good;
  return rest;
};

let jwks: Awaited<ReturnType<typeof startJwksServer>>;
let provider: IdentityProvider;

beforeAll(async () => {
  jwks = await startJwksServer(
    rsa.jwk,
    ec.jwk,
    ed.jwk,
    { ...encryptionKey.jwk, use: "enc" },
    { kty: "oct", kid: "symmetric", k: base64url.encode("published"), alg: "HS256" },
  );
  const loaded = loadConfig({
    environment: {
      AUTH_MODE: "jwt",
      SECURITY_SECRET_KEY: secretKey,
      SECURITY_JWKS_URL: jwks.jwksUrl,
      SECURITY_ISSUER: "zzdsj-gateway",
      SECURITY_AUDIENCE: "zzdsj-services",
    },
    cwd: import.meta.dirname,
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded));
  provider = createIdentityProvider(loaded.config, {
    cache: createMemoryCache(),
    log: silentLogger,
  });
});

afterAll(async () => {
  await provider.close();
  await jwks.stop();
});

async function refusalOf(rawHeaders: readonly string[]): Promise<Problem<"unauthorized">> {
  try {
    const identity = await provider.authenticate(readCredentials(rawHeaders));
    throw new Error(`let in as ${JSON.stringify(identity)}`);
  } catch (error) {
    return error as Problem<"unauthorized">;
  }
}

type Forge = () => string | readonly string[] | Promise<string | readonly string[]>;

const forged: Record<string, Forge> = {
  // Who signed it
  "no signature, alg none": () => `${encode({ alg: "none" })}.${encode(good)}.`,
  "alg none with a signature": () => hmac({ alg: "none" }, good),
  "alg None": () => hmac({ alg: "None" }, good),
  "alg nOnE and no typ": () => `${encode({ alg: "nOnE" })}.${encode(good)}.`,
  "alg empty": () => hmac({ alg: "" }, good),
  "alg missing": () => hmac({ typ: "JWT" }, good),
  "alg a number": () => hmac({ alg: 256 }, good),
  "alg a list": () => hmac({ alg: ["HS256"] }, good),
  "alg in lower case": () => hmac({ alg: "hs256" }, good),
  "HS384 with the right secret": () => hmac({ alg: "HS384" }, good),
  "HS512 with the right secret": () => hmac({ alg: "HS512" }, good),
  "HS256 with another secret": () => hmac(hs, good, "another secret of the same length....."),
  "HS256 with an empty secret": () => hmac(hs, good, ""),
  "HS256 with the RSA public key in PEM": () => hmac({ ...hs, kid: "rsa" }, good, rsaPem),
  "the same, trimmed": () => hmac({ ...hs, kid: "rsa" }, good, rsaPem.trim()),
  "HS256 with the modulus as secret": () =>
    hmac({ ...hs, kid: "rsa" }, good, Buffer.from(base64url.decode((rsa.jwk as { n: string }).n))),
  "HS256 with the JWK as secret": () => hmac({ ...hs, kid: "rsa" }, good, JSON.stringify(rsa.jwk)),
  "HS256 with a symmetric key that the set publishes": () =>
    hmac({ ...hs, kid: "symmetric" }, good, "published"),
  "RS256 by another key under the right kid": () => sign(good, {}, attacker.privateKey),
  "RS256 by another key without a kid": () => sign(good, { kid: undefined }, attacker.privateKey),
  "RS256 by a key that is there for encryption": () =>
    sign(good, { kid: "enc" }, encryptionKey.privateKey),
  "an unknown kid": () => sign(good, { kid: "unknown" }, attacker.privateKey),
  "a kid that is a path": () => sign(good, { kid: "../../dev/null" }, attacker.privateKey),
  "a kid that is SQL": () => sign(good, { kid: "' UNION SELECT 'k" }, attacker.privateKey),
  "a kid of a kilobyte": () => sign(good, { kid: "k".repeat(1024) }, attacker.privateKey),
  "a kid that is no text": () => sign(good, { kid: 1 }, attacker.privateKey),
  "the key of another kind by its kid": () => sign(good, { kid: "ec" }, attacker.privateKey),
  "its own key as jwk": async () =>
    sign(good, { jwk: await exportJWK(attacker.publicKey), kid: undefined }, attacker.privateKey),
  "its own key as jku": () =>
    sign(good, { jku: `${jwks.url}/attacker.json`, kid: "evil" }, attacker.privateKey),
  "its own key as x5u": () =>
    sign(good, { x5u: `${jwks.url}/attacker.pem`, kid: "evil" }, attacker.privateKey),
  "its own key as x5c": () => sign(good, { x5c: ["MIIB"], kid: "evil" }, attacker.privateKey),
  "PS256 by another key": async () => {
    const { privateKey } = await generateKeyPair("PS256");
    return sign(good, { alg: "PS256" }, privateKey);
  },
  "ES256 by another key": async () =>
    sign(good, { alg: "ES256", kid: "ec" }, (await makeSigningKey("ES256")).privateKey),
  "ES256 with a signature of zeros": async () => {
    const [header, payload] = (await sign(good, { alg: "ES256", kid: "ec" }, ec.privateKey)).split(
      ".",
    );
    return `${header}.${payload}.${base64url.encode(new Uint8Array(64))}`;
  },
  "EdDSA by another key": async () =>
    sign(good, { alg: "EdDSA", kid: "ed" }, (await makeSigningKey("EdDSA")).privateKey),
  "encrypted instead of signed": async () =>
    new EncryptJWT(good)
      .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
      .encrypt(new Uint8Array(32)),

  // What was done to it
  "claims changed after signing": async () => {
    const [header, , signature] = (await sign(good)).split(".");
    return `${header}.${encode({ ...good, user_id: "root", roles: ["admin"] })}.${signature}`;
  },
  "header changed after signing": async () => {
    const [, payload, signature] = (await sign(good)).split(".");
    return `${encode({ alg: "RS256", kid: "rsa", x: 1 })}.${payload}.${signature}`;
  },
  "signature cut": () => hmac(hs, good).slice(0, -4),
  "signature missing": () => hmac(hs, good).replace(/\.[^.]*$/, ""),
  "signature empty": () => hmac(hs, good).replace(/[^.]*$/, ""),
  "four parts": () => `${hmac(hs, good)}.${encode({})}`,
  "padded with =": () => `${hmac(hs, good)}=`,
  "standard instead of url alphabet": () => hmac(hs, good).replace(/.$/, "+"),
  "a blank within": () => hmac(hs, good).replace(".", ". "),
  "a line break within": () => hmac(hs, good).replace(".", ".%0a"),
  quoted: () => `"${hmac(hs, good)}"`,
  "a header that is no JSON": () => `${encode("{alg")}.${encode(good)}.${encode("s")}`,
  "claims that are no JSON": () => hmac(hs, "alice"),
  "claims that are a list": () => hmac(hs, [good]),
  "claims that are null": () => hmac(hs, "null"),
  "unencoded payload (b64 false)": () => hmac({ ...hs, b64: false, crit: ["b64"] }, good),
  "a critical extension nobody knows": () => hmac({ ...hs, crit: ["exp"], exp: 1 }, good),
  "a logout token by its typ": () => hmac({ ...hs, typ: "logout+jwt" }, good),
  "a proof of possession by its typ": () => hmac({ ...hs, typ: "dpop+jwt" }, good),
  huge: () => hmac(hs, { ...good, padding: "x".repeat(20_000) }),

  // When and for whom it is
  expired: () => sign({ ...good, exp: nowSeconds - 120 }),
  "expired ages ago": () => hmac(hs, { ...good, exp: 1 }),
  "without exp": () => hmac(hs, without("exp")),
  "exp null": () => hmac(hs, { ...good, exp: null }),
  "exp a text": () => hmac(hs, { ...good, exp: String(good.exp) }),
  "exp without end": () => hmac(hs, JSON.stringify(good).replace(/"exp":\d+/, '"exp":1e999')),
  "exp in milliseconds": () => hmac(hs, { ...good, exp: Date.now() + 600_000 * 1_000_000 }),
  "not valid yet": () => hmac(hs, { ...good, nbf: nowSeconds + 600 }),
  "nbf a text": () => hmac(hs, { ...good, nbf: "0" }),
  "issued in the future": () => hmac(hs, { ...good, iat: nowSeconds + 600 }),
  "another audience": () => sign({ ...good, aud: "another-service" }),
  "a longer audience": () => sign({ ...good, aud: "zzdsj-services-staging" }),
  "no audience": () => sign(without("aud")),
  "an empty list of audiences": () => sign({ ...good, aud: [] }),
  "another issuer": () => sign({ ...good, iss: "https://attacker.example" }),
  "a longer issuer": () => sign({ ...good, iss: "zzdsj-gateway.attacker.example" }),
  "a list of issuers": () => sign({ ...good, iss: ["zzdsj-gateway"] }),
  "no issuer": () => sign(without("iss")),

  // What it is for
  "a refresh token": () => hmac(hs, { ...good, type: "refresh" }),
  "a refresh token in capitals": () => hmac(hs, { ...good, type: "REFRESH" }),
  "a token of an unknown type": () => hmac(hs, { ...good, type: "internal_token" }),
  "type null": () => hmac(hs, { ...good, type: null }),
  "type a list": () => hmac(hs, { ...good, type: ["access", "refresh"] }),
  "an identity token (typ)": () => hmac(hs, { ...without("type"), typ: "ID" }),
  "a refresh token (typ)": () => hmac(hs, { ...without("type"), typ: "Refresh" }),
  "an identity token (token_use)": () => hmac(hs, { ...without("type"), token_use: "id" }),

  // Whose it is
  "nobody's": () => hmac(hs, without("user_id")),
  "an empty user": () => hmac(hs, { ...good, user_id: "" }),
  "an empty user beside a sub": () => hmac(hs, { ...good, user_id: "", sub: "alice" }),
  "an empty sub": () => hmac(hs, { ...without("user_id"), sub: "" }),
  "a user of blanks": () => hmac(hs, { ...good, user_id: "   " }),
  "a user with a blank at the end": () => hmac(hs, { ...good, user_id: "alice " }),
  "a user of 129 characters": () => hmac(hs, { ...good, user_id: "u".repeat(129) }),
  "a user who is written backwards": () => hmac(hs, { ...good, user_id: "\u202Ealice" }),
  "a user with a space of no width": () => hmac(hs, { ...good, user_id: "alice\u200B" }),
  "a user on two lines": () => hmac(hs, { ...good, user_id: "alice\u2028" }),
  "a user with a NUL": () => hmac(hs, { ...good, user_id: "alice\u0000" }),
  "a user with a line break": () => hmac(hs, { ...good, user_id: "alice\nroot" }),
  "half a character": () => hmac(hs, { ...good, user_id: "alice\ud800" }),
  "a user that is a list": () => hmac(hs, { ...good, user_id: ["alice"] }),
  "a user that is an object": () => hmac(hs, { ...good, user_id: { $ne: null } }),
  "a user that is true": () => hmac(hs, { ...good, user_id: true }),
  "a negative user": () => hmac(hs, { ...good, user_id: -1 }),
  "a user that is a fraction": () => hmac(hs, { ...good, user_id: 1.5 }),

  // How it comes
  "under another scheme": () => ["Authorization", `Basic ${hmac(hs, good)}`],
  "without a scheme": () => ["Authorization", hmac(hs, good)],
  "as a Token": () => ["Authorization", `Token ${hmac(hs, good)}`],
  "a scheme and nothing": () => ["Authorization", "Bearer"],
  "a scheme that runs on": () => ["Authorization", `BearerBearer ${hmac(hs, good)}`],
  "two tokens in one header": () => [
    "Authorization",
    `Bearer ${hmac(hs, good)}, Bearer ${hmac(hs, good)}`,
  ],
  "two headers": () => [...bearer(hmac(hs, good)), ...bearer(hmac(hs, good))],
  "two headers, spelt differently": () => [
    ...bearer(hmac(hs, good)),
    "authorization",
    `Bearer ${hmac(hs, { ...good, user_id: "root" })}`,
  ],
  "beside an empty header": () => ["authorization", "", ...bearer(hmac(hs, good))],
  "as X-API-Key": () => ["X-API-Key", hmac(hs, good)],
  "as a cookie": () => ["Cookie", `access_token=${hmac(hs, good)}`],
  "as Proxy-Authorization": () => ["Proxy-Authorization", `Bearer ${hmac(hs, good)}`],
  "as X-Authorization": () => ["X-Authorization", `Bearer ${hmac(hs, good)}`],
  "as X-Internal-Token": () => ["X-Internal-Token", hmac(hs, good)],
  "a user in a header": () => ["X-User-Id", "alice", "X-User-Roles", "admin"],
  "nothing at all": () => [],
};

const expired = new Set(["expired", "expired ages ago"]);
const missing = new Set([
  "as X-API-Key",
  "as a cookie",
  "as Proxy-Authorization",
  "as X-Authorization",
  "as X-Internal-Token",
  "a user in a header",
  "nothing at all",
]);

test.each(Object.keys(forged))("refused: %s", async (name) => {
  const made = await forged[name]?.();
  const refusal = await refusalOf(typeof made === "string" ? bearer(made) : (made ?? []));
  expect(refusal).toMatchObject({ name: "Problem", type: "unauthorized", status: 401 });
  const reason = expired.has(name) ? "expired" : missing.has(name) ? "needs" : "not valid";
  expect(refusal.text("en")).toContain(reason);
});

test("there are at least sixty forged variants, and none of them has fetched what its header names", () => {
  expect(Object.keys(forged).length).toBeGreaterThanOrEqual(60);
  expect(jwks.requests.every(({ path }) => path === "/.well-known/jwks.json")).toBe(true);
});

test("no refusal carries the token or its claims to the log", async () => {
  for (const claims of [
    { ...good, user_id: "canary-user", aud: "other" },
    { ...good, exp: 1 },
  ]) {
    const token = hmac(hs, claims);
    const refusal = await refusalOf(bearer(token));
    const told = JSON.stringify([refusal.cause, String((refusal.cause as Error)?.stack)]);
    expect(told).not.toContain("canary-user");
    expect(told).not.toContain(token.slice(0, 20));
  }
});

const accepted: Record<string, [Forge, Claims]> = {
  "HS256 with the secret": [() => hmac(hs, good), { userId: "alice", roles: ["user"] }],
  "HS256 without typ": [() => hmac({ alg: "HS256" }, good), { userId: "alice" }],
  RS256: [() => sign(good), { userId: "alice", expiresAtMs: good.exp * 1000 }],
  "RS256 without kid": [() => sign(good, { kid: undefined }), { userId: "alice" }],
  "RS256 with a jku that is not looked at": [
    () => sign(good, { jku: "https://issuer.example/keys" }),
    { userId: "alice" },
  ],
  ES256: [() => sign(good, { alg: "ES256", kid: "ec" }, ec.privateKey), { userId: "alice" }],
  EdDSA: [() => sign(good, { alg: "EdDSA", kid: "ed" }, ed.privateKey), { userId: "alice" }],
  "at+jwt": [() => hmac({ alg: "HS256", typ: "at+jwt" }, good), { userId: "alice" }],
  "type access_token": [() => hmac(hs, { ...good, type: "access_token" }), { userId: "alice" }],
  "no type": [() => hmac(hs, without("type")), { userId: "alice" }],
  "sub instead of user_id": [
    () => hmac(hs, { ...without("user_id"), sub: "bob" }),
    { userId: "bob" },
  ],
  "user_id before sub": [() => hmac(hs, { ...good, sub: "name" }), { userId: "alice" }],
  "a number as user_id": [() => hmac(hs, { ...good, user_id: 42 }), { userId: "42" }],
  "128 characters": [
    () => hmac(hs, { ...good, user_id: "用".repeat(128) }),
    { userId: "用".repeat(128) },
  ],
  "several audiences": [
    () => hmac(hs, { ...good, aud: ["other", "zzdsj-services"] }),
    { userId: "alice" },
  ],
  "within the clock skew": [
    () => hmac(hs, { ...good, exp: nowSeconds - 20, nbf: nowSeconds + 20, iat: nowSeconds + 20 }),
    { userId: "alice" },
  ],
  "roles and permissions": [
    () => hmac(hs, { ...good, roles: ["admin", 7, "", null], permissions: ["chat:read"] }),
    { roles: ["admin"], permissions: ["chat:read"] },
  ],
  "roles that are no list": [() => hmac(hs, { ...good, roles: "admin" }), { roles: [] }],
  "the scheme in lower case": [
    () => ["authorization", `bearer ${hmac(hs, good)}`],
    { userId: "alice" },
  ],
};

test.each(Object.keys(accepted))("accepted: %s", async (name) => {
  const [make, expected] = accepted[name]!;
  const made = await make();
  const rawHeaders = typeof made === "string" ? bearer(made) : made;
  const identity = await provider.authenticate(readCredentials(rawHeaders));
  expect(identity).toMatchObject({ kind: "token", ...expected });
  expect(rawHeaders[1]).toContain(identity?.token);
});
