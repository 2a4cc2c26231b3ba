import fc from "fast-check";
import { replyEventSchemas, type ReplyEventBody } from "../../src/replies/reply-event.ts";

/** Logs of a reply, of every kind of event. */

export const messageId = "019b0000-0000-7000-8000-000000000001";
export const stamp = {
  session_id: "019b0000-0000-7000-8000-000000000000",
  message_id: messageId,
  timestamp: "2026-11-28T00:00:00.000Z",
};
const agentIds = ["actor", "writer", "critic", "__proto__"];
const agentId = fc.constantFrom(...agentIds);
const name = fc.constantFrom("Writer", "Step", "", "constructor");
const text = fc.constantFrom("", "a", "words ", "你好", "\n");

/** Everything that can be told between a reply's beginning and its end. */
export const bodies: { readonly [T in ReplyEventBody["type"]]?: fc.Arbitrary<ReplyEventBody> } = {
  assistant_chunk: fc.record({
    type: fc.constant("assistant_chunk" as const),
    chunk: text,
    finished: fc.boolean(),
    agent_id: agentId,
  }),
  reasoning_chunk: fc.record({
    type: fc.constant("reasoning_chunk" as const),
    chunk: text,
    agent_id: agentId,
  }),
  tool_call: fc.record(
    {
      type: fc.constant("tool_call" as const),
      tool_call_id: fc.constantFrom("1", "2", "__proto__"),
      name,
      status: fc.constantFrom("started" as const, "completed" as const, "failed" as const),
      arguments: fc.constantFrom({ at: 1 }, "text", null),
      result: fc.constantFrom("done", { seen: [1] }, null),
      agent_id: agentId,
    },
    { requiredKeys: ["type", "tool_call_id", "name", "status", "agent_id"] },
  ),
  agent_event: fc.record(
    {
      type: fc.constant("agent_event" as const),
      event: fc.constantFrom(
        ...replyEventSchemas.agent_event.properties.event.anyOf.map(({ const: each }) => each),
      ),
      agent_id: agentId,
      name,
      parent_agent_id: agentId,
      detail: text,
    },
    { requiredKeys: ["type", "event", "agent_id", "name"] },
  ),
  media: fc.constant({ type: "media" as const, kind: "image", url: "/x", agent_id: "actor" }),
  sources: fc.constant({
    type: "sources" as const,
    sources: [{ url: "https://x" }],
    agent_id: "actor",
  }),
  suggestions: fc.constant({ type: "suggestions" as const, suggestions: ["More?"] }),
  tasks: fc.constant({
    type: "tasks" as const,
    tasks: [{ id: "1", title: "Do", status: "pending" as const }],
    agent_id: "actor",
  }),
  agent_custom: fc.constant({ type: "agent_custom" as const, name: "own", agent_id: "actor" }),
  steered: fc.constant({
    type: "steered" as const,
    user_message_id: messageId,
    message: "Go left",
    text_start: 0,
  }),
  audio_chunk: fc.constant({
    type: "audio_chunk" as const,
    sequence: 1,
    format: "wav",
    sample_rate: null,
    data: "AAAA",
    text: "a",
    start_ms: 0,
    duration_ms: null,
    text_start: 0,
    text_end: 1,
  }),
  audio_response: fc.constant({
    type: "audio_response" as const,
    audio: {
      audio_id: messageId,
      url: "/x",
      format: "wav",
      encoding: "base64" as const,
      duration_ms: null,
    },
  }),
  queued: fc.constant({ type: "queued" as const, position: 1 }),
  replaced: fc.record({ type: fc.constant("replaced" as const), content: text }),
  snapshot: fc.record(
    {
      type: fc.constant("snapshot" as const),
      content: text,
      reasoning: text,
      sources: fc.constant<{ url: string }[]>([{ url: "https://x" }]),
    },
    { requiredKeys: ["type", "content"] },
  ),
};
export const some = fc.array(fc.oneof(...Object.values(bodies)), { maxLength: 25 });
export const paused = fc.constant<ReplyEventBody>({
  type: "paused",
  requirements: [
    { id: "r1", kind: "confirm", tool: "erase", arguments: { what: "all" } },
    { id: "i1", kind: "input", tool: "form", arguments: { fields: [{ name: "age" }] } },
  ],
});
export const end: fc.Arbitrary<ReplyEventBody> = fc.oneof(
  fc.record({
    type: fc.constant("conversation_complete" as const),
    full_response: text,
    agent_id: fc.constant("actor"),
    finish_reason: fc.constantFrom("stop", "length"),
    usage: fc.constantFrom(null, { input_tokens: 1, output_tokens: 2 }),
    duration_ms: fc.constant(1),
    time_to_first_token_ms: fc.constant(null),
  }),
  fc.constant({ type: "cancelled" as const, full_response: "", reason: "cancelled" }),
  fc.constant({
    type: "error" as const,
    error: "It broke.",
    code: 502,
    error_type: "agent_failed",
    full_response: "",
  }),
);
export const userMessage: ReplyEventBody = {
  type: "user_message",
  message: "Hi",
  user_message_id: messageId,
  reply_message_id: messageId,
};
