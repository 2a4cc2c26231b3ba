import { createHash } from "node:crypto";
import { decodeJwt } from "jose";
import type { Cache } from "../cache/cache.ts";
import { createReadThrough } from "../cache/read-through.ts";
import { PeerFault } from "../lib/fetch-json.ts";
import { isJsonObject, type JsonObject } from "../lib/json-shape.ts";
import { createSingleFlight } from "../lib/single-flight.ts";
import { bearerToken } from "./credentials.ts";
import type { BaseServiceClient, BaseServiceUser } from "./base-service-client.ts";
import { agentRights } from "./agent-rights.ts";
import { isAccessToken, namesOf, permissionsOf } from "./claims.ts";
import type { AccessContext, IdentityProvider } from "./identity.ts";
import type { JwtVerifier } from "./jwt-verifier.ts";
import { authorityUnavailable, forbidden, unauthorized } from "./refusals.ts";

interface BaseServiceIdentityOptions {
  readonly client: BaseServiceClient;
  readonly cache: Cache;
  readonly cacheTtlMs: number;
  readonly onUnreachable: "deny" | "allow_read";
  /** Where the key of the tokens is known: tokens that are JWTs are checked here instead of being asked about. */
  readonly verifier: JwtVerifier | null;
  readonly clockSkewSeconds: number;
  /** Epoch milliseconds: confirmations are shared between nodes. */
  readonly now?: () => number;
}

/** What the Base Service said about a token, and when. */
interface Confirmation {
  /** Null: it is nobody's. */
  readonly user: BaseServiceUser | null;
  readonly atMs: number;
}

/** With `allow_read`, how much longer than `cache_ttl_seconds` a confirmation serves for reading in an outage. */
const outageGraceMs = 5 * 60_000;
/** A refusal is remembered so long that a client repeating a dead token does not reach the Base Service each time. */
const refusalTtlMs = 5_000;

/** The Base Service says who is calling and what they may do; both are kept for a while. */
export function createBaseServiceIdentity({
  client,
  cache,
  cacheTtlMs,
  onUnreachable,
  verifier,
  clockSkewSeconds,
  now = Date.now,
}: BaseServiceIdentityOptions): IdentityProvider {
  const flights = createSingleFlight<BaseServiceUser | null>();
  const verdicts = createReadThrough<boolean>({
    cache,
    encode: (allowed) => (allowed ? "allowed" : "denied"),
    decode: (text) => (text === "allowed" ? true : text === "denied" ? false : undefined),
  });

  function mayReadOn(context: AccessContext | undefined): boolean {
    return onUnreachable === "allow_read" && context?.readOnly === true;
  }

  async function askWhoIs(
    key: string,
    token: string,
    context?: AccessContext,
  ): Promise<BaseServiceUser | null> {
    const user = await client.whoIs(token, context);
    const ttlMs =
      user === null
        ? Math.min(cacheTtlMs, refusalTtlMs)
        : cacheTtlMs + (onUnreachable === "allow_read" ? outageGraceMs : 0);
    await cache.set(key, encodeConfirmation({ user, atMs: now() }), ttlMs);
    return user;
  }

  async function userBehind(token: string, context?: AccessContext): Promise<BaseServiceUser> {
    const key = `identity:${hashOf(token)}`;
    const read = await cache.read(key);
    const known = read.hit ? decodeConfirmation(read.value) : undefined;
    let user: BaseServiceUser | null;
    if (known !== undefined && now() - known.atMs < cacheTtlMs) {
      user = known.user;
    } else {
      try {
        user = await flights.run(key, () => askWhoIs(key, token, context));
      } catch (error) {
        if (!(error instanceof PeerFault)) throw error;
        if (known === undefined || known.user === null || !mayReadOn(context)) {
          throw authorityUnavailable(error);
        }
        user = known.user;
      }
    }
    if (user === null) throw unauthorized("invalid");
    return user;
  }

  return {
    mode: "base-service",
    async authenticate(credentials, context) {
      const token = bearerToken(credentials);
      if (token === null) {
        throw unauthorized(credentials.authorization === undefined ? "missing" : "invalid");
      }
      const claims = claimsOf(token);
      if (claims !== null && verifier !== null) return verifier.verify(token);
      // Not checked here, but a token that calls itself expired or something else than an access token needs no asking.
      if (claims !== null && !isAccessToken(claims)) throw unauthorized("invalid");
      const expiresAtMs = typeof claims?.["exp"] === "number" ? claims["exp"] * 1000 : undefined;
      if (expiresAtMs !== undefined && expiresAtMs <= now() - clockSkewSeconds * 1000) {
        throw unauthorized("expired");
      }
      const user = await userBehind(token, context);
      const agents = agentRights(user.permissions);
      return {
        ...user,
        ...(agents && { agents }),
        kind: "token",
        token,
        ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
      };
    },
    async authorize(identity, action, context) {
      const { token, userId } = identity;
      if (token === undefined) throw forbidden(action);
      const key = `permission:${hashOf(token)}:${action}`;
      let allowed: boolean;
      try {
        allowed = await verdicts.get(key, async () => {
          const verdict = await client.mayDo(userId, token, action, context);
          if (verdict === "unauthenticated") throw unauthorized("invalid");
          return { value: verdict === "allowed", ttlMs: cacheTtlMs };
        });
      } catch (error) {
        if (!(error instanceof PeerFault)) throw error;
        if (!(mayReadOn(context) && action === "access_chat_session")) {
          throw authorityUnavailable(error);
        }
        allowed = true;
      }
      if (!allowed) throw forbidden(action);
    },
    async close() {},
  };
}

/** Tokens are never stored in clear; what the hash stands for cannot be told from it. */
function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

/** The unchecked claims of a token that is a JWT; null for an opaque one. */
function claimsOf(token: string): JsonObject | null {
  try {
    return decodeJwt(token);
  } catch {
    // Anything else than a JWT is opaque: the Base Service knows what it means.
    return null;
  }
}

function encodeConfirmation({ user, atMs }: Confirmation): string {
  return JSON.stringify({ user, atMs });
}

function decodeConfirmation(text: string): Confirmation | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isJsonObject(value) || typeof value["atMs"] !== "number") return undefined;
    const { user, atMs } = value;
    if (user === null) return { user, atMs };
    if (!isJsonObject(user) || typeof user["userId"] !== "string") return undefined;
    return {
      user: {
        userId: user["userId"],
        roles: namesOf(user["roles"]),
        permissions: permissionsOf(user["permissions"]),
      },
      atMs,
    };
  } catch {
    // Written by another version: as if it were not there.
    return undefined;
  }
}
