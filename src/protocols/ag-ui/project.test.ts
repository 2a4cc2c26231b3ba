import { HttpAgent } from "@ag-ui/client";
import { EventSchema } from "@ag-ui/core/schemas";
import { HttpAgent as OldAgent } from "ag-ui-client-0";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bodies,
  end,
  messageId,
  paused,
  some,
  stamp,
  userMessage,
} from "../../../test/support/any-log.ts";
import {
  replyEventSchemas,
  type ReplyEvent,
  type ReplyEventBody,
} from "../../replies/reply-event.ts";
import { stride } from "../view.ts";
import { runProjection } from "./project.ts";
import { messagesOf } from "./run/messages.ts";
import type { RunOptions } from "./run/telling.ts";

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
