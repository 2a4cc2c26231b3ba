import type { Queryable } from "../database/database.ts";
import type { RecordEvent } from "../events/business-event.ts";
import type { BeginningSession } from "../replies/lifecycle/acceptance.ts";
import type { ActiveLimit } from "./active-limit.ts";
import type { Session, SessionStore } from "./session-store.ts";

/**
 * Stores a session as part of `tx`, which goes on to store its first `messages` messages. Raises `rate_limited` when its
 * user has as many as he may. Claim an idempotency key before, so that a repeat is no further session.
 */
export type InsertSession = (
  tx: Queryable,
  session: BeginningSession,
  messages: number,
  /** Default: active. One in the archive is no further one. */
  status?: Session["status"],
) => Promise<Session>;

export function createInsertSession(
  store: Pick<SessionStore, "create">,
  activeLimit: ActiveLimit,
  recordEvent: RecordEvent,
): InsertSession {
  return async (tx, beginning, messages, status = "active") => {
    // What holds one request is no conversation: it is neither counted nor told of.
    const isTemporary = beginning.isTemporary === true;
    if (status === "active" && !isTemporary) await activeLimit.check(tx, beginning.userId);
    const session = await store.create(tx, beginning, messages, status);
    if (isTemporary) return session;
    await recordEvent(tx, {
      type: "chat_session.created",
      data: {
        session_id: session.sessionId,
        user_id: session.userId,
        agent_id: session.agentId,
        creation_time: session.createdAt.toISOString(),
      },
    });
    return session;
  };
}
