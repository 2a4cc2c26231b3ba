import type { CatalogueEntry } from "../agents/catalogue.ts";
import type { Caller } from "../http/caller.ts";
import { checkSettings } from "../agents/run-settings.ts";
import type { Database } from "../database/database.ts";
import type { IdempotencyKey, IdempotencyStore } from "../idempotency/idempotency-store.ts";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { BeginningSession, EarlierMessage } from "../replies/lifecycle/acceptance.ts";
import { showBranch } from "../replies/lifecycle/branches.ts";
import type { Replies } from "../replies/lifecycle/replies.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Logger } from "../telemetry/logger.ts";
import { addMessages } from "./add-messages.ts";
import type { InsertSession } from "./insert-session.ts";
import type { ActiveLimit } from "./active-limit.ts";
import type { Session, SessionPatch, SessionPosition, SessionStore } from "./session-store.ts";

interface SessionsOptions {
  readonly database: Database;
  readonly store: SessionStore;
  readonly idempotency: IdempotencyStore;
  readonly catalogue: {
    seenBy(caller: Caller): {
      resolve(
        agentId: string | undefined,
      ): Promise<Pick<CatalogueEntry, "agentId" | "descriptor" | "backend">>;
    };
  };
  readonly replies: Pick<Replies, "forget">;
  readonly telemetry: Pick<Telemetry, "sessionCreated">;
  readonly logger: Logger;
  readonly activeLimit: ActiveLimit;
  readonly insertSession: InsertSession;
}

export interface NewSession {
  /** Who makes it, and must be allowed to use its agent. */
  readonly caller: Caller;
  readonly userId: string;
  /** Undefined: the default agent. */
  readonly agentId: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export type Sessions = ReturnType<typeof createSessions>;

/** The life of sessions: made, listed, deleted with everything that belongs to them. */
export function createSessions(options: SessionsOptions) {
  const { database, store, idempotency, catalogue, replies, telemetry, logger } = options;
  const { insertSession, activeLimit } = options;

  const prepare = async (wanted: NewSession): Promise<BeginningSession> => {
    const agent = await catalogue.seenBy(wanted.caller).resolve(wanted.agentId);
    checkSettings(wanted.config, "/session_config", agent);
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

  return {
    /** Refuses what can be refused without the database. */
    prepare,

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
        return insertSession(tx, prepared, 0);
      });
      if (created !== null) {
        const { sessionId, agentId } = created;
        telemetry.sessionCreated({ sessionId, agentId });
        return created;
      }
      const earlier = key && (await idempotency.find(wanted.userId, key));
      if (!earlier) throw new Problem("storage_unavailable", {}, { retryAfterSeconds: 1 });
      return existing(earlier.sessionId);
    },

    /** False when the session is gone. Who takes one out of the archive has one more active session. */
    async update(sessionId: string, patch: SessionPatch): Promise<boolean> {
      const { status, headMessageId } = patch;
      if (status !== "active" && headMessageId === undefined) {
        return store.update(database, sessionId, patch);
      }
      return database.transaction(async (tx) => {
        const session = await store.lock(tx, sessionId);
        if (session === null) return false;
        if (status === "active" && session.status === "archived") {
          await activeLimit.check(tx, session.userId);
        }
        if (headMessageId !== undefined) await showBranch(tx, sessionId, headMessageId);
        return store.update(tx, sessionId, patch);
      });
    },

    /**
     * Puts messages at the end of a conversation, which nobody answers; resolves with the id of the first. A repeat with the
     * same key gets those of the first time. Raises `session_archived`, `session_busy` and `idempotency_conflict`.
     */
    async addMessages(
      { sessionId, userId }: Session,
      messages: readonly EarlierMessage[],
      key: IdempotencyKey,
    ): Promise<string> {
      const earlier = key.implied === "first" ? null : await idempotency.find(userId, key);
      if (earlier?.messageId) return earlier.messageId;
      const firstId = newId();
      const isAdded = await database.transaction(async (tx) => {
        const result = { sessionId, messageId: firstId };
        if (!(await idempotency.claim(tx, userId, key, result))) return false;
        await addMessages(tx, sessionId, messages, firstId);
        return true;
      });
      if (isAdded) return firstId;
      const first = await idempotency.find(userId, key);
      if (!first?.messageId) throw new Problem("storage_unavailable", {}, { retryAfterSeconds: 1 });
      return first.messageId;
    },

    /** Gone with its messages, recordings, log entries and running reply; false when it was gone already. */
    delete: (sessionId: string): Promise<boolean> => replies.forget(sessionId),

    /** Deletes temporary sessions whose answer nobody has asked for in `seconds`; resolves with how many. */
    async deleteSpent(seconds: number, limit: number, signal?: AbortSignal): Promise<number> {
      let deleted = 0;
      for (const sessionId of await store.spent(seconds, limit)) {
        if (signal?.aborted === true) break;
        if (await replies.forget(sessionId)) deleted += 1;
      }
      return deleted;
    },

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
            if (await replies.forget(sessionId, days)) deleted += 1;
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

  async function existing(sessionId: string): Promise<Session> {
    const session = await store.find(sessionId);
    if (session === null) throw new Problem("session_not_found", { sessionId });
    return session;
  }
}
