import { createSecretKey, type KeyObject } from "node:crypto";
import { decodeProtectedHeader, errors, jwtVerify, type CryptoKey, type JWTPayload } from "jose";
import { PeerFault } from "../lib/fetch-json.ts";
import { agentRights } from "./agent-rights.ts";
import { isAccessToken, namesOf, permissionsOf, userIdOf } from "./claims.ts";
import type { Identity } from "./identity.ts";
import type { KeySet } from "./jwks.ts";
import { authorityUnavailable, unauthorized } from "./refusals.ts";

/** Checks signed tokens without asking anybody (but for public keys). */
export interface JwtVerifier {
  /** Raises `unauthorized` for whatever is no good access token, 503 while the issuer's keys cannot be had. */
  verify(token: string): Promise<Identity>;
}

interface JwtVerifierOptions {
  /** Tokens signed with HS256 are checked with this. */
  readonly secretKey: string | null;
  /** Tokens signed with an asymmetric algorithm are checked with these. */
  readonly keySet: KeySet | null;
  readonly issuer: string | null;
  readonly audience: string | null;
  readonly clockSkewSeconds: number;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

const asymmetricAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;

type Algorithm = "HS256" | (typeof asymmetricAlgorithms)[number];

type Key = CryptoKey | KeyObject;

/** What a token's header says of its signature. */
interface Signing {
  readonly algorithm: Algorithm;
  readonly kid: string | undefined;
}

/** A token that was found to be good, and by which key. */
interface Verified {
  readonly signing: Signing;
  readonly key: Key;
  readonly identity: Identity;
}

/** Tokens that are remembered: those of as many callers as a node has at a time … */
const maxVerified = 10_000;
/** … and of this length at most, which few are. */
const maxRememberedLength = 2_048;

/** `typ` of the header: a logout token or a proof of possession is no access token. */
const tokenTypes = new Set(["jwt", "at+jwt", "application/jwt", "application/at+jwt"]);

/** The last second of the year 9999; beyond it (1e999 is valid JSON) is no time. */
const maxEpochSeconds = 253_402_300_799;

export function createJwtVerifier({
  secretKey,
  keySet,
  issuer,
  audience,
  clockSkewSeconds,
  now = Date.now,
}: JwtVerifierOptions): JwtVerifier {
  const secret = secretKey === null ? null : createSecretKey(Buffer.from(secretKey, "utf8"));

  /** The first is the one that has been here longest. */
  const verified = new Map<string, Verified>();

  /**
   * The header chooses among the kinds of key that are configured, and each kind has its own algorithms: the text
   * of a public key can never be taken for an HMAC secret. `jku`, `x5u`, `jwk` and `x5c` are not looked at.
   */
  function signingOf(token: string): Signing {
    const { alg, kid, typ } = decodeProtectedHeader(token);
    if (typ !== undefined && !(typeof typ === "string" && tokenTypes.has(typ.toLowerCase()))) {
      throw unauthorized("invalid", new Error("not an access token by its header"));
    }
    if (alg === "HS256" && secret !== null) return { algorithm: alg, kid: undefined };
    const algorithm = asymmetricAlgorithms.find((known) => known === alg);
    if (algorithm === undefined || keySet === null) {
      throw unauthorized("invalid", new Error("algorithm not allowed"));
    }
    if (kid !== undefined && (typeof kid !== "string" || kid.length > 256)) {
      throw unauthorized("invalid", new Error("kid of no use"));
    }
    return { algorithm, kid };
  }

  async function keysFor({ algorithm, kid }: Signing): Promise<readonly Key[]> {
    if (algorithm === "HS256") return secret === null ? [] : [secret];
    return keySet === null ? [] : keySet.find({ alg: algorithm, kid });
  }

  async function check(token: string): Promise<{ signing: Signing; key: Key; claims: JWTPayload }> {
    const signing = signingOf(token);
    let refusal: unknown = unauthorized("invalid", new Error("no such key"));
    for (const key of await keysFor(signing)) {
      try {
        const { payload: claims } = await jwtVerify(token, key, {
          algorithms: [signing.algorithm],
          ...(issuer === null ? {} : { issuer }),
          ...(audience === null ? {} : { audience }),
          clockTolerance: clockSkewSeconds,
          currentDate: new Date(now()),
          requiredClaims: ["exp"],
        });
        return { signing, key, claims };
      } catch (error) {
        refusal = error;
        // Only a wrong key is a reason to try another one.
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
      }
    }
    throw refusal;
  }

  /**
   * The same token once more, as callers send theirs with each request and streams are asked about theirs: it is as good
   * as it was while its key is one of the issuer's, until it expires. Null: it has to be checked.
   */
  async function recall(token: string): Promise<Identity | null> {
    const known = verified.get(token);
    if (known === undefined) return null;
    if (!(await keysFor(known.signing)).includes(known.key)) return null;
    // As the library rounds it.
    const latestSeconds = Math.floor(now() / 1000) - clockSkewSeconds;
    return (known.identity.expiresAtMs ?? 0) > latestSeconds * 1000 ? known.identity : null;
  }

  function remember(token: string, one: Verified): void {
    if (token.length > maxRememberedLength) return;
    verified.delete(token);
    verified.set(token, one);
    for (const first of verified.keys()) {
      if (verified.size <= maxVerified) break;
      verified.delete(first);
    }
  }

  return {
    async verify(token) {
      let checked: Awaited<ReturnType<typeof check>>;
      try {
        const recalled = await recall(token);
        if (recalled !== null) return recalled;
        // Stricter than the decoder: no padding, no blanks, so that one token has one spelling.
        if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) {
          throw unauthorized("invalid", new Error("not a signed token"));
        }
        checked = await check(token);
      } catch (error) {
        throw refusalOf(error);
      }
      const { claims, ...by } = checked;
      const identity = identityOf(claims, token, now() / 1000 + clockSkewSeconds);
      remember(token, { ...by, identity });
      return identity;
    },
  };
}

function refusalOf(error: unknown): unknown {
  if (error instanceof PeerFault) return authorityUnavailable(error);
  if (error instanceof errors.JWTExpired) return unauthorized("expired");
  // The library's errors carry the claims as their cause: only its word for the fault goes on.
  if (error instanceof errors.JOSEError) return unauthorized("invalid", new Error(error.code));
  if (error instanceof TypeError) return unauthorized("invalid", new Error(error.message));
  return error;
}

function identityOf(claims: JWTPayload, token: string, latestIssueSeconds: number): Identity {
  const { exp, iat } = claims;
  if (exp === undefined || exp > maxEpochSeconds) {
    throw unauthorized("invalid", new Error("exp is no time"));
  }
  if (iat !== undefined && iat > latestIssueSeconds) {
    throw unauthorized("invalid", new Error("issued in the future"));
  }
  if (!isAccessToken(claims)) throw unauthorized("invalid", new Error("not an access token"));
  const userId = userIdOf(claims["user_id"] ?? claims.sub);
  if (userId === null) throw unauthorized("invalid", new Error("no user in the token"));
  const permissions = permissionsOf(claims["permissions"]);
  const agents = agentRights(permissions);
  return {
    userId,
    roles: namesOf(claims["roles"]),
    permissions,
    ...(agents && { agents }),
    kind: "token",
    token,
    expiresAtMs: exp * 1000,
  };
}
