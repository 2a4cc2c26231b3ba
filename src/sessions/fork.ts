import type { Database } from "../database/database.ts";
import type { IdempotencyKey, IdempotencyStore } from "../idempotency/idempotency-store.ts";
import { isId, newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { lockTree, seqOf, storeBranches } from "../replies/lifecycle/branches.ts";
import { copyMessages, messagesToCopy } from "../replies/lifecycle/copy-path.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { pathTo } from "../tree/tree.ts";
import type { InsertSession } from "./insert-session.ts";
import type { Session } from "./session-store.ts";

interface ForkParts {
  readonly database: Database;
  readonly idempotency: IdempotencyStore;
  readonly attachments: Parameters<typeof copyMessages>[1];
  readonly insertSession: InsertSession;
  readonly telemetry: Pick<Telemetry, "sessionCreated">;
}

export type ForkSession = (
  source: Session,
  messageId: string,
  key: IdempotencyKey | null,
) => Promise<string>;

/**
 * Makes a session of its own of the path up to a message, that one included, with files, agent, configuration and title;
 * resolves with its id. A repeat with the same key gets the first one. Raises `message_not_found`, `message_running`,
 * `rate_limited` and `idempotency_conflict`.
 */
export function createForkSession(parts: ForkParts): ForkSession {
  const { database, idempotency, attachments, insertSession, telemetry } = parts;
  return async (source, messageId, key) => {
    const { userId, agentId, title, config, metadata } = source;
    const sessionId = newId();
    const from = source.sessionId;
    const isMade = await database.transaction(async (tx) => {
      const claimed = { sessionId, messageId: null };
      if (key !== null && !(await idempotency.claim(tx, userId, key, claimed))) return false;
      const locked = await lockTree(tx, from);
      if (locked === null) throw new Problem("session_not_found", { sessionId: from });
      const seq = isId(messageId) ? await seqOf(tx, from, messageId) : null;
      if (seq === null) throw new Problem("message_not_found", { messageId });
      const messages = await messagesToCopy(tx, from, pathTo(locked.tree, seq));
      const copy = { sessionId, userId, agentId, title, config, metadata };
      await insertSession(tx, copy, messages.length);
      await copyMessages(tx, attachments, messages, { from, to: sessionId });
      // Agents that remember by themselves have yet to be told what was said.
      const all = { first: 1, parent: 0, last: messages.length, thread: 1 };
      await storeBranches(tx, sessionId, { segments: [all], lastSeq: all.last, threads: 1 });
      return true;
    });
    if (isMade) {
      telemetry.sessionCreated({ sessionId, agentId });
      return sessionId;
    }
    const earlier = key && (await idempotency.find(userId, key));
    if (!earlier) throw new Problem("storage_unavailable", {}, { retryAfterSeconds: 1 });
    return earlier.sessionId;
  };
}
