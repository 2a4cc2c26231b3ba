import type { FastifyRequest } from "fastify";
import type { Database } from "../database/database.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { faulty } from "./faulty.ts";
import type { ExternalId } from "../replies/lifecycle/acceptance.ts";
import type { FoundSession, SessionStore } from "../sessions/session-store.ts";
import { isAbout } from "./side-request.ts";

/** Headers in which front ends say which conversation a request belongs to; the first that there is counts. */
const headers = ["x-session-id", "x-conversation-id", "x-openwebui-chat-id"] as const;
const maxLength = 256;

/** How front ends begin the names of what they do not keep themselves. */
const unkept: Readonly<Record<string, RegExp>> = { "x-openwebui-chat-id": /^(?:temporary|local):/ };

/** What is asked beside a conversation comes with its first message, or a moment before. */
const aMoment = "10 seconds";
/** No more than so many such requests are looked at. */
const maxAside = 8;

/** What a request says of its conversation; null: it belongs to none. */
export function conversationName(request: Pick<FastifyRequest, "headers">): ExternalId | null {
  for (const namespace of headers) {
    const id = request.headers[namespace];
    if (typeof id !== "string" || id.trim() === "") continue;
    if (id.length > maxLength) {
      throw new Problem("bad_request", {
        en: `${namespace} may have at most ${maxLength} characters.`,
        zh: `${namespace} 最多 ${maxLength} 个字符。`,
      });
    }
    return unkept[namespace]?.test(id.trim()) ? null : { namespace, id: id.trim() };
  }
  return null;
}

/** Names that others give: they are stored, and looked for. */
export const isName = (value: unknown): value is string =>
  typeof value === "string" && /^(?=.*\S)[^\p{Cc}\p{Cs}]{1,256}$/u.test(value);

/** Raises `bad_request`. */
export function checkName(value: string, path: string): void {
  if (isName(value)) return;
  throw faulty(
    path,
    "must be 1 to 256 characters, none of them a control character",
    "必须是 1 至 256 个字符，且不含控制字符",
  );
}

export type ExternalIds = ReturnType<typeof createExternalIds>;

/** Sessions by the names that other programs have for them. */
export function createExternalIds(database: Database, sessions: Pick<SessionStore, "find">) {
  return {
    /** The user's session of that name, or with that id; null where there is none yet. */
    async find(userId: string, { namespace, id }: ExternalId): Promise<FoundSession | null> {
      const sessionId = id.replace(/^conv_/, "");
      if (isId(sessionId)) {
        const session = await sessions.find(sessionId);
        if (session?.userId === userId) return session;
      }
      const { rows } = await database.query<{ sessionId: string }>(
        `SELECT session_id AS "sessionId" FROM external_ids
         WHERE user_id = $1 AND namespace = $2 AND external_id = $3`,
        [userId, namespace, id],
      );
      return rows[0] === undefined ? null : sessions.find(rows[0].sessionId);
    },

    /**
     * Front ends ask for the title of a conversation before they ask what it begins with. Where nothing but requests about
     * `question` stands in a session, it is not the conversation: it loses its names and goes like others that hold a
     * single request. False: it stays what it is.
     */
    async release({ sessionId }: FoundSession, question: string): Promise<boolean> {
      return database.transaction(async (tx) => {
        const { rows } = await tx.query<{ content: string }>(
          `SELECT m.content FROM sessions s JOIN messages m ON m.session_id = s.session_id AND m.role = 'user'
           WHERE s.session_id = $1 AND s.last_seq <= $2 AND s.created_at > now() - $3::interval FOR UPDATE OF s`,
          [sessionId, 2 * maxAside, aMoment],
        );
        if (rows.length === 0 || !rows.every(({ content }) => isAbout(content, question))) {
          return false;
        }
        const names = await tx.query("DELETE FROM external_ids WHERE session_id = $1", [sessionId]);
        if (names.rowCount === 0) return false;
        await tx.query("UPDATE sessions SET temporary = true WHERE session_id = $1", [sessionId]);
        return true;
      });
    },

    /** What sessions are called in a namespace; those that have no name there are not in it. */
    async namesOf(
      userId: string,
      namespace: string,
      sessionIds: readonly string[],
    ): Promise<ReadonlyMap<string, string>> {
      const { rows } = await database.query<{ sessionId: string; id: string }>(
        `SELECT session_id AS "sessionId", external_id AS id FROM external_ids
         WHERE session_id = ANY($3::uuid[]) AND user_id = $1 AND namespace = $2`,
        [userId, namespace, sessionIds],
      );
      return new Map(rows.map(({ sessionId, id }) => [sessionId, id]));
    },

    /** False for one that holds a single request. */
    async isKept(sessionId: string): Promise<boolean> {
      const { rows } = await database.query(
        "SELECT 1 FROM sessions WHERE session_id = $1 AND NOT temporary",
        [sessionId],
      );
      return rows.length > 0;
    },
  };
}
