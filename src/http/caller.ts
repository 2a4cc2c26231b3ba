import type { FastifyInstance, FastifyRequest } from "fastify";
import { readCredentials } from "../identity/credentials.ts";
import {
  isAdmin,
  type AccessContext,
  type Action,
  type Identity,
  type IdentityProvider,
} from "../identity/identity.ts";
import { watchAdmission } from "../identity/watch-admission.ts";
import { holdsUnseen } from "../lib/clean-text.ts";
import { isRequired, Problem } from "../problems/problem.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who is calling; null when nobody has to prove anything (auth.mode open). */
    identity: Identity | null;
  }
  interface FastifyContextConfig {
    /** Answers without credentials: health, metrics, documents. */
    isPublic?: boolean;
  }
}

/** Whoever has been established as the caller: of a request, or of a connection. */
export interface Caller {
  readonly identity: Identity | null;
}

/** Establishes the caller of every route that is not public. */
export function installAuthentication(app: FastifyInstance, provider: IdentityProvider): void {
  app.decorateRequest("identity", null);
  app.addHook("onRequest", async (request) => {
    // Unknown paths are told apart from known ones only to those who are let in: but a 404 tells nothing here.
    if (request.is404 || request.routeOptions.config.isPublic === true) return;
    request.identity = await provider.authenticate(
      readCredentials(request.raw.rawHeaders),
      accessContext(request),
    );
  });
  // In one place for every route, before anything is looked up: a name says nothing about what exists.
  app.addHook("preHandler", async (request) => {
    for (const part of [request.query, request.body]) {
      const named = (part as { user_id?: unknown } | null | undefined)?.user_id;
      if (typeof named === "string") callerUser(request, named);
    }
  });
}

/**
 * The user on whose behalf the caller acts: the token's own, the one an admin names, or in open mode the one named.
 * Raises `forbidden` for somebody else's name, `validation_failed` when open mode gets none.
 */
export function callerUser(
  { identity }: Caller,
  named: string | undefined,
  path = "/user_id",
): string {
  if (named !== undefined && holdsUnseen(named)) {
    const fault = {
      message: "must not hold characters that nobody sees",
      zh: "不得含有不可见字符",
    };
    throw new Problem("validation_failed", {}, { details: [{ path, ...fault }] });
  }
  if (identity === null) {
    if (named !== undefined) return named;
    throw new Problem("validation_failed", {}, { details: [{ path, ...isRequired }] });
  }
  if (named === undefined || named === identity.userId) return identity.userId;
  if (isAdmin(identity)) return named;
  throw new Problem("forbidden", { action: `user_id ${named}` });
}

/**
 * The user whose limits hold for a caller: null for one who has proven nothing, and for administrators, who are services
 * that act for many.
 */
export function limitedUser(identity: Identity | null): string | null {
  return identity === null || isAdmin(identity) ? null : identity.userId;
}

/** Whether what belongs to `ownerId` exists for the caller. In open mode a caller who names nobody may see everything. */
export function mayAccess(
  { identity }: Caller,
  ownerId: string,
  named: string | undefined,
): boolean {
  if (identity === null) return named === undefined || named === ownerId;
  return identity.userId === ownerId || isAdmin(identity);
}

/** What the caller must be allowed to do at all, beyond owning the session. */
export async function requireAction(
  request: FastifyRequest,
  provider: IdentityProvider,
  action: Action,
): Promise<void> {
  const { identity } = request;
  if (identity !== null) await provider.authorize(identity, action, accessContext(request));
}

/** Calls `onRefused` when the caller of a long answer would no longer be let in to read it; returns what stops that. */
export function watchCaller(
  request: FastifyRequest,
  provider: IdentityProvider,
  onRefused: () => void,
): () => void {
  return watchAdmission({
    provider,
    identity: request.identity,
    credentials: readCredentials(request.raw.rawHeaders),
    context: accessContext(request),
    log: request.log,
    onRefused,
  });
}

function accessContext(request: FastifyRequest): AccessContext {
  return {
    readOnly: request.method === "GET" || request.method === "HEAD",
    requestId: request.id,
    ...(request.traceparent !== undefined && { traceparent: request.traceparent }),
  };
}

/** Raises `forbidden` for anybody who has proven to be someone without the role; open mode trusts its machine. */
export function requireAdmin({ identity }: FastifyRequest): void {
  if (identity !== null && !isAdmin(identity)) throw new Problem("forbidden", { action: "admin" });
}
