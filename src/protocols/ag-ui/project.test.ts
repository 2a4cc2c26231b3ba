import { HttpAgent } from "@ag-ui/client";
import { EventSchema } from "@ag-ui/core/schemas";
import { HttpAgent as OldAgent } from "ag-ui-client-0";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  replyEventSchemas,
  type ReplyEvent,
  type ReplyEventBody,
} from "../../replies/reply-event.ts";
import { stride } from "../view.ts";
import { messagesOf, runProjection, type RunOptions } from "./project.ts";

const messageId = "019b0000-0000-7000-8000-000000000001";
const stamp = {
  session_id: "019b0000-0000-7000-8000-000000000000",
  message_id: messageId,
  timestamp: "2026-11-28T00:00:00.000Z",
};
const agentIds = ["actor", "writer", "critic", "__proto__"];
const agentId = fc.constantFrom(...agentIds);
const name = fc.constantFrom("Writer", "Step", "", "constructor");
const text = fc.constantFrom("", "a", "words ", "你好", "\n");

/** Everything that can be told between a reply's beginning and its end. */
const bodies: { readonly [T in ReplyEventBody["type"]]?: fc.Arbitrary<ReplyEventBody> } = {
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
const some = fc.array(fc.oneof(...Object.values(bodies)), { maxLength: 25 });
const paused = fc.constant<ReplyEventBody>({
  type: "paused",
  requirements: [
    { id: "r1", kind: "confirm", tool: "erase", arguments: { what: "all" } },
    { id: "i1", kind: "input", tool: "form", arguments: { fields: [{ name: "age" }] } },
  ],
});
const end: fc.Arbitrary<ReplyEventBody> = fc.oneof(
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
const userMessage: ReplyEventBody = {
  type: "user_message",
  message: "Hi",
  user_message_id: messageId,
  reply_message_id: messageId,
};

type Told = Readonly<Record<string, unknown>> & { readonly type: string };

function told(log: readonly ReplyEventBody[], more: Partial<RunOptions> = {}) {
  const projection = runProjection({ messageId, threadId: "t", runId: "r", held: [], ...more });
  let state = projection.initial;
  const events: Told[] = [];
  for (const [index, body] of log.entries()) {
    const event: ReplyEvent = { ...body, ...stamp };
    const [next, some] = projection.project(state, event, (index + 1) * stride);
    state = next;
    events.push(...some.map(({ data }) => data as Told));
    if (projection.isOver(state)) break;
  }
  return { events, state };
}

/** What an official client comes to that reads this; it raises for what breaks the protocol. */
async function readBy(Agent: typeof HttpAgent | typeof OldAgent, events: readonly Told[]) {
  const sse = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const headers = { "content-type": "text/event-stream" };
  const agent = new (Agent as typeof HttpAgent)({
    url: "http://127.0.0.1/agui/actor",
    threadId: "t",
    fetch: async () => new Response(sse, { headers }),
  });
  let error: string | null = null;
  await agent.runAgent(
    { runId: "r" },
    { onRunErrorEvent: ({ event }) => void (error = event.message) },
  );
  return { messages: agent.messages, error, interrupts: agent.pendingInterrupts };
}

function hasNull(value: unknown): boolean {
  if (value === null) return true;
  return typeof value === "object" && Object.values(value).some(hasNull);
}

const textOf = (messages: readonly { role: string; content?: unknown }[]) =>
  messages
    .flatMap(({ role, content }) => (role === "assistant" ? [String(content ?? "")] : []))
    .join("");

describe("a run", () => {
  it("knows every event of the log", () => {
    const own = ["user_message", "paused", "conversation_complete", "cancelled", "error"];
    const all = [...Object.keys(bodies), ...own];
    expect(all.toSorted()).toEqual(Object.keys(replyEventSchemas).toSorted());
  });

  it("is one of the protocol for both generations of clients, whatever the log tells", async () => {
    await fc.assert(
      fc.asyncProperty(some, fc.option(paused, { nil: null }), end, async (middle, pause, last) => {
        const log = [userMessage, ...middle, ...(pause === null ? [last] : [pause])];
        const { events, state } = told(log);
        const numbers = events.map((event) => {
          EventSchema.parse(event);
          return (event["metadata"] as { chat_service: { seq: number } }).chat_service.seq;
        });
        expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
        expect(
          events.filter(({ type }) => type !== "CUSTOM" && type !== "TOOL_CALL_ARGS").some(hasNull),
        ).toBe(false);
        const old = told(log, { isOld: true });
        for (const [Agent, shown] of [
          [HttpAgent, events],
          [OldAgent, old.events],
        ] as const) {
          const { messages, error } = await readBy(Agent, shown);
          expect(error).toBe(last.type === "error" && pause === null ? "It broke." : null);
          expect(textOf(messages)).toBe(state.content);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("that follows an interrupt is one of its own, and together they are the reply", async () => {
    await fc.assert(
      fc.asyncProperty(some, paused, some, end, async (before, pause, behind, last) => {
        const log = [userMessage, ...before, pause, ...behind, last];
        const second = told(log, { after: before.length + 2 });
        for (const event of second.events) EventSchema.parse(event);
        expect(second.events[0]?.type).toBe("RUN_STARTED");
        await readBy(HttpAgent, second.events);
        const both = told(log, { goesOn: true });
        expect(both.events.filter(({ type }) => type === "RUN_STARTED")).toHaveLength(2);
        const { messages } = await readBy(HttpAgent, both.events);
        expect(textOf(messages)).toBe(both.state.content);
        expect(textOf(messagesOf(both.state) as { role: string }[])).toBe(both.state.content);
      }),
      { numRuns: 40 },
    );
  });
});
