import type { FastifyRequest } from "fastify";
import { mayAccess } from "../http/caller.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { FoundSession, SessionStore } from "./session-store.ts";
import type { Sessions } from "./sessions.ts";

interface SessionAccessOptions {
  readonly sessions: Sessions;
  readonly store: SessionStore;
}

/** The session if it exists for the caller; raises `session_not_found` otherwise. */
export function createOwnedSession(store: Pick<SessionStore, "find">) {
  return async (
    request: FastifyRequest,
    sessionId: string,
    named?: string,
  ): Promise<FoundSession> => {
    const session = isId(sessionId) ? await store.find(sessionId) : null;
    if (
      session === null ||
      !(await mayAccess(request, session.userId, named, { session_id: sessionId }))
    ) {
      throw new Problem("session_not_found", { sessionId });
    }
    return session;
  };
}

/** Sessions as callers may reach them: what is another's does not exist. */
export function createSessionAccess({ sessions, store }: SessionAccessOptions) {
  const owned = createOwnedSession(store);

  const remove = async (request: FastifyRequest, sessionId: string, named?: string) => {
    await owned(request, sessionId, named);
    if (!(await sessions.delete(sessionId))) throw new Problem("session_not_found", { sessionId });
  };

  return { owned, remove };
}
