import type { FastifyRequest } from "fastify";
import { callerUser } from "../http/caller.ts";
import { userHeaders } from "../identity/credentials.ts";
import { fingerprint, impliedKey, type IdempotencyKey } from "../idempotency/idempotency-store.ts";
import { idempotencyKey } from "../idempotency/idempotency-header.ts";
import { faulty } from "./faulty.ts";
import type { ExternalId } from "../replies/lifecycle/acceptance.ts";

/** Whose name a request without one has, where nobody has to prove anything. */
const nobody = "openai";
const maxNameLength = 128;

/** Members of bodies in which OpenAI's clients name the user: `config.userMembers` of the routes that take them. */
export const userMembers = ["user", "safety_identifier"] as const;

/**
 * The user for whom a request is: who has proven to be one (of a key that acts for users whoever is named, which is settled
 * before: `request.identity` is that user on every path), else whom the headers or the body of these clients name. Of
 * everybody else a name means nothing where there is proof. Raises `bad_request` for a name that is too long: shortened, it may be another's.
 */
export function userOf(
  request: FastifyRequest,
  /** Names that stand elsewhere in the request, each with its place: the least of all. */
  elsewhere: readonly (readonly [path: string, name: unknown])[] = [],
): string {
  if (request.identity !== null) return request.identity.userId;
  const body = (request.body ?? {}) as Record<string, unknown>;
  const given = [
    ...userHeaders.map((name) => [name, request.headers[name]] as const),
    ...userMembers.map((name) => [name, body[name]] as const),
    ...elsewhere,
  ];
  for (const [path, name] of given) {
    if (typeof name !== "string" || name.trim() === "") continue;
    if (name.length > maxNameLength) {
      throw faulty(
        `/${path}`,
        `may have at most ${maxNameLength} characters`,
        `最多 ${maxNameLength} 个字符`,
      );
    }
    return callerUser(request, name);
  }
  return callerUser(request, nobody);
}

/**
 * The request's `Idempotency-Key`; these clients send none, but say when they send a request again, and then it is known
 * by its body and its conversation.
 */
export function keyOf(
  request: FastifyRequest,
  operation: string,
  conversation: ExternalId | null,
): IdempotencyKey {
  const body = { body: request.body, conversation };
  const own = idempotencyKey(request, operation, body);
  if (own !== null) return own;
  const isRepeat = Number(request.headers["x-stainless-retry-count"] ?? 0) >= 1;
  return impliedKey(fingerprint(operation, body), isRepeat);
}
