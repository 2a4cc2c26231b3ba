import { expect, test } from "vitest";
import { AgentInterrupted } from "../../agents/agent-backend.ts";
import { Problem } from "../../problems/problem.ts";
import type { ReplyEnd } from "../reply.ts";
import { replyFailure } from "./reply-failure.ts";
import { ReplyStopped } from "./reply-stopped.ts";
import { terminalEvent } from "../terminal-event.ts";

const away = new Problem("agent_unavailable", { agentId: "a" });

test.each([
  [
    new ReplyStopped("cancelled", "interrupted_by_user"),
    "cancelled",
    "interrupted_by_user",
    undefined,
    false,
  ],
  [
    new ReplyStopped("deleted", "session_deleted"),
    "cancelled",
    "session_deleted",
    undefined,
    false,
  ],
  [new ReplyStopped("too_long"), "complete", "length", undefined, true],
  [new ReplyStopped("timeout"), "failed", "error", "agent_timeout", false],
  [new ReplyStopped("shutdown"), "interrupted", "interrupted", "interrupted", false],
  [new ReplyStopped("lost"), "interrupted", "interrupted", "interrupted", false],
  [new AgentInterrupted("x"), "interrupted", "interrupted", "agent_failed", false],
  [away, "failed", "error", "agent_unavailable", false],
  [new TypeError("x"), "failed", "error", "internal_error", false],
  ["a text", "failed", "error", "internal_error", false],
])("%s: %s, %s", (error, status, finishReason, type, isCut) => {
  const failure = replyFailure(error, "a", 60_400);
  expect(failure).toMatchObject({ status, finishReason, isCut });
  expect(failure?.problem?.type).toBe(type);
});

test("another attempt has taken over: nothing of this one is kept", () => {
  expect(replyFailure(new ReplyStopped("fenced"), "a", 1)).toBeNull();
});

test("what is told names the agent and the time; the cause is for the log", () => {
  expect(replyFailure(new ReplyStopped("timeout"), "a", 60_400)?.problem?.data).toEqual({
    agentId: "a",
    seconds: 60,
  });
  const cause = new AgentInterrupted("secret");
  expect(replyFailure(cause, "a", 1)?.problem?.cause).toBe(cause);
  const bug = new TypeError("secret");
  const problem = replyFailure(bug, "a", 1)?.problem;
  expect(problem?.cause).toBe(bug);
  expect(problem?.text("en")).not.toContain("secret");
});

const end: ReplyEnd = {
  status: "complete",
  finishReason: "stop",
  usage: { input_tokens: 1, output_tokens: 2 },
  error: null,
  requirements: null,
  audio: null,
  durationMs: 10,
  timeToFirstTokenMs: 5,
};
const error = { type: "agent_timeout", code: 504, message: "took too long", data: null };
const requirements = [{ id: "q", kind: "confirm", tool: "t", arguments: { x: 1 } }] as const;

test.each([
  [
    end,
    {
      type: "conversation_complete",
      full_response: "text",
      agent_id: "a",
      finish_reason: "stop",
      usage: { input_tokens: 1, output_tokens: 2 },
      duration_ms: 10,
      time_to_first_token_ms: 5,
    },
  ],
  [
    { ...end, status: "cancelled", finishReason: "session_deleted" } as const,
    { type: "cancelled", full_response: "text", reason: "session_deleted" },
  ],
  [{ ...end, status: "paused", requirements } as const, { type: "paused", requirements }],
  [{ ...end, status: "paused" } as const, { type: "paused", requirements: [] }],
  [
    { ...end, status: "failed", error } as const,
    {
      type: "error",
      error: "took too long",
      code: 504,
      error_type: "agent_timeout",
      full_response: "text",
    },
  ],
  [
    { ...end, status: "interrupted", error: { ...error, type: "interrupted" } } as const,
    {
      type: "error",
      error: "took too long",
      code: 504,
      error_type: "interrupted",
      full_response: "text",
    },
  ],
  [
    { ...end, status: "failed" } as const,
    { type: "error", error: "", code: 500, error_type: "interrupted", full_response: "text" },
  ],
])("the event of an end: $status", (stored, event) => {
  expect(terminalEvent("a", "text", stored)).toEqual(event);
});
