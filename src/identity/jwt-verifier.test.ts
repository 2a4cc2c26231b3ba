import { createSecretKey } from "node:crypto";
import { SignJWT } from "jose";
import { expect, test } from "vitest";
import { createJwtVerifier, type JwtVerifier } from "./jwt-verifier.ts";

const secretKey = "a-secret-of-this-test-that-is-long-enough";
const key = createSecretKey(Buffer.from(secretKey));
const skewSeconds = 5;
const issuedSeconds = 1_000_000;
const expirySeconds = issuedSeconds + 600;

const sign = (claims: Record<string, unknown> = {}) =>
  new SignJWT({ sub: "ann", iat: issuedSeconds, exp: expirySeconds, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(key);

/** Verifiers of one clock. */
function setUp() {
  let nowMs = issuedSeconds * 1000;
  const create = () =>
    createJwtVerifier({
      secretKey,
      keySet: null,
      issuer: null,
      audience: null,
      clockSkewSeconds: skewSeconds,
      now: () => nowMs,
    });
  return { create, at: (seconds: number) => (nowMs = seconds * 1000) };
}

const outcomeOf = (verifier: JwtVerifier, token: string) =>
  verifier.verify(token).then(
    ({ userId }) => userId,
    (error: unknown) => JSON.stringify(error),
  );

test("a token that was found to be good is not checked again", async () => {
  const verifier = setUp().create();
  const token = await sign();
  const first = await verifier.verify(token);
  expect(await verifier.verify(token)).toBe(first);
  expect(await verifier.verify(await sign({ roles: ["user"] }))).not.toBe(first);
});

test("one that is known is refused from when an unknown one is", async () => {
  const { create, at } = setUp();
  const [seen, token] = [create(), await sign()];
  await seen.verify(token);
  const outcomes = new Set<string>();
  for (const offset of [
    -1,
    -0.001,
    0,
    0.001,
    skewSeconds - 0.001,
    skewSeconds,
    skewSeconds + 0.5,
    skewSeconds + 1,
    600,
  ]) {
    at(expirySeconds + offset);
    const outcome = await outcomeOf(seen, token);
    expect(outcome, `${offset} s behind the expiry`).toBe(await outcomeOf(create(), token));
    outcomes.add(outcome);
  }
  expect(outcomes.size).toBe(2);
});

test("nothing beside one that is known is let in by it", async () => {
  const verifier = setUp().create();
  const token = await sign();
  await verifier.verify(token);
  const [header, claims, signature = ""] = token.split(".");
  const other = signature.startsWith("A") ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
  const [, others] = (await sign({ sub: "bob" })).split(".");
  for (const forged of [
    `${header}.${claims}.${other}`,
    `${header}.${others}.${signature}`,
    `${header}.${claims}.`,
    `${token}.`,
    ` ${token}`,
    `${token}=`,
  ]) {
    expect(await outcomeOf(verifier, forged)).toContain("unauthorized");
  }
});
