import type { Database } from "../database/database.ts";
import type { SessionStore } from "../sessions/session-store.ts";
import { sessionInfo } from "../sessions/session-info.ts";
import { parentOf } from "../tree/tree.ts";

/** An event as every view shows it. */
export interface SessionEvent {
  readonly seq: number;
  /** Without line breaks. */
  readonly json: string;
}

/** What is kept of a user's events. */
interface Kept {
  /** The oldest one, or the next one where none is kept. */
  readonly first: number;
  /** The newest number ever given: everything up to it is committed. */
  readonly last: number;
}

interface Page {
  /** Null: something after the number asked for is kept no longer. */
  readonly events: readonly SessionEvent[] | null;
  /** Where to go on. */
  readonly last: number;
}

export interface SessionNews {
  readonly userId: string;
  /** The number of an event … */
  readonly last: number;
  /** … which is the newest one; else there may be others. */
  readonly isNewest: boolean;
}

interface EventRow {
  readonly seq: number;
  readonly type: string;
  readonly sessionId: string;
  readonly messageId: string | null;
  readonly details: object | null;
  readonly createdAt: Date;
}

interface MessageRow {
  readonly messageId: string;
  readonly seq: number;
  readonly role: string;
  readonly agentId: string;
  readonly replyTo: string | null;
}

/** Events of one page: each brings its session with it. */
const pageEvents = 50;
/** Looked at in one look for whoever has had one. */
const newsEvents = 10_000;
/** Events, and that there are any where nobody follows any more. */
const keptFor = "1 day";

/** Users of whom nothing is written down any more, in one transaction. */
const purgedUsers = 1_000;

/** That somebody follows is noted once an hour. */
const isFollowed = (whom: string) =>
  `UPDATE session_event_counters SET followed_at = now() WHERE ${whom} AND followed_at < now() - interval '1 hour'`;

export type SessionEventStore = ReturnType<typeof createSessionEventStore>;

/** What users' devices are told of their sessions: written by triggers (migrations 0020, 0036) for those who are followed, read here. */
export function createSessionEventStore(
  database: Database,
  sessions: Pick<SessionStore, "findAll">,
) {
  const kept = async (userId: string): Promise<Kept | null> => {
    const { rows } = await database.query<Kept>(
      `WITH followed AS (${isFollowed("user_id = $1")})
       SELECT c.last, coalesce(
         (SELECT min(number) FROM session_events e WHERE e.user_id = c.user_id), c.last + 1) AS first
       FROM session_event_counters c WHERE c.user_id = $1`,
      [userId],
    );
    return rows[0] ?? null;
  };

  const position = async (userId: string): Promise<Kept> => {
    for (;;) {
      const found = await kept(userId);
      if (found !== null) return found;
      // From now on all is written down that happens: whoever has found that nobody follows has committed before.
      await database.transaction(async (tx) => {
        tx.ask("SELECT pg_advisory_xact_lock(4812004, hashtext($1))", [userId]);
        await tx.query(
          "INSERT INTO session_event_counters (user_id) VALUES ($1) ON CONFLICT DO NOTHING",
          [userId],
        );
      });
    }
  };

  /** As they are now; of messages that are gone nothing. */
  const messagesOf = async (rows: readonly EventRow[]): Promise<Map<string, MessageRow>> => {
    const ids = rows.flatMap(({ messageId }) => messageId ?? []);
    if (ids.length === 0) return new Map();
    const { rows: found } = await database.query<MessageRow>(
      `SELECT message_id AS "messageId", seq, role, agent_id AS "agentId", reply_to AS "replyTo"
       FROM messages WHERE message_id = ANY($1::uuid[])`,
      [ids],
    );
    return new Map(found.map((message) => [message.messageId, message]));
  };

  const idsAt = async (
    places: readonly { readonly sessionId: string; readonly seq: number }[],
  ): Promise<Map<string, string>> => {
    if (places.length === 0) return new Map();
    const { rows } = await database.query<{ sessionId: string; seq: number; messageId: string }>(
      `SELECT m.session_id AS "sessionId", m.seq, m.message_id AS "messageId"
       FROM unnest($1::uuid[], $2::int[]) AS place (session_id, seq)
       JOIN messages m ON m.session_id = place.session_id AND m.seq = place.seq`,
      [places.map(({ sessionId }) => sessionId), places.map(({ seq }) => seq)],
    );
    return new Map(rows.map(({ sessionId, seq, messageId }) => [`${sessionId} ${seq}`, messageId]));
  };

  /** What is said of them is read now: the newest state is what a device wants to know. */
  const described = async (userId: string, rows: readonly EventRow[]): Promise<SessionEvent[]> => {
    const found = await sessions.findAll([...new Set(rows.map(({ sessionId }) => sessionId))]);
    const byId = new Map(
      found.flatMap((session) =>
        session.userId === userId ? [[session.sessionId, session] as const] : [],
      ),
    );
    const messages = await messagesOf(rows);
    const parentAt = ({ sessionId, messageId }: EventRow): number => {
      const [session, message] = [byId.get(sessionId), messages.get(messageId ?? "")];
      return session && message ? parentOf(session.tree, message.seq) : 0;
    };
    const parents = await idsAt(
      rows
        .filter(({ type }) => type === "message_created")
        .map((row) => ({ sessionId: row.sessionId, seq: parentAt(row) })),
    );
    return rows.flatMap((row): SessionEvent[] => {
      const { seq, type, sessionId, messageId, details, createdAt } = row;
      const session = byId.get(sessionId);
      const message = messages.get(messageId ?? "");
      const isGone = session === undefined || (messageId !== null && message === undefined);
      // That it is gone is told by an event of its own.
      if (isGone && type !== "session_deleted") return [];
      return [
        told(seq, type, createdAt, {
          session_id: sessionId,
          ...(message && {
            message_id: message.messageId,
            role: message.role,
            agent_id: message.agentId,
            ...(message.replyTo !== null && { reply_to: message.replyTo }),
          }),
          ...(type === "message_created" && {
            parent_id: parents.get(`${sessionId} ${parentAt(row)}`) ?? null,
          }),
          ...details,
          ...(session && { session_info: sessionInfo(session) }),
        }),
      ];
    });
  };

  return {
    position,

    /** The events after a number, at most some of them. */
    async read(userId: string, after: number): Promise<Page> {
      const { first, last } = await position(userId);
      if (after < first - 1 || after > last) return { events: null, last };
      const { rows } = await database.query<EventRow>(
        `SELECT number AS seq, type, session_id AS "sessionId", message_id AS "messageId", details,
           created_at AS "createdAt"
         FROM session_events WHERE user_id = $1 AND number > $2 ORDER BY number LIMIT ${pageEvents}`,
        [userId, after],
      );
      const next = rows.at(-1)?.seq ?? last;
      return { events: await described(userId, rows), last: next };
    },

    /**
     * Of these users, whose newest number is not that one; and whoever has had an event in the last seconds, at most
     * some thousands: transactions that took longer to commit are not among them.
     */
    async news(
      seen: ReadonlyMap<string, number>,
      withinSeconds: number,
    ): Promise<readonly SessionNews[]> {
      const { rows } = await database.query<Omit<SessionNews, "last"> & { last: number | null }>(
        `SELECT seen.user_id AS "userId", c.last, true AS "isNewest"
         FROM unnest($1::text[], $2::bigint[]) AS seen (user_id, last)
         LEFT JOIN session_event_counters c ON c.user_id = seen.user_id
         WHERE c.last IS DISTINCT FROM seen.last
         UNION ALL
         SELECT user_id, max(number), false FROM (
           SELECT user_id, number FROM session_events
           WHERE created_at > now() - make_interval(secs => $3)
           ORDER BY created_at DESC LIMIT ${newsEvents}) AS lately
         GROUP BY user_id`,
        [[...seen.keys()], [...seen.values()], withinSeconds],
      );
      return Promise.all(
        rows.map(async ({ last, ...news }) => ({
          ...news,
          // Who was erased begins anew.
          last: last ?? (await position(news.userId)).last,
        })),
      );
    },

    /** These are followed still, however little happens. */
    async goOnFollowing(userIds: readonly string[]): Promise<void> {
      await database.query(isFollowed("user_id = ANY($1::text[])"), [userIds]);
    },

    /** Nothing of a user's events stays; who follows them is told to begin anew. */
    async erase(userId: string): Promise<void> {
      await database.transaction(async (tx) => {
        // First the one whose lock everybody needs for an event.
        await tx.query("DELETE FROM session_event_counters WHERE user_id = $1", [userId]);
        await tx.query("DELETE FROM session_events WHERE user_id = $1", [userId]);
      });
    },

    /** Drops what is old. */
    async purge(): Promise<void> {
      await database.query(
        `DELETE FROM session_events WHERE created_at < now() - interval '${keptFor}'`,
      );
      for (let left = purgedUsers; left === purgedUsers;) {
        left = await database.transaction(async (tx) => {
          const { rows } = await tx.query<{ userId: string }>(
            `DELETE FROM session_event_counters WHERE user_id = ANY (ARRAY(
               SELECT user_id FROM session_event_counters WHERE followed_at < now() - interval '${keptFor}'
               ORDER BY followed_at LIMIT ${purgedUsers} FOR UPDATE SKIP LOCKED))
             RETURNING user_id AS "userId"`,
          );
          // Behind the lock of its number, so none is left: what comes after it is not written down.
          await tx.query("DELETE FROM session_events WHERE user_id = ANY($1::text[])", [
            rows.map(({ userId }) => userId),
          ]);
          return rows.length;
        });
      }
    },
  };
}

/** An event as JSON. */
export function told(seq: number, type: string, at: Date, members: object): SessionEvent {
  return { seq, json: JSON.stringify({ type, timestamp: at.toISOString(), ...members }) };
}
