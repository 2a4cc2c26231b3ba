import type { FastifyInstance, FastifyRequest } from "fastify";
import { actFor } from "../identity/acting.ts";
import { grantsAgent } from "../identity/agent-rights.ts";
import { namedUsers, readCredentials } from "../identity/credentials.ts";
import {
  isAdmin,
  type AccessContext,
  type Action,
  type Credentials,
  type Identity,
  type IdentityProvider,
} from "../identity/identity.ts";
import type { AdmissionWatch } from "../identity/watch-admission.ts";
import { holdsUnseen } from "../lib/clean-text.ts";
import { isRequired, Problem } from "../problems/problem.ts";
import { createRequestAudit, type AuditTrail, type RequestAudit } from "./audit.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who is calling; null when nobody has to prove anything (auth.mode open). */
    identity: Identity | null;
    /** What it was established with. */
    credentials: Credentials;
    /** Where it is noted that somebody reaches what is another's, or does what only administrators may. */
    audit?: RequestAudit | undefined;
  }
  interface FastifyContextConfig {
    /**
     * Members of its body that name the user, in this order: for keys that act for users, where no header does. So the
     * rest of the service need not know that somebody acts: the request's identity is that user.
     */
    userMembers?: readonly string[];
    /** Answers without credentials: health, metrics, documents. */
    isPublic?: boolean;
  }
}

/** Whoever has been established as the caller: of a request, or of a connection. */
export interface Caller {
  readonly identity: Identity | null;
  /** Absent: nothing that outlives it is done for him. */
  readonly audit?: RequestAudit | undefined;
}

/** Establishes the caller of every route that is not public. */
export function installAuthentication(
  app: FastifyInstance,
  provider: IdentityProvider,
  trail: AuditTrail,
): void {
  app.decorateRequest("identity", null);
  app.decorateRequest("credentials");
  app.decorateRequest("audit");
  app.addHook("onRequest", async (request) => {
    // Unknown paths are told apart from known ones only to those who are let in: but a 404 tells nothing here.
    if (request.is404 || request.routeOptions.config.isPublic === true) return;
    request.credentials = credentialsOf(request);
    request.identity = await provider.authenticate(request.credentials, accessContext(request));
    request.audit = auditOf(request, trail);
  });
  app.addHook("onResponse", async (request, reply) => {
    if (reply.statusCode < 400) return;
    await request.audit?.failed(reply.statusCode).catch((error: unknown) => {
      request.log.error({ err: error }, "that what was allowed failed could not be noted");
    });
  });
  app.addHook("preHandler", async (request) => actForNamed(request));
  // In one place for every route, before anything is looked up: a name says nothing about what exists.
  app.addHook("preHandler", async (request) => {
    for (const part of [request.query, request.body, request.params]) {
      const named = (part as { user_id?: unknown } | null | undefined)?.user_id;
      if (typeof named === "string") await noteForeign(request, callerUser(request, named));
    }
    hideAgents(request);
  });
}

/** What a request, or the handshake of a socket, says of who is calling. */
export function credentialsOf({ raw }: Pick<FastifyRequest, "raw">): Credentials {
  return { ...readCredentials(raw.rawHeaders), ...namedUsers(raw.rawHeaders) };
}

/** Whoever is named in the body is the caller from here on, where a key that acts for users has named nobody before. */
function actForNamed(request: FastifyRequest): void {
  const { identity, body, routeOptions } = request;
  if (identity?.actsForUsers !== true) return;
  for (const member of routeOptions.config.userMembers ?? []) {
    const user = (body as Readonly<Record<string, unknown>> | null | undefined)?.[member];
    if (typeof user !== "string" || user.trim() === "") continue;
    request.identity = actFor(identity, user, `/${member}`);
    request.credentials = { ...request.credentials, users: [user] };
    return;
  }
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

/**
 * Whether what belongs to `ownerId` exists for the caller. In open mode a caller who names nobody may see everything. That an
 * administrator reaches another's is in the audit log when this resolves, with the ids in `target`; it raises when it cannot be.
 */
export async function mayAccess(
  caller: Caller,
  ownerId: string,
  named: string | undefined,
  target?: Readonly<Record<string, string>>,
): Promise<boolean> {
  const { identity } = caller;
  if (identity === null) return named === undefined || named === ownerId;
  if (identity.userId !== ownerId && !isAdmin(identity)) return false;
  await noteForeign(caller, ownerId, target);
  return true;
}

/** For those who name whom they act on elsewhere than in `user_id` of query, body or path. */
export async function noteForeign(
  { identity, audit }: Caller,
  userId: string,
  target?: Readonly<Record<string, string>>,
): Promise<void> {
  if (identity !== null && identity.userId !== userId) await audit?.note(userId, target);
}

/** What a request notes is called after its route, so that no route has to think of it. */
export function auditOf(request: FastifyRequest, trail: AuditTrail): RequestAudit {
  const { method, routeOptions, params, id: requestId, ip: address } = request;
  return createRequestAudit(trail, {
    identity: () => request.identity,
    action: `${method === "HEAD" ? "GET" : method} ${routeOptions.url}`,
    target: () =>
      Object.fromEntries(
        Object.entries((params ?? {}) as Record<string, string>).filter(
          // The one is the subject, the other opens what is shared.
          ([name]) => name !== "user_id" && name !== "share_id",
        ),
      ),
    requestId,
    address,
    isRepeated: ["GET", "HEAD", "POST"].includes(method),
  });
}

/** Whether an agent exists for the caller. Asked through the catalogue (`seenBy`) wherever an agent is named or listed. */
export function mayRun({ identity }: Caller, agentId: string): boolean {
  return identity?.agents === undefined || grantsAgent(identity.agents, agentId);
}

/** A filter by an agent that does not exist for the caller finds what one by an unknown agent finds. */
function hideAgents(request: FastifyRequest): void {
  const query = request.query as { agent_id?: unknown };
  if (typeof query.agent_id === "string" && !mayRun(request, query.agent_id)) {
    query.agent_id = noAgent;
  }
}

/** No agent's id holds a blank. */
const noAgent = "no agent";

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
  watch: AdmissionWatch,
  onRefused: () => void,
): () => void {
  const { identity, credentials, log } = request;
  return watch({ identity, credentials, context: accessContext(request), log, onRefused });
}

function accessContext(request: FastifyRequest): AccessContext {
  return {
    readOnly: request.method === "GET" || request.method === "HEAD",
    requestId: request.id,
    ...(request.traceparent !== undefined && { traceparent: request.traceparent }),
  };
}

/**
 * Raises `forbidden` for anybody who has proven to be someone without the role; open mode trusts its machine. What is done
 * then is in the audit log when this resolves.
 */
export async function requireAdmin(request: FastifyRequest): Promise<void> {
  checkAdmin(request);
  await request.audit?.note(null);
}

/** The same for those who note it themselves, with what they do. */
export function checkAdmin({ identity }: Caller): void {
  if (identity !== null && !isAdmin(identity)) throw new Problem("forbidden", { action: "admin" });
}

/** Whether this check lets the caller through; raises what keeps it from being known. */
export async function isAllowed(check: () => Promise<void>): Promise<boolean> {
  try {
    await check();
    return true;
  } catch (error) {
    if (error instanceof Problem && error.type === "forbidden") return false;
    throw error;
  }
}
