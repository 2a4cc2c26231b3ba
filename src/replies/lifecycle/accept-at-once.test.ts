import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../../test/support/databases.ts";
import type { Database } from "../../database/database.ts";
import { createIdempotencyStore } from "../../idempotency/idempotency-store.ts";
import { newId } from "../../lib/ids.ts";
import { accept } from "./accept.ts";
import type { Acceptance } from "./acceptance.ts";
import { createKnownSessions } from "./known-sessions.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

const ann = { userId: "ann", agentId: "a", config: { temperature: 1, on_busy: "merge" } };
const key = { key: "k", fingerprint: "f" };

describe.each(databases.kinds)("on $kind", ({ open }) => {
  let database: Database;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());
  afterEach(() => database.query("DELETE FROM idempotency_keys", []));

  const knownSessions = createKnownSessions();
  const transition = () =>
    accept({
      nodeId: "here",
      leaseSeconds: 60,
      knownSessions,
      maxQueued: 1,
      maxMessageLength: 1_000,
      maxUploadBytes: 1_000,
      canSteer: () => false,
      answersInWords: () => true,
      idempotency: createIdempotencyStore(database, 1),
      attachments: { insert: async () => {}, copy: async () => [] },
      insertSession: async () => {},
    });

  /** A session with one turn, that this node has seen. */
  async function stage() {
    const [sessionId, asked, replyId] = [newId(), newId(), newId()];
    await database.query(
      `INSERT INTO sessions (session_id, user_id, agent_id, config, last_seq, message_count, title)
       VALUES ($1, 'ann', 'a', $2::jsonb, 2, 2, 'one')`,
      [sessionId, JSON.stringify(ann.config)],
    );
    await database.query(
      `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to)
       VALUES ($1, $2, 1, 'user', 'complete', 'a', 'one', NULL), ($1, $3, 2, 'assistant', 'complete', 'a', 'two', $2)`,
      [sessionId, asked, replyId],
    );
    knownSessions.saw(sessionId, ann);
    return sessionId;
  }

  const request = (sessionId: string, changes: Partial<Acceptance> = {}): Acceptance => ({
    replyId: newId(),
    userMessageId: newId(),
    sessionId,
    newSession: null,
    ownerId: "ann",
    at: { kind: "head" },
    message: { text: "more", type: "text", metadata: { a: 1 }, audio: null, attachments: [] },
    agentId: undefined,
    onBusy: null,
    turn: { language: "en", requestId: "q" },
    idempotency: null,
    admit() {},
    ...changes,
  });

  const atOnce = (given: Acceptance) =>
    database.transaction(async (tx) => {
      const simple = transition().atOnce?.(given) ?? null;
      if (simple === null) return null;
      const change = simple(tx);
      tx.commit();
      return change;
    });

  /** What is stored of a session, without what differs from session to session. */
  async function stored(sessionId: string) {
    const { rows: sessions } = await database.query(
      "SELECT title, auto_title, last_seq, message_count, tree, status FROM sessions WHERE session_id = $1",
      [sessionId],
    );
    const { rows } = await database.query(
      `SELECT m.seq, m.role, m.status, m.agent_id, m.content, m.metadata, m.audio, m.attachments, m.attempt,
         m.lease_owner, m.lease_until > now() AS held, m.event_seq, m.turn, m.recoveries, u.seq AS "to"
       FROM messages m LEFT JOIN messages u ON u.message_id = m.reply_to WHERE m.session_id = $1 ORDER BY m.seq`,
      [sessionId],
    );
    const { rows: keys } = await database.query(
      "SELECT user_id, key, fingerprint, message_id IS NOT NULL AS named FROM idempotency_keys WHERE session_id = $1",
      [sessionId],
    );
    return { sessions, rows, keys };
  }

  test.each([
    ["without a key", {}],
    ["with a key", { idempotency: key }],
    ["for another agent", { agentId: "b" }],
    ["of nobody who has proven to be anybody", { ownerId: null }],
  ])("comes to the same as in many round trips, %s", async (_name, changes) => {
    const [one, other] = [await stage(), await stage()];
    const fast = await atOnce(request(one, changes));
    const first = await stored(one);
    await database.query("DELETE FROM idempotency_keys", []);
    const slow = await database.transaction((tx) =>
      transition().apply(tx, request(other, changes), false),
    );
    expect(first).toEqual(await stored(other));
    expect(first.rows).toHaveLength(4);
    const told = JSON.stringify({ ...slow, jobs: undefined, events: undefined });
    const ids = (text: string) => text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "id");
    const { result, effects } = fast ?? {};
    const shape = (text: string) => JSON.parse(ids(text)) as unknown;
    expect(shape(JSON.stringify({ result, effects }))).toEqual(shape(told));
  });

  test.each([null, "made"])(
    "a title stays (made by itself: %s), and something has happened",
    async (made) => {
      const sessionId = await stage();
      await database.query(
        `UPDATE sessions SET title = 'made', auto_title = $2, last_activity = now() - interval '1 day'
       WHERE session_id = $1`,
        [sessionId, made],
      );
      expect(await atOnce(request(sessionId))).not.toBeNull();
      const { sessions } = await stored(sessionId);
      expect(sessions).toMatchObject([{ title: "made", auto_title: made, last_seq: 4 }]);
      const { rows } = await database.query(
        "SELECT 1 FROM sessions WHERE session_id = $1 AND last_activity > now() - interval '1 hour'",
        [sessionId],
      );
      expect(rows).toHaveLength(1);
    },
  );

  const later = "UPDATE messages SET status = '";
  test.each([
    ["it has another agent", "UPDATE sessions SET agent_id = 'b' WHERE session_id = $1"],
    ["it has other settings", "UPDATE sessions SET config = '{}' WHERE session_id = $1"],
    ["it is another's", "UPDATE sessions SET user_id = 'bob' WHERE session_id = $1"],
    ["it has no title", "UPDATE sessions SET title = NULL WHERE session_id = $1"],
    ["it is temporary", "UPDATE sessions SET temporary = true WHERE session_id = $1"],
    ["it is archived", "UPDATE sessions SET status = 'archived' WHERE session_id = $1"],
    ["it has branches", `UPDATE sessions SET tree = '{"segments": []}' WHERE session_id = $1`],
    ["a reply runs", `${later}streaming', attempt = 1 WHERE session_id = $1 AND seq = 2`],
    ["a reply is paused", `${later}paused' WHERE session_id = $1 AND seq = 2`],
    ["a reply waits", `${later}queued' WHERE session_id = $1 AND seq = 2`],
    ["it is gone", "DELETE FROM sessions WHERE session_id = $1"],
    [
      "its key led to something else",
      `INSERT INTO idempotency_keys (user_id, key, fingerprint, session_id) VALUES ('ann', 'k', 'f', $1)`,
    ],
  ])("nothing is changed, and the key is not taken, where %s meanwhile", async (_name, change) => {
    const sessionId = await stage();
    await database.query(change, [sessionId]);
    const before = await stored(sessionId);
    expect(await atOnce(request(sessionId, { idempotency: key }))).toBeNull();
    expect(await stored(sessionId)).toEqual(before);
  });

  test("an expired key is taken over", async () => {
    const sessionId = await stage();
    await database.query(
      `INSERT INTO idempotency_keys (user_id, key, fingerprint, session_id, created_at)
       VALUES ('ann', 'k', 'other', $1, now() - interval '2 hours')`,
      [newId()],
    );
    expect(await atOnce(request(sessionId, { idempotency: key }))).not.toBeNull();
    expect((await stored(sessionId)).keys).toMatchObject([{ fingerprint: "f", named: true }]);
  });

  const refuse = () => {
    throw new Error("refused");
  };
  const message = { text: "m", type: "text", metadata: {}, audio: null } as const;
  const file = { name: "a.txt", mediaType: "text/plain", bytes: Buffer.from("a") } as never;
  test.each<[string, Partial<Acceptance>]>([
    ["another reply", { message: null, at: { kind: "again", messageId: newId() } }],
    ["a place of its own", { at: { kind: "below", messageId: null } }],
    ["files", { message: { ...message, attachments: [file] } }],
    ["the files of another message", { message: { ...message, attachments: null } }],
    ["other settings for the session", { config: { temperature: 2 } }],
    ["another owner", { ownerId: "bob" }],
    ["what its agent cannot do", { check: refuse }],
    ["what there is no place for", { admit: refuse }],
    ["a session that this node does not know", { sessionId: newId() }],
  ])("is not asked for with %s", async (_name, changes) => {
    const sessionId = await stage();
    expect(transition().atOnce?.(request(sessionId, changes))).toBeNull();
  });

  test("of two at a time the second one finds the first", async () => {
    const sessionId = await stage();
    const changes = await Promise.all([atOnce(request(sessionId)), atOnce(request(sessionId))]);
    expect(changes.filter((change) => change !== null)).toHaveLength(1);
    expect((await stored(sessionId)).rows).toHaveLength(4);
  });
});
