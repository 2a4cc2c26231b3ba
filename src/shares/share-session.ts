import type { Database } from "../database/database.ts";
import type { IdempotencyKey, IdempotencyStore } from "../idempotency/idempotency-store.ts";
import { Problem } from "../problems/problem.ts";
import { lockTree, unfinishedReplies } from "../replies/lifecycle/branches.ts";
import type { Session } from "../sessions/session-store.ts";
import { holds } from "../tree/ranges.ts";
import { headOf, pathTo } from "../tree/tree.ts";
import { maxShares, newShareId, type Share, type ShareStore } from "./share-store.ts";

interface ShareParts {
  readonly database: Database;
  readonly idempotency: Pick<IdempotencyStore, "claim" | "findAnswer">;
  readonly shares: ShareStore;
}

interface ShareTerms {
  readonly expiresInSeconds: number;
  readonly includeFiles: boolean;
}

export type ShareSession = (
  session: Pick<Session, "sessionId" | "userId" | "title">,
  terms: ShareTerms,
  key: IdempotencyKey | null,
) => Promise<Share>;

/**
 * Makes a link to the active path as it is. A repeat with the same key gets the first one, and `share_not_found` when
 * that is gone. Raises `message_running` while something of the path may still change, and `idempotency_conflict`.
 */
export function createShareSession(parts: ShareParts): ShareSession {
  const { database, idempotency, shares } = parts;
  return async ({ sessionId, userId, title }, { expiresInSeconds, includeFiles }, key) => {
    const shareId = newShareId();
    const made = await database.transaction(async (tx) => {
      const claimed = { sessionId, messageId: null };
      if (key !== null && !(await idempotency.claim(tx, userId, key, claimed, { shareId }))) {
        return null;
      }
      const locked = await lockTree(tx, sessionId);
      if (locked === null) throw new Problem("session_not_found", { sessionId });
      const path = pathTo(locked.tree, headOf(locked.tree));
      const unfinished = await unfinishedReplies(tx, sessionId);
      const running = unfinished.find(({ seq }) => holds(path, seq));
      if (running !== undefined)
        throw new Problem("message_running", { messageId: running.replyId });
      if ((await shares.count(tx, sessionId)) >= maxShares) throw tooMany();
      const share = { shareId, sessionId, title, path, includeFiles };
      return shares.insert(tx, share, expiresInSeconds);
    });
    if (made !== null) return made;
    const earlier = key && (await idempotency.findAnswer<Pick<Share, "shareId">>(userId, key));
    if (!earlier) throw new Problem("storage_unavailable", {}, { retryAfterSeconds: 1 });
    const found = await shares.find(earlier.shareId);
    if (found === null) throw new Problem("share_not_found", {});
    return found;
  };
}

function tooMany(): Problem {
  const fault = {
    message: `has ${maxShares} links already: end one of them first`,
    zh: `已有 ${maxShares} 个分享链接：请先撤销其中一个`,
  };
  return new Problem("validation_failed", {}, { details: [{ path: "/session_id", ...fault }] });
}
