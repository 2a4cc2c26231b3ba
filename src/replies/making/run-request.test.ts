import { expect, test } from "vitest";
import type { AgentBackend } from "../../agents/agent-backend.ts";
import { readTree, storeTree, withMessages } from "../../tree/tree.ts";
import { runRequestOf } from "./run-request.ts";
import { claimedReply } from "../../../test/support/claimed-reply.ts";

const turn = {
  userId: "ann",
  language: "zh",
  requestId: "request",
  settings: { temperature: 0 },
} as const;
const reply = claimedReply({
  replyId: "reply",
  sessionId: "session",
  userMessageId: "question",
  agentId: "agent-here",
  attempt: 3,
  eventSeq: 9,
  content: "so far",
  turn,
  backendState: { run: 1 },
  messageSeq: 7,
  seq: 8,
  conversation: { lastSeq: 8, tree: null },
});
const agent = { backend: {} as AgentBackend, agentId: "agent-there" };
const other = { backend: {} as AgentBackend, agentId: "other" };
const find = (id: string) => ({ "agent-here": agent, other })[id];
const files = async (sessionId: string, ids: readonly string[]) =>
  ids.map((id) => ({ id, name: sessionId, mediaType: "text/plain", bytes: new Uint8Array() }));
const history = async (...asked: unknown[]) =>
  [
    {
      role: "user",
      content: JSON.stringify(asked),
      agentId: null,
      status: "complete",
      seq: 1,
      context: null,
    },
  ] as const;

test("an agent is called with all that a turn says, under the name that its source knows it by", async () => {
  const attachments = [{ name: "a", mediaType: "text/plain", bytes: new Uint8Array() }];
  const whole = { ...reply, turn: { ...turn, context: { page: 1 }, traceparent: "00-1" } };
  const {
    history: ask,
    files: load,
    ...request
  } = runRequestOf(whole, agent, {
    attachments,
    userToken: "token",
    find,
    history,
    files,
  });
  expect(request).toEqual({
    replyId: "reply",
    attempt: 3,
    sessionId: "session",
    seq: 8,
    after: 6,
    userId: "ann",
    userToken: "token",
    agentId: "agent-there",
    message: "hello",
    attachments,
    context: { page: 1 },
    settings: { temperature: 0 },
    language: "zh",
    requestId: "request",
    traceparent: "00-1",
  });
  expect((await ask({ messages: 5 }))[0]?.content).toBe(
    '["session",[{"first":1,"last":6}],{"messages":5}]',
  );
  expect((await load?.(["f"]))?.[0]).toMatchObject({ id: "f", name: "session" });
  expect((await ask())[0]?.content).toBe('["session",[{"first":1,"last":6}],null]');
});

test("what is answered together is one message, behind what was said before all of it", () => {
  const joined = [
    { messageId: "one", seq: 5, content: "one" },
    { messageId: "two", seq: 6, content: "two" },
  ];
  const surroundings = { attachments: [], userToken: undefined, find, history, files };
  const request = runRequestOf({ ...reply, joined }, agent, surroundings);
  expect(request).toMatchObject({ message: "one\n\ntwo\n\nhello", after: 4 });
});

test("what a turn does not say is absent", () => {
  const request = runRequestOf(reply, agent, {
    attachments: [],
    userToken: undefined,
    find,
    history,
    files,
  });
  for (const name of ["userToken", "context", "traceparent"])
    expect(request).not.toHaveProperty(name);
});

test("on a branch an agent is told its line, the path to it, and what of that is of the line", async () => {
  // 1 2 | 3 4 was said otherwise: 5 6, and goes on: 7 8.
  let tree = withMessages(readTree({ lastSeq: 4, tree: null }), 2, 4);
  tree = withMessages(tree, 8, 2);
  const conversation = { lastSeq: 10, tree: storeTree(tree) };
  const told = [1, 2, 5, 6, 7, 8].map((seq) => ({
    role: seq % 2 === 0 ? ("assistant" as const) : ("user" as const),
    content: `${seq}`,
    agentId: "agent-here",
    status: seq === 8 ? "cancelled" : "complete",
    context: seq === 6 ? { messages: 3, estimated_tokens: 30, dropped: 0 } : null,
    seq,
  }));
  const asked: unknown[] = [];
  const ask = (changes: object = {}) =>
    runRequestOf({ ...reply, messageSeq: 9, seq: 10, conversation }, agent, {
      attachments: [],
      userToken: undefined,
      find,
      history: async (_, path) => {
        asked.push(path);
        return told.map((message) => ({ ...message, ...changes }));
      },
      files,
    });
  const request = ask();
  expect([request.thread, request.seq, request.after]).toEqual(["session-1", 10, 8]);
  const said = await request.history();
  expect(asked).toEqual([
    [
      { first: 1, last: 2 },
      { first: 5, last: 8 },
    ],
  ]);
  const own = (status: string, told: number) => ({ agentId: "agent-there", status, told });
  expect(said.map(({ seq, content, own }) => [seq, content, own])).toEqual([
    [1, "1", undefined],
    [2, "2", undefined],
    [3, "5", undefined],
    [4, "6", own("complete", 2)],
    [5, "7", undefined],
    [6, "8", own("cancelled", 0)],
  ]);
  for (const changes of [
    { agentId: "other" },
    { agentId: null },
    { agentId: "gone" },
    { status: "failed" },
  ]) {
    const foreign = await ask(changes).history();
    expect(foreign.map((message) => message.own)).toEqual(Array(6).fill(undefined));
  }
});
