import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { claimedReply } from "../../../test/support/claimed-reply.ts";
import { startDatabases } from "../../../test/support/databases.ts";
import type { Database } from "../../database/database.ts";
import { ignoreEvent } from "../../events/business-event.ts";
import { createIdempotencyStore } from "../../idempotency/idempotency-store.ts";
import { newId } from "../../lib/ids.ts";
import { createSearchIndex } from "../../search/search-index.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import { accept } from "./accept.ts";
import { finish } from "./finish.ts";
import { createKnownSessions } from "./known-sessions.ts";
import { createLifecycle } from "./lifecycle.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

const claimant = { nodeId: "here", leaseSeconds: 60 };
const turn = { language: "en" as const, requestId: "q" };
const tooLong = "word ".repeat(1_000);

describe.each(databases.kinds)("on $kind", ({ open }) => {
  let database: Database;
  let sessionId: string;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await database.query("DELETE FROM sessions");
    sessionId = newId();
    await database.query(
      "INSERT INTO sessions (session_id, user_id, agent_id, title) VALUES ($1, 'ann', 'a', 'one')",
      [sessionId],
    );
    await database.query("DELETE FROM search_queue");
    knownSessions.saw(sessionId, { userId: "ann", agentId: "a", config: {} });
  });

  const knownSessions = createKnownSessions();
  const jobs = { insert: async () => {}, nudge() {} };
  const lifecycle = () => createLifecycle({ database, jobs, recordEvent: ignoreEvent });
  const say = async (text: string, isKeyed = false) => {
    const transition = accept({
      ...claimant,
      knownSessions,
      maxQueued: 1,
      maxMessageLength: 10_000,
      maxUploadBytes: 1_000,
      canSteer: () => false,
      answersInWords: () => true,
      idempotency: createIdempotencyStore(database, 1),
      attachments: { insert: async () => {}, copy: async () => [] },
      insertSession: async () => {},
    });
    const { result } = await lifecycle().run(transition, {
      replyId: newId(),
      userMessageId: newId(),
      sessionId,
      newSession: null,
      ownerId: "ann",
      at: { kind: "head" },
      message: { text, type: "text", metadata: {}, audio: null, attachments: [] },
      agentId: "b",
      onBusy: null,
      turn,
      idempotency: isKeyed ? { key: newId(), fingerprint: "f" } : null,
      admit() {},
    });
    return result;
  };

  type Reply = Awaited<ReturnType<typeof say>>;
  const answer = async (reply: Reply, content: string) => {
    const { result } = await lifecycle().run(finish(claimant), {
      reply: claimedReply({ ...reply }),
      progress: {
        content,
        reasoning: "",
        eventSeq: 2,
        toolCalls: [],
        media: [],
        extras: {},
        backendState: null,
      },
      end: {
        status: "complete",
        finishReason: "stop",
        usage: null,
        error: null,
        requirements: null,
        audio: null,
        durationMs: 1,
        timeToFirstTokenMs: null,
      },
      hasRoom: () => true,
      prices: {},
    });
    expect(result).toMatchObject({ status: "complete" });
  };

  const entries = async () =>
    (
      await database.query(
        `SELECT e.seq, e.user_id, e.terms::text, e.created_at = m.created_at AS dated
         FROM message_search e JOIN messages m USING (session_id, seq) ORDER BY e.seq`,
      )
    ).rows;
  const noted = async () =>
    (await database.query("SELECT seq FROM search_queue ORDER BY seq")).rows.map(({ seq }) => seq);

  test.each([false, true])(
    "what is said and answered has the entries that its notes would have led to (with a key: %s)",
    async (isKeyed) => {
      await answer(await say("Where's the “Böögg” 東京?", isKeyed), "In 'Zürich', {at} \\ noon");
      expect(await noted()).toEqual([]);
      const atOnce = await entries();
      expect(atOnce.map(({ seq }) => seq)).toEqual([1, 2]);
      await database.query(
        "INSERT INTO search_queue (user_id, session_id, seq) SELECT 'ann', session_id, seq FROM messages",
      );
      await createSearchIndex({ database, logger: silentLogger }).catchUp("ann");
      expect(await noted()).toEqual([]);
      const { rows } = await database.query("SELECT version > 0 AS anew FROM message_search");
      expect(rows).toEqual([{ anew: true }, { anew: true }]);
      expect(await entries()).toEqual(atOnce);
    },
  );

  test("what takes longer is noted down", async () => {
    await answer(await say(tooLong), tooLong);
    expect(await noted()).toEqual([1, 2]);
    expect(await entries()).toEqual([]);
  });

  test("of nothing there is nothing to be found", async () => {
    await answer(await say(""), "");
    expect(await entries()).toEqual([]);
  });

  test("what has an entry is noted down, and so is what goes on", async () => {
    const paused = await say("one");
    await database.query(
      "INSERT INTO message_search VALUES ($1, 2, 'ann', now(), 1, to_tsvector('simple', 'before'))",
      [sessionId],
    );
    await answer(paused, "two");
    expect(await noted()).toEqual([2]);
    const goesOn = await say("three");
    await database.query("UPDATE messages SET attempt = 2 WHERE seq = 4");
    await answer({ ...goesOn, attempt: 2 }, "four");
    expect(await noted()).toEqual([2, 4]);
  });

  test("what cannot be made searchable at once is said and answered all the same, and noted down", async () => {
    await database.execute("ALTER TABLE message_search ADD CONSTRAINT broken CHECK (version > 0)");
    try {
      await answer(await say("one"), "two");
    } finally {
      await database.execute("ALTER TABLE message_search DROP CONSTRAINT broken");
    }
    const { rows } = await database.query("SELECT status, content FROM messages ORDER BY seq");
    expect(rows).toEqual([
      { status: "complete", content: "one" },
      { status: "complete", content: "two" },
    ]);
    expect(await noted()).toEqual([1, 2]);
    expect(await entries()).toEqual([]);
  });

  test("what becomes of it later is noted down", async () => {
    await answer(await say("one"), "two");
    await database.query("UPDATE messages SET content = 'other' WHERE seq = 2");
    expect(await noted()).toEqual([2]);
  });
});
