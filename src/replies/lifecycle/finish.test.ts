import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database, Queryable } from "../../database/database.ts";
import { ignoreEvent, type BusinessEvent, type RecordEvent } from "../../events/business-event.ts";
import type { Job } from "../../jobs/job.ts";
import { newId } from "../../lib/ids.ts";
import { cancel, type CancelResult } from "./cancel.ts";
import { goOn } from "./continue.ts";
import type { Effect } from "./effect.ts";
import { finish, type Writing } from "./finish.ts";
import { forget } from "./forget.ts";
import { startWaiting } from "./start-waiting.ts";
import { lostReplies, takeOver } from "./take-over.ts";
import type { Change } from "./transition.ts";
import { createLifecycle } from "./lifecycle.ts";
import type { ReplyEnd } from "../reply.ts";
import { claimedReply } from "../../../test/support/claimed-reply.ts";
import { openEmbedded } from "../../../test/support/databases.ts";

const claimant = { nodeId: "here", leaseSeconds: 60 };
const state = { run: "at its source" };
const paused: ReplyEnd = {
  status: "paused",
  finishReason: "paused",
  usage: null,
  error: null,
  requirements: [{ id: "1", kind: "confirm", tool: "delete", arguments: {} }],
  audio: null,
  durationMs: 1,
  timeToFirstTokenMs: null,
};

let database: Database;
let jobs: Job[] = [];
let events: BusinessEvent[] = [];

beforeAll(async () => {
  database = await openEmbedded();
});
afterAll(() => database.close());

/** A session whose first reply runs, and whose second one waits. */
async function stage(recordEvent: RecordEvent = async (_tx, event) => void events.push(event)) {
  jobs = [];
  events = [];
  const asked: string[] = [];
  const counted: Database = {
    ...database,
    transaction: (work) =>
      database.transaction((tx) =>
        work({
          ...tx,
          query(sql, params) {
            asked.push(sql);
            return tx.query(sql, params);
          },
          ask(sql, params) {
            asked.push(sql);
            tx.ask(sql, params);
          },
        }),
      ),
  };
  const lifecycle = createLifecycle({
    database: counted,
    jobs: { insert: async (_tx, job) => void jobs.push(job), nudge() {} },
    recordEvent,
  });
  const [sessionId, question, replyId, next, waiting] = [1, 2, 3, 4, 5].map(newId) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const turn = { userId: "ann", language: "en" as const, requestId: "q", settings: {} };
  await database.query(
    "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'ann', 'a')",
    [sessionId],
  );
  await database.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to,
       attempt, event_seq, turn, backend_state, lease_owner, lease_until)
     VALUES ($1, $2, 1, 'user', 'complete', 'a', 'one', NULL, 0, 0, NULL, NULL, NULL, NULL),
       ($1, $3, 2, 'assistant', 'streaming', 'a', '', $2, 1, 1, $6::jsonb, $7::jsonb, 'here',
        now() + interval '1 minute'),
       ($1, $4, 3, 'user', 'complete', 'a', 'two', NULL, 0, 0, NULL, NULL, NULL, NULL),
       ($1, $5, 4, 'assistant', 'queued', 'a', '', $4, 0, 2, $6::jsonb, NULL, NULL, NULL)`,
    [sessionId, question, replyId, next, waiting, JSON.stringify(turn), JSON.stringify(state)],
  );
  const reply = claimedReply({
    replyId,
    sessionId,
    userMessageId: question,
    agentId: "a",
    turn,
    message: "one",
  });
  const request = {
    reply,
    progress: {
      content: "May I?",
      reasoning: "",
      eventSeq: 2,
      toolCalls: [],
      media: [],
      extras: {},
      backendState: state,
    },
    end: paused,
    prices: {},
    hasRoom: () => true,
  };
  const end = (
    form: "whole" | "without details" | "without new text" | "alone" = "whole",
    isRepeat = false,
    how: Partial<ReplyEnd> = {},
    writing?: Writing,
  ) =>
    lifecycle.run(
      finish(claimant, form),
      { ...request, end: { ...request.end, ...how }, writing },
      isRepeat,
    );
  const expire = () =>
    database.query(
      "UPDATE messages SET lease_until = now() - interval '1 minute' WHERE message_id = $1",
      [replyId],
    );
  const statuses = async () => {
    const { rows } = await database.query<{ status: string }>(
      "SELECT status FROM messages WHERE session_id = $1 AND role = 'assistant' ORDER BY seq",
      [sessionId],
    );
    return rows.map(({ status }) => status);
  };
  return { lifecycle, asked, sessionId, replyId, waiting, request, end, expire, statuses };
}

const complete = { status: "complete", finishReason: "stop", requirements: null } as const;
const dropping = { messages: 3, estimated_tokens: 9, dropped: 2, summarised: 1 };
const titled = "UPDATE sessions SET auto_title = 'one' WHERE session_id = $1";
const both = { titles: true, summaries: true };

test.each<{
  what: string;
  act?: (on: Stage) => Promise<unknown>;
  how?: Partial<ReplyEnd>;
  writing?: Writing;
  statements: number;
}>([
  { what: "alone", statements: 2 },
  { what: "alone, of a session that has its title", writing: both, statements: 2 },
  {
    what: "that a model's title follows",
    act: ({ sessionId }) => database.query(titled, [sessionId]),
    writing: both,
    statements: 5,
  },
  { what: "that a summary follows", how: { context: dropping }, writing: both, statements: 3 },
  { what: "that pauses", how: { status: "paused", finishReason: "paused" }, statements: 5 },
])("an end $what is $statements statements", async ({ act, how, writing, statements }) => {
  const on = await stage(ignoreEvent);
  const { lifecycle, asked, sessionId, waiting, end } = on;
  await lifecycle.run(cancel(claimant), { sessionId, replyId: waiting, reason: "why" });
  await act?.(on);
  asked.length = 0;
  const ended = { ...complete, ...how };
  const change = await end("whole", false, ended, writing);
  expect(change).toMatchObject({
    result: { status: ended.status },
    effects: [{ do: "tell", after: 1 }],
  });
  expect(await on.statuses()).toEqual([ended.status, "cancelled"]);
  expect(asked).toHaveLength(statements);
});

test("an end behind which something waits starts that, also where it could be stored at once", async () => {
  const { end, waiting, statuses } = await stage(ignoreEvent);
  const { effects } = await end("whole", false, complete);
  expect(await statuses()).toEqual(["complete", "streaming"]);
  expect(effects).toMatchObject([{ do: "tell" }, { do: "start", reply: { replyId: waiting } }]);
});

const abandoned = () => jobs.flatMap((job) => (job.type === "abandon-run" ? [job.data.state] : []));

test.each([
  { age: "10 seconds", moves: false },
  { age: "10.001 seconds", moves: true },
])(
  "an end moves the session among its user's: $moves, $age after what was last",
  async ({ age, moves }) => {
    const { sessionId, request } = await stage();
    const { atOnce, apply } = finish(claimant);
    const whole = { ...request, end: { ...request.end, ...complete } };
    const isMoved = async (tx: Queryable) => {
      const asked = "SELECT last_activity = now() AS moved FROM sessions WHERE session_id = $1";
      return (await tx.query<{ moved: boolean }>(asked, [sessionId])).rows[0]?.moved;
    };
    // Within one transaction `now()` stands still.
    for (const store of [apply, atOnce?.(whole)]) {
      await database.transaction(async (tx) => {
        const given =
          "UPDATE sessions SET last_activity = now() - $2::interval WHERE session_id = $1";
        await tx.query(given, [sessionId, age]);
        await store?.(tx, whole, false);
        expect(await isMoved(tx)).toBe(moves);
      });
    }
  },
);

test("a reply that pauses, although somebody wanted it stopped, ends, and what waits goes on", async () => {
  const { lifecycle, sessionId, replyId, waiting, end, statuses } = await stage();
  const reason = "interrupted_by_user";
  await lifecycle.run(cancel(claimant), { sessionId, replyId, reason });

  const first = await end();
  expect(first.result).toMatchObject({ status: "cancelled", finishReason: reason });
  expect(abandoned()).toEqual([state]);
  expect(await statuses()).toEqual(["cancelled", "streaming"]);
  expect(first.effects).toMatchObject([
    { do: "tell", events: [{ type: "cancelled", full_response: "May I?", reason }] },
    { do: "start", reply: { replyId: waiting } },
  ]);
  // Its answer was lost.
  expect(await end("whole", true)).toMatchObject({ result: first.result });
});

test.each([
  {
    how: { status: "cancelled", finishReason: "why" },
    form: "without new text",
    stored: { status: "cancelled", finishReason: "why", error: null, content: "" },
  },
  {
    how: { status: "complete", finishReason: "stop" },
    form: "without new text",
    stored: {
      status: "failed",
      finishReason: "error",
      error: { type: "internal_error", code: 500, message: expect.any(String), data: null },
      content: "",
    },
  },
  {
    how: { status: "complete", finishReason: "stop", usage: { input_tokens: 1, output_tokens: 1 } },
    form: "without details",
    stored: { status: "complete", finishReason: "stop", error: null, content: "May I?" },
  },
  {
    how: {
      status: "failed",
      finishReason: "error",
      error: { type: "agent_failed", code: 502, message: "x", data: { agentId: "a" } },
    },
    form: "without details",
    stored: {
      status: "failed",
      finishReason: "error",
      error: { type: "agent_failed", code: 502, message: "x", data: null },
      content: "May I?",
    },
  },
] as const)("an end ($how.status) $form is what is left of it", async ({ how, form, stored }) => {
  const { end, replyId, statuses } = await stage();
  const { effects } = await end(form, false, { requirements: null, ...how });
  const { rows } = await database.query(
    `SELECT status, finish_reason AS "finishReason", error, content, usage,
       lease_owner AS owner, turn
     FROM messages WHERE message_id = $1`,
    [replyId],
  );
  expect(rows).toEqual([{ ...stored, usage: null, owner: null, turn: null }]);
  // What waits is started apart: nothing may stand in the way of this end.
  expect(await statuses()).toEqual([stored.status, "queued"]);
  expect(effects).toMatchObject([
    { do: "tell", events: [stored.content === "" ? {} : { full_response: stored.content }] },
    { do: "wake" },
  ]);
});

const toldOthers = () =>
  events.map(({ type, data }) => [
    type,
    "message_id" in data && [data.status, data.finish_reason, data.error_type],
  ]);
type Stage = Awaited<ReturnType<typeof stage>>;

test.each<{ when: string; act: (on: Stage) => Promise<unknown>; told: unknown[] }>([
  ...(["complete", "failed", "cancelled", "interrupted", "paused"] as const).flatMap((status) =>
    (["whole", "without details"] as const).map((form) => ({
      when: `it ends ${status}, ${form}`,
      act: ({ end }: Stage) => end(form, false, { status, finishReason: "why" }),
      told: [
        [
          status === "complete" ? "chat_message.processed" : `chat_message.${status}`,
          [status, "why", undefined],
        ],
      ],
    })),
  ),
  {
    when: "its text cannot be stored",
    act: ({ end }) => end("without new text"),
    told: [["chat_message.failed", ["failed", "error", "internal_error"]]],
  },
  { when: "its event cannot be stored", act: ({ end }) => end("alone"), told: [] },
  {
    when: "its end is stored twice",
    act: async ({ end }) => {
      await end();
      await end("whole", true);
    },
    told: [["chat_message.paused", ["paused", "paused", undefined]]],
  },
  {
    when: "it waits and is cancelled",
    act: ({ lifecycle, sessionId, waiting }) =>
      lifecycle.run(cancel(claimant), { sessionId, replyId: waiting, reason: "cancelled" }),
    told: [["chat_message.cancelled", ["cancelled", "cancelled", undefined]]],
  },
  {
    when: "its session is deleted while one runs and one waits",
    act: async ({ lifecycle, sessionId, end }) => {
      await lifecycle.run(forget, { sessionId });
      await end();
    },
    told: Array.from({ length: 2 }, () => [
      "chat_message.cancelled",
      ["cancelled", "session_deleted", undefined],
    ]),
  },
  {
    when: "it is given up",
    act: async ({ lifecycle, replyId, expire }) => {
      await database.query("UPDATE messages SET recoveries = 3 WHERE message_id = $1", [replyId]);
      await expire();
      await takeOverAll(lifecycle, true);
    },
    told: [["chat_message.failed", ["failed", "error", "internal_error"]]],
  },
])("other services are told once when $when", async ({ act, told }) => {
  await act(await stage());
  expect(toldOthers()).toEqual(told);
});

const spent = [{ model: "m", input: 7, output: 3, cached: 0, reasoning: 0 }];

test.each<{ when: string; act: (on: Stage) => Promise<unknown> }>([
  { when: "it ends", act: ({ end }) => end("whole", false, { spent }) },
  { when: "it ends without details", act: ({ end }) => end("without details", false, { spent }) },
  { when: "its text is refused", act: ({ end }) => end("without new text", false, { spent }) },
  {
    when: "it ends twice",
    act: async ({ end }) => {
      await end("whole", false, { spent });
      await end("whole", true, { spent });
    },
  },
  {
    when: "its session is deleted meanwhile",
    act: async ({ lifecycle, sessionId, end }) => {
      await lifecycle.run(forget, { sessionId });
      await end("whole", false, { spent });
      await end("whole", true, { spent });
    },
  },
])("what it has used is written once when $when", async ({ act }) => {
  await database.query("DELETE FROM usage_totals");
  const on = await stage();
  await act(on);
  const { rows } = await database.query(
    "SELECT model, user_id, input_tokens::int AS input FROM usage WHERE message_id = $1",
    [on.replyId],
  );
  expect(rows).toEqual([{ model: "m", user_id: "ann", input: 7 }]);
  const { rows: totals } = await database.query(
    "SELECT scope, tokens::int AS tokens FROM usage_totals ORDER BY scope",
  );
  expect(totals).toEqual([
    { scope: "all", tokens: 10 },
    { scope: "user", tokens: 10 },
  ]);
});

test("a reply that pauses and is wanted by all waits for a decision, and so does what waits behind it", async () => {
  const { lifecycle, sessionId, replyId, waiting, end, statuses } = await stage();
  const told = ({ effects }: { readonly effects: readonly Effect[] }) =>
    effects.flatMap((effect) =>
      effect.do === "tell" && effect.reply.replyId === waiting ? [effect] : [],
    );
  const first = await end();
  expect(first.result).toMatchObject({ status: "paused" });
  expect(told(first)).toMatchObject([
    {
      reply: { attempt: 0 },
      after: 2,
      events: [
        { type: "queued", position: 1, reason: "decision", waits_for: replyId, requirements: [{}] },
      ],
    },
  ]);
  // Its answer was lost: the same again, under the same number.
  expect(told(await end("whole", true))).toEqual(told(first));
  const continuation = { sessionId, replyId, decisions: [], check() {} };
  expect(abandoned()).toEqual([]);
  expect(await statuses()).toEqual(["paused", "queued"]);
  const on = await lifecycle.run(goOn(claimant), continuation, false);
  expect(told(on)).toMatchObject([
    { after: 3, events: [{ type: "queued", position: 1, reason: "running", waits_for: replyId }] },
  ]);
});

test("what waits behind a decision is told anew when nobody will make it any more, and so is what waits behind that", async () => {
  const { lifecycle, sessionId, replyId, waiting, end } = await stage();
  const [asked, last] = [newId(), newId()];
  await database.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to, attempt, event_seq, turn)
     SELECT session_id, $2::uuid, 5, 'user', 'complete', 'a', 'three', NULL, 0, 0, NULL FROM messages WHERE message_id = $4
     UNION ALL
     SELECT session_id, $3::uuid, 6, 'assistant', 'queued', 'a', '', $2::uuid, 0, 2, turn FROM messages WHERE message_id = $4
       AND session_id = $1`,
    [sessionId, asked, last, waiting],
  );
  await end();
  const told = ({ effects }: { readonly effects: readonly Effect[] }) =>
    effects.map((effect) =>
      effect.do === "tell" ? [effect.reply.replyId, effect.after + 1, ...effect.events] : effect.do,
    );
  const request = { sessionId, replyId, reason: "cancelled" };
  // Nothing is in front any more; the first of them begins where there is room.
  expect(told(await lifecycle.run(cancel(claimant), request))).toEqual([
    [replyId, 3, { type: "cancelled", full_response: "May I?", reason: "cancelled" }],
    [waiting, 4, { type: "queued", position: 1 }],
    [last, 4, { type: "queued", position: 2 }],
    "wake",
  ]);
  const wake = { sessionId, hasRoom: () => true };
  const behind = { type: "queued", position: 1, reason: "running", waits_for: waiting };
  const begun = ["start", [last, 5, behind]];
  expect(told(await lifecycle.run(startWaiting(claimant), wake))).toEqual(begun);
  // Its answer was lost: the same again, under the same number.
  expect(told(await lifecycle.run(startWaiting(claimant), wake, true))).toEqual(begun);
  const left = await lifecycle.run(cancel(claimant), { ...request, replyId: last });
  expect(told(left)).toEqual([
    [last, 6, { type: "cancelled", full_response: "", reason: "cancelled" }],
    "wake",
  ]);
});

test("a cancellation whose answer was lost tells what waits the same, under the same numbers", async () => {
  const { sessionId, replyId, waiting, end } = await stage();
  await end();
  const request = { sessionId, replyId, reason: "cancelled" };
  const again = (isRepeat: boolean, before: Change<CancelResult> | null) =>
    database.transaction((tx) => cancel(claimant).apply(tx, request, isRepeat, before));
  const first = await again(false, null);
  const second = await again(true, first);
  expect(second.effects).toEqual(first.effects);
  expect(second.effects).toMatchObject([
    {},
    { do: "tell", after: 3, reply: { replyId: waiting } },
    { do: "wake" },
  ]);
  expect([second.jobs, second.events]).toEqual([undefined, undefined]);
});

test.each([
  {
    when: "its pause cannot be stored",
    act: async ({ end }: Awaited<ReturnType<typeof stage>>) => end("without new text"),
  },
  {
    when: "its session was deleted before the pause",
    act: async ({ lifecycle, sessionId, end }: Awaited<ReturnType<typeof stage>>) => {
      await database.query("UPDATE messages SET backend_state = NULL WHERE session_id = $1", [
        sessionId,
      ]);
      await lifecycle.run(forget, { sessionId });
      await end();
    },
  },
  {
    when: "its session is deleted while it runs, whatever becomes of its node",
    act: async ({ lifecycle, sessionId }: Awaited<ReturnType<typeof stage>>) =>
      lifecycle.run(forget, { sessionId }),
  },
  {
    when: "its node has died and it is cancelled",
    act: async ({ lifecycle, sessionId, replyId, expire }: Awaited<ReturnType<typeof stage>>) => {
      await expire();
      await lifecycle.run(cancel(claimant), { sessionId, replyId, reason: "cancelled" });
    },
  },
  {
    when: "its node has died after it was told to stop",
    act: async ({ lifecycle, sessionId, replyId, expire }: Awaited<ReturnType<typeof stage>>) => {
      await lifecycle.run(cancel(claimant), { sessionId, replyId, reason: "cancelled" });
      await expire();
      await takeOverAll(lifecycle, true);
    },
  },
  {
    when: "its node has died and nobody has room to go on",
    act: async ({ lifecycle, expire }: Awaited<ReturnType<typeof stage>>) => {
      await expire();
      await takeOverAll(lifecycle, false);
    },
  },
  {
    when: "it is given up",
    act: async ({ lifecycle, replyId, expire }: Awaited<ReturnType<typeof stage>>) => {
      await database.query("UPDATE messages SET recoveries = 3 WHERE message_id = $1", [replyId]);
      await expire();
      await takeOverAll(lifecycle, true);
    },
  },
])("a run at its source is let go of when $when", async ({ act }) => {
  await act(await stage());
  expect(abandoned()).toEqual([state]);
});

test("a run at its source that is taken up again is not let go of", async () => {
  const { lifecycle, expire } = await stage();
  await expire();
  await takeOverAll(lifecycle, true);
  expect(abandoned()).toEqual([]);
});

async function takeOverAll(lifecycle: ReturnType<typeof createLifecycle>, resumes: boolean) {
  for (const lost of await lostReplies(database, claimant, 10, false)) {
    await lifecycle.run(takeOver(claimant), { lost, everything: false, resumes });
  }
}
