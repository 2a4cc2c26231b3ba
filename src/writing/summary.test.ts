import { afterAll, beforeAll, expect, test } from "vitest";
import type { AgentBackend, WritingRequest } from "../agents/agent-backend.ts";
import type { Database } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import { createReplyStore } from "../replies/lifecycle/reply-store.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { noBudgets } from "../usage/budgets.ts";
import { openEmbedded } from "../../test/support/databases.ts";
import { createSummaryJob } from "./summary.ts";
import { createWriter } from "./writer.ts";

let database: Database;
beforeAll(async () => {
  database = await openEmbedded();
});
afterAll(() => database.close());

interface Told {
  readonly role: string;
  readonly content: string;
  readonly status?: string;
}

const turns = (count: number, length = 100): Told[] =>
  Array.from({ length: count }, (_, index) => [
    { role: "user", content: `question ${index} `.padEnd(length, "q") },
    { role: "assistant", content: `answer ${index} `.padEnd(length, "a") },
  ]).flat();

/** A session with these messages, the last two of which are the turn whose model was sent `sent` of those before. */
async function conversation(messages: readonly Told[], sent: number) {
  const sessionId = newId();
  const ids = messages.map(() => newId());
  await database.query(
    `INSERT INTO sessions (session_id, user_id, agent_id, last_seq, message_count) VALUES ($1, 'ann', 'a', $2, $2)`,
    [sessionId, messages.length],
  );
  for (const [index, { role, content, status = "complete" }] of messages.entries()) {
    await database.query(
      `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content, reply_to, context)
       VALUES ($1, $2, $3, $4, $5, 'a', $6, $7, $8::jsonb)`,
      [
        sessionId,
        ids[index],
        index + 1,
        role,
        status,
        content,
        role === "assistant" ? (ids[index - 1] ?? null) : null,
        JSON.stringify({ messages: sent + 1, estimated_tokens: 4_000, dropped: 1, summarised: 0 }),
      ],
    );
  }
  const data = {
    sessionId,
    replyId: ids.at(-1) ?? "",
    userId: "ann",
    agentId: "a",
    language: "en",
  };
  const summaries = async () => {
    const { rows } = await database.query<{ first: number; last: number; content: string }>(
      `SELECT first_seq AS first, last_seq AS last, content FROM summaries WHERE session_id = $1 ORDER BY last_seq`,
      [sessionId],
    );
    return rows.map(({ first, last, content }) => [first, last, content]);
  };
  return { sessionId, ids, data, summaries };
}

/** The job over a model that is shown `room` pieces at a time. */
function stage(
  answer: (request: WritingRequest, call: number) => string | Promise<string>,
  { room = 1_000, on = database }: { room?: number; on?: Database } = {},
) {
  const asked: WritingRequest[] = [];
  const backend = {
    write: async (request: WritingRequest) => {
      asked.push(request);
      const text = await answer(request, asked.length);
      const usage = { inputTokens: 5, outputTokens: 2 };
      return { text, pieces: Math.min(room, request.pieces.length), model: "m", usage };
    },
  } as unknown as AgentBackend;
  const writer = createWriter({
    database: on,
    catalogue: { find: () => ({ agentId: "a", backend }) },
    backends: [backend],
    budgets: noBudgets,
    prices: {},
    logger: silentLogger,
  });
  const run = createSummaryJob({ database: on, replies: createReplyStore(on), writer });
  return {
    asked,
    run: (data: Parameters<typeof run>[0]) => run(data, new AbortController().signal),
  };
}

test("half of what was sent is left whole, what is before it is covered in whole turns", async () => {
  const { data, summaries } = await conversation(turns(11), 8);
  const { run, asked } = stage(() => "short");
  await run(data);
  // Ten turns before the reply's own, four of them sent, two of them left.
  expect(await summaries()).toEqual([[1, 16, "short"]]);
  expect(asked[0]?.pieces).toHaveLength(8);
  await run(data);
  expect(asked).toHaveLength(1);
});

test.each([
  ["all of it was sent", turns(5), 8],
  [
    "what was not sent is an answer without its question",
    [{ role: "assistant", content: "hi" }, ...turns(3)],
    4,
  ],
  [
    "what was not sent has failed",
    [{ role: "user", content: "x", status: "failed" }, ...turns(3)],
    4,
  ],
])("nothing is asked where %s", async (_, messages, sent) => {
  const { data, summaries } = await conversation(messages, sent);
  const { run, asked } = stage(() => "short");
  await run(data);
  expect([asked, await summaries()]).toEqual([[], []]);
});

test("what is too much for one call is told in several, each from the summary before it on", async () => {
  const { data, summaries } = await conversation(turns(11), 8);
  const { run, asked } = stage((_, call) => `summary ${call}`, { room: 3 });
  await run(data);
  expect(await summaries()).toEqual([
    [1, 6, "summary 1"],
    [1, 12, "summary 2"],
    [1, 16, "summary 3"],
  ]);
  expect(asked[1]?.pieces[0]).toMatch(/^Earlier summary:\nsummary 1\n\nUser:\nquestion 3 /);
  expect(asked[2]?.pieces).toHaveLength(2);
});

test("a process that dies after the model's answer has stored nothing, and the next one does it once", async () => {
  const { sessionId, data, summaries } = await conversation(turns(11), 8);
  const dying: Database = {
    ...database,
    transaction: () => Promise.reject(new Problem("storage_unavailable", {})),
  };
  const first = stage(() => "lost", { on: dying });
  await expect(first.run(data)).rejects.toThrow();
  expect(first.asked).toHaveLength(1);
  expect(await summaries()).toEqual([]);
  await stage(() => "kept").run(data);
  expect(await summaries()).toEqual([[1, 16, "kept"]]);
  const history = await createReplyStore(database).history(sessionId, [{ first: 1, last: 22 }], {
    messages: 0,
    withSummary: true,
  });
  expect(history.map(({ seq }) => seq)).toEqual([16, 17, 18, 19, 20, 21, 22]);
  expect(history[0]).toMatchObject({ role: "system", content: "kept", isSummary: true });
});

test("of two that do the same at once one is kept", async () => {
  const { data, summaries } = await conversation(turns(11), 8);
  const both = Promise.withResolvers<void>();
  const { run } = stage(async (_, call) => {
    if (call === 2) both.resolve();
    await both.promise;
    return `summary ${call}`;
  });
  await Promise.all([run(data), run(data)]);
  expect(await summaries()).toHaveLength(1);
});

test("what it covers may be deleted meanwhile: it is used, and not there", async () => {
  const { sessionId, data, summaries } = await conversation(turns(11), 8);
  const { run } = stage(async () => {
    await database.query("DELETE FROM messages WHERE session_id = $1 AND seq > 10", [sessionId]);
    return "late";
  });
  await run(data);
  expect(await summaries()).toEqual([]);
  const { rows } = await database.query(
    "SELECT sum(input_tokens)::int AS tokens FROM usage WHERE kind = 'summary' AND user_id = 'ann'",
  );
  expect(rows[0]).toMatchObject({ tokens: expect.any(Number) });
});

test("a summary that is nothing, or a model that fails, leaves nothing behind", async () => {
  const { data, summaries } = await conversation(turns(11), 8);
  await stage(() => " \n ").run(data);
  await stage(() => Promise.reject(new Error("away"))).run(data);
  expect(await summaries()).toEqual([]);
});
