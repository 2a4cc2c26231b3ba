import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../../test/support/databases.ts";
import type { Database, OpenTransaction } from "../../database/database.ts";
import { newId } from "../../lib/ids.ts";
import { empty } from "sql-template-tag";
import { accept } from "./accept.ts";
import { cancel } from "./cancel.ts";
import { goOn } from "./continue.ts";
import { createKnownSessions } from "./known-sessions.ts";
import { cutToHeard } from "./cut-to-heard.ts";
import { finish } from "./finish.ts";
import { forget } from "./forget.ts";
import { remove } from "./remove.ts";
import type { ReplyEnd } from "../reply.ts";
import { takeIn } from "./take-in.ts";
import { startWaiting } from "./start-waiting.ts";
import { takeOver } from "./take-over.ts";
import { amend } from "./waiting.ts";
import type { ReplyStatus, TransitionName } from "./transition.ts";
import { claimedReply } from "../../../test/support/claimed-reply.ts";

const claimant = { nodeId: "here", leaseSeconds: 60 };
const turn = { language: "en" as const, requestId: "q" };
const stored = { ...turn, userId: "ann", settings: {}, merges: true };

/** A session with one reply. */
async function stage(database: Database, status: ReplyStatus, more: { recoveries?: number } = {}) {
  const [sessionId, userMessageId, replyId] = [newId(), newId(), newId()];
  await database.query(
    `INSERT INTO sessions (session_id, user_id, agent_id, last_seq, title) VALUES ($1, 'ann', 'a', 2, 'hello')`,
    [sessionId],
  );
  await database.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to,
       attempt, event_seq, turn, requirements, lease_owner, lease_until, recoveries)
     VALUES ($1, $2, 1, 'user', 'complete', 'a', 'hello', NULL, 0, 0, NULL, NULL, NULL, NULL, 0),
       ($1, $3, 2, 'assistant', $4, 'a', 'text', $2, 1, 1, $5::jsonb, '[]',
        CASE WHEN $4 = 'streaming' THEN 'there' END,
        CASE WHEN $4 = 'streaming' THEN now() - interval '1 minute' END, $6)`,
    [sessionId, userMessageId, replyId, status, JSON.stringify(stored), more.recoveries ?? 0],
  );
  return { sessionId, userMessageId, replyId };
}

type Ids = Awaited<ReturnType<typeof stage>>;

const lost = ({ sessionId, replyId }: Ids) => ({
  lost: { sessionId, replyId, agentId: "a", userId: "ann", canResume: false, overdueMs: 1 },
  everything: false,
  resumes: false,
});
const finished = ({ sessionId, userMessageId, replyId }: Ids, status: ReplyEnd["status"]) => ({
  reply: claimedReply({ sessionId, replyId, userMessageId, agentId: "a", turn: stored }),
  progress: {
    content: "text",
    reasoning: "",
    eventSeq: 2,
    toolCalls: [],
    media: [],
    extras: {},
    backendState: null,
  },
  end: {
    status,
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

const knownSessions = createKnownSessions();
const acceptance = accept({
  ...claimant,
  knownSessions,
  maxQueued: 1,
  maxMessageLength: 1_000,
  canSteer: () => false,
  answersInWords: () => true,
  maxUploadBytes: 1_000,
  idempotency: { claim: async () => true, claiming: () => empty },
  attachments: { insert: async () => {}, copy: async () => [] },
  insertSession: async () => {},
});
const another = (sessionId: string) => ({
  replyId: newId(),
  userMessageId: newId(),
  sessionId,
  newSession: null,
  at: { kind: "head" as const },
  ownerId: "ann",
  message: { text: "more", type: "text" as const, metadata: {}, audio: null, attachments: [] },
  agentId: undefined,
  onBusy: null,
  turn,
  idempotency: null,
  admit() {},
});

const { atOnce: finishAtOnce = () => null } = finish(claimant);
const lockedOut = { result: null };

/** Each transition as it changes a reply that stands where it may begin. */
const each: Record<
  TransitionName,
  readonly {
    readonly from: ReplyStatus;
    readonly recoveries?: number;
    readonly apply: (tx: OpenTransaction, ids: Ids) => Promise<{ readonly result: unknown }>;
  }[]
> = {
  accept: [
    {
      from: "complete",
      apply: (tx, { sessionId }) => acceptance.apply(tx, another(sessionId), false),
    },
    {
      from: "complete",
      async apply(tx, { sessionId }) {
        knownSessions.saw(sessionId, { userId: "ann", agentId: "a", config: {} });
        return (await acceptance.atOnce?.(another(sessionId))?.(tx)) ?? lockedOut;
      },
    },
  ],
  join: [
    {
      from: "queued",
      apply: (tx, { sessionId }) =>
        acceptance.apply(tx, { ...another(sessionId), onBusy: "merge" }, false),
    },
  ],
  start: [
    {
      from: "queued",
      apply: (tx, { sessionId }) =>
        startWaiting(claimant).apply(tx, { sessionId, hasRoom: () => true }, false),
    },
  ],
  cancel: (["queued", "paused"] as const).map((from) => ({
    from,
    apply: (tx, ids) => cancel(claimant).apply(tx, { ...ids, reason: "why" }, false),
  })),
  stop: [
    {
      from: "streaming",
      apply: (tx, ids) => cancel(claimant).apply(tx, { ...ids, reason: "why" }, false),
    },
  ],
  finish: [
    ...(["complete", "paused"] as const).map((status) => ({
      from: "streaming" as const,
      apply: (tx: OpenTransaction, ids: Ids) =>
        finish(claimant).apply(tx, finished(ids, status), false),
    })),
    {
      from: "streaming",
      apply: async (tx, ids) => (await finishAtOnce(finished(ids, "complete"))?.(tx)) ?? lockedOut,
    },
  ],
  continue: [
    {
      from: "paused",
      apply: (tx, ids) => goOn(claimant).apply(tx, { ...ids, decisions: [], check() {} }, false),
    },
  ],
  "take over": [
    { from: "streaming", apply: (tx, ids) => takeOver(claimant).apply(tx, lost(ids), false) },
  ],
  "give up": [
    {
      from: "streaming",
      recoveries: 3,
      apply: (tx, ids) => takeOver(claimant).apply(tx, lost(ids), false),
    },
  ],
  "cut to what was heard": [
    {
      from: "complete",
      apply: (tx, ids) => cutToHeard.apply(tx, { ...ids, content: "text", length: 2 }, false),
    },
  ],
  "take in": [
    {
      from: "queued",
      apply: (tx, { sessionId, replyId }) =>
        takeIn.apply(tx, { reply: { sessionId, replyId, attempt: 0 }, given: new Set() }, false),
    },
  ],
  amend: [
    {
      from: "queued",
      apply: (tx, { sessionId, userMessageId }) =>
        amend({ insert: async () => {} }).apply(
          tx,
          {
            sessionId,
            messageId: userMessageId,
            text: "more",
            attachments: null,
            turn: {},
            check() {},
          },
          false,
        ),
    },
  ],
  withdraw: [
    {
      from: "queued",
      apply: (tx, { sessionId, userMessageId }) =>
        remove.apply(tx, { sessionId, messageId: userMessageId }, false),
    },
  ],
  remove: (["queued", "paused", "streaming", "complete"] as const).map((from) => ({
    from,
    apply: (tx, { sessionId, replyId }) =>
      remove.apply(tx, { sessionId, messageId: replyId }, false),
  })),
  forget: (["queued", "paused", "streaming", "complete"] as const).map((from) => ({
    from,
    apply: (tx, ids) => forget.apply(tx, ids, false),
  })),
};
const scenes = Object.entries(each).flatMap(([name, ways]) =>
  ways.map((way) => ({ name, ...way })),
);

const databases = await startDatabases();
afterAll(() => databases.stop());

/** On the embedded database nobody can come between. */
const server = databases.kinds.find(({ kind }) => kind === "postgres");

describe.skipIf(server === undefined)("on PostgreSQL", () => {
  let database: Database;
  beforeAll(async () => {
    database = await server!.open();
  });
  afterAll(() => database.close());

  test.each(scenes)(
    "nobody comes between what `$name` of a $from reply sees and what it does",
    async ({ from, recoveries = 0, apply }) => {
      const ids = await stage(database, from, { recoveries });
      /** After each of its statements: whether others may take the session's lock. */
      const isFree: boolean[] = [];
      const result = await database.transaction(async (tx) => {
        const query: OpenTransaction["query"] = async (sql, params) => {
          const answer = await tx.query(sql, params);
          const { rows } = await database.query(
            "SELECT 1 FROM sessions WHERE session_id = $1 FOR UPDATE SKIP LOCKED",
            [ids.sessionId],
          );
          isFree.push(rows.length > 0);
          return answer as never;
        };
        const ask: OpenTransaction["ask"] = (sql, params) =>
          void query(sql, params).catch(() => undefined);
        return (await apply({ ...tx, query, ask }, ids)).result;
      });
      expect(result).not.toBeNull();
      expect(isFree.length).toBeGreaterThan(0);
      expect(isFree).not.toContain(true);
    },
  );

  test.each([
    [
      "an end",
      "streaming",
      ["streaming", "queued"],
      (ids: Ids) => finishAtOnce(finished(ids, "complete")),
    ],
    [
      "a message",
      "complete",
      ["complete", "streaming"],
      ({ sessionId }: Ids) => {
        knownSessions.saw(sessionId, { userId: "ann", agentId: "a", config: {} });
        return acceptance.atOnce?.(another(sessionId));
      },
    ],
  ] as const)(
    "%s that is stored at once is not, where a message has come while it waited",
    async (_what, from, statuses, atOnce) => {
      const ids = await stage(database, from);
      const waiting = Promise.withResolvers<unknown>();
      await database.transaction(async (tx) => {
        await acceptance.apply(tx, another(ids.sessionId), false);
        const simple = atOnce(ids);
        waiting.resolve(
          database.transaction(async (other) => {
            const change = simple!(other);
            other.commit();
            return change;
          }),
        );
        await expect
          .poll(
            async () =>
              (
                await database.query(
                  "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
                )
              ).rows,
          )
          .toHaveLength(1);
      });
      expect(await waiting.promise).toBeNull();
      const { rows } = await database.query(
        "SELECT status FROM messages WHERE session_id = $1 AND role = 'assistant' ORDER BY seq",
        [ids.sessionId],
      );
      expect(rows.map(({ status }) => status)).toEqual(statuses);
    },
  );
});
