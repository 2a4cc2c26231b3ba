import { expect, test } from "vitest";
import type { AgentBackend } from "../../agents/agent-backend.ts";
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
});
const agent = { backend: {} as AgentBackend, agentId: "agent-there" };
const files = async (sessionId: string, ids: readonly string[]) =>
  ids.map((id) => ({ id, name: sessionId, mediaType: "text/plain", bytes: new Uint8Array() }));
const history = async (...asked: unknown[]) =>
  [{ role: "user", content: JSON.stringify(asked), agentId: null }] as const;

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
    history,
    files,
  });
  expect(request).toEqual({
    replyId: "reply",
    attempt: 3,
    sessionId: "session",
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
  expect((await ask({ messages: 5 }))[0]?.content).toBe('["session",7,{"messages":5}]');
  expect((await load?.(["f"]))?.[0]).toMatchObject({ id: "f", name: "session" });
  expect((await ask())[0]?.content).toBe('["session",7,null]');
});

test("what a turn does not say is absent", () => {
  const request = runRequestOf(reply, agent, {
    attachments: [],
    userToken: undefined,
    history,
    files,
  });
  for (const name of ["userToken", "context", "traceparent"])
    expect(request).not.toHaveProperty(name);
});
