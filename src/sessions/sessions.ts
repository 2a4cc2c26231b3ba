import type { FoundAgent } from "../agents/agent-backend.ts";
import type { CatalogueEntry } from "../agents/catalogue.ts";
import type { Database, Queryable } from "../database/database.ts";
import type { RecordEvent } from "../events/business-event.ts";
import type { IdempotencyKey, IdempotencyStore } from "../idempotency/idempotency-store.ts";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { Replies } from "../replies/lifecycle/replies.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Session, SessionPosition, SessionStore } from "./session-store.ts";

interface SessionsOptions {
  readonly database: Database;
  readonly store: SessionStore;
  readonly idempotency: IdempotencyStore;
  readonly catalogue: {
    resolve(agentId: string | undefined): Promise<Pick<CatalogueEntry, "agentId">>;
    find(agentId: string): FoundAgent | undefined;
  };
  readonly replies: Pick<Replies, "forget">;
  readonly telemetry: Pick<Telemetry, "sessionCreated">;
  readonly logger: Logger;
  /** Active sessions of one user; 0: no limit. */
  readonly maxActive: number;
  /** What else belongs to a session and is kept elsewhere (audio). */
  readonly onDelete: (sessionId: string) => Promise<void>;
  readonly recordEvent: RecordEvent;
}

export interface NewSession {
  readonly userId: string;
  /** Undefined: the default agent. */
  readonly agentId: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** A session that may be stored: its agent exists and its user may have another one. */
export interface PreparedSession {
  readonly sessionId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly title: string | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export type Sessions = ReturnType<typeof createSessions>;

/** How often an agent backend is asked to forget a deleted session, with growing pauses. */
const forgetAttempts = 5;
const forgetPauseMs = 2_000;

/** The life of sessions: made, listed, deleted with everything that belongs to them. */
export function createSessions(options: SessionsOptions) {
  const { database, store, idempotency, catalogue, replies, telemetry, logger } = options;

  /** Everything that can be refused about a new session is refused here. */
  const prepare = async (wanted: NewSession): Promise<PreparedSession> => {
    const agent = await catalogue.resolve(wanted.agentId);
    if (options.maxActive > 0) {
      const count = await store.countActive(wanted.userId, options.maxActive);
      if (count >= options.maxActive) {
        throw new Problem("rate_limited", { seconds: 60 }, { retryAfterSeconds: 60 });
      }
    }
    const { title } = wanted.config;
    return {
      sessionId: newId(),
      userId: wanted.userId,
      agentId: agent.agentId,
      title: typeof title === "string" && title.trim() !== "" ? title : null,
      config: wanted.config,
      metadata: wanted.metadata,
    };
  };

  /** Stores a prepared session as part of `tx`, which goes on to store its first `messages` messages. */
  const insert = async (
    tx: Queryable,
    prepared: PreparedSession,
    messages: number,
  ): Promise<Session> => {
    const session = await store.create(tx, prepared, messages);
    await options.recordEvent(tx, {
      type: "chat_session.created",
      data: {
        session_id: session.sessionId,
        user_id: session.userId,
        agent_id: session.agentId,
        creation_time: session.createdAt.toISOString(),
      },
    });
    telemetry.sessionCreated({ sessionId: session.sessionId, agentId: session.agentId });
    return session;
  };

  const forgetUpstream = async (sessionId: string, userId: string, agentIds: string[]) => {
    const byBackend = Map.groupBy(
      agentIds.flatMap((agentId) => catalogue.find(agentId) ?? []),
      (agent) => agent.backend,
    );
    for (const [backend, agents] of byBackend) {
      if (backend.forgetSession === undefined) continue;
      for (let attempt = 1; ; attempt += 1) {
        try {
          await backend.forgetSession({
            sessionId,
            userId,
            agentIds: agents.map((agent) => agent.agentId),
          });
          break;
        } catch (error) {
          if (attempt === forgetAttempts) {
            logger.warn(
              { sessionId, source: backend.source, err: error },
              "agent keeps a deleted session",
            );
            break;
          }
          await new Promise((resolve) => setTimeout(resolve, forgetPauseMs * attempt).unref());
        }
      }
    }
  };

  return {
    prepare,

    insert,

    /** A repeat with the same idempotency key gets the session of the first request. */
    async create(wanted: NewSession, key: IdempotencyKey | null): Promise<Session> {
      if (key !== null) {
        const earlier = await idempotency.find(wanted.userId, key);
        if (earlier !== null) return existing(earlier.sessionId);
      }
      const prepared = await prepare(wanted);
      const created = await database.transaction(async (tx) => {
        if (key !== null) {
          const result = { sessionId: prepared.sessionId, messageId: null };
          if (!(await idempotency.claim(tx, wanted.userId, key, result))) return null;
        }
        return insert(tx, prepared, 0);
      });
      if (created !== null) return created;
      const earlier = key && (await idempotency.find(wanted.userId, key));
      if (!earlier) throw new Problem("storage_unavailable", {}, { retryAfterSeconds: 1 });
      return existing(earlier.sessionId);
    },

    delete: (sessionId: string): Promise<boolean> => remove(sessionId),

    /**
     * Deletes sessions without activity for `days`, at most `limit` of them, until `signal` says stop; resolves with
     * how many. One that cannot be deleted stays for the next time. Raises `storage_unavailable`.
     */
    async deleteInactive(days: number, limit: number, signal?: AbortSignal): Promise<number> {
      let deleted = 0;
      let after: SessionPosition | undefined;
      while (deleted < limit) {
        const batch = await store.inactive(days, Math.min(100, limit - deleted), after);
        if (batch.length === 0) break;
        for (const { sessionId, position } of batch) {
          if (signal?.aborted === true) return deleted;
          after = { lastActivity: position, sessionId };
          try {
            if (await remove(sessionId, days)) deleted += 1;
          } catch (error) {
            logger.warn({ sessionId, err: error }, "an idle session could not be deleted");
            // The next look raises when it is not for this session alone.
            break;
          }
        }
      }
      return deleted;
    },
  };

  /**
   * Gone with its messages, audio, log entries and running reply; false when it was gone already, or when it has come
   * back to life within `inactiveDays`.
   */
  async function remove(sessionId: string, inactiveDays?: number): Promise<boolean> {
    const deleted = await store.delete(sessionId, inactiveDays);
    if (deleted === null) return false;
    await Promise.all(deleted.unfinished.map((reply) => replies.forget(reply)));
    await options.onDelete(sessionId);
    forgetUpstream(sessionId, deleted.userId, deleted.agentIds).catch((error: unknown) =>
      logger.warn({ sessionId, err: error }, "forgetting a session upstream failed"),
    );
    return true;
  }

  async function existing(sessionId: string): Promise<Session> {
    const session = await store.find(sessionId);
    if (session === null) throw new Problem("session_not_found", { sessionId });
    return session;
  }
}
