import {
  parseJsonEventStream,
  readUIMessageStream,
  uiMessageChunkSchema,
  validateUIMessages,
  type UIMessage,
  type UIMessageChunk,
} from "ai";
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
import { assembled } from "./message.ts";
import type { AnsweredPart, ChatOptions } from "./chat-state.ts";
import { chatProjection } from "./project.ts";
import type { Chunk } from "./tool-parts.ts";

function told(log: readonly ReplyEventBody[], more: Partial<ChatOptions> = {}) {
  const projection = chatProjection({
    messageId,
    sessionId: stamp.session_id,
    agentId: "actor",
    createdAt: new Date(0),
    ...more,
  });
  let state = projection.initial;
  const chunks: UIMessageChunk[] = [];
  const take = (told: readonly { readonly data: object }[]) =>
    chunks.push(...told.map(({ data }) => data as UIMessageChunk));
  for (const [index, body] of log.entries()) {
    const event: ReplyEvent = { ...body, ...stamp };
    const [next, some] = projection.project(state, event, (index + 1) * stride);
    state = next;
    take(some);
    if (projection.isOver(state)) break;
  }
  if (!projection.isOver(state)) take(projection.rest?.(state) ?? []);
  return { chunks, state };
}

/** As the SDK reads it off the wire; raises for what is no piece of its protocol. */
async function parsed(chunks: readonly UIMessageChunk[]): Promise<UIMessageChunk[]> {
  const sse = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");
  const { body } = new Response(sse);
  if (body === null) return [];
  const read: UIMessageChunk[] = [];
  for await (const result of parseJsonEventStream({ stream: body, schema: uiMessageChunkSchema })) {
    if (!result.success) throw result.error;
    read.push(result.value);
  }
  expect(read).toHaveLength(chunks.length);
  return read;
}

/** What the SDK's reader makes of it, which goes on in `message`. */
async function readBy(chunks: readonly UIMessageChunk[], message?: UIMessage) {
  let error: string | null = null;
  let last: UIMessage | undefined;
  const stream = ReadableStream.from(await parsed(chunks));
  for await (const each of readUIMessageStream({
    stream,
    ...(message && { message }),
    onError: (fault) => void (error = (fault as Error).message),
  })) {
    last = each;
  }
  return { message: last, error };
}

/** As JSON has it. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const textOf = (message: UIMessage | undefined) =>
  (message?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");

describe("a chat", () => {
  it("ends as its reply has", () => {
    const endsOf = (last: ReplyEventBody) => told([userMessage, last]).chunks.slice(2);
    const error = { type: "error" as const, code: 500, full_response: "" };
    const about = { error: { type: "interrupted", message: "Lost." } };
    expect(endsOf({ ...error, error: "Lost.", error_type: "interrupted" })).toEqual([
      { type: "finish-step" },
      { type: "finish", finishReason: "interrupted", messageMetadata: about },
    ]);
    expect(endsOf({ ...error, error: "Broken.", error_type: "agent_failed" })).toEqual([
      {
        type: "message-metadata",
        messageMetadata: { error: { type: "agent_failed", message: "Broken." } },
      },
      { type: "error", errorText: "Broken." },
    ]);
    expect(endsOf({ type: "cancelled", full_response: "", reason: "session_deleted" })).toEqual([
      { type: "message-metadata", messageMetadata: { finish_reason: "session_deleted" } },
      { type: "abort", reason: "session_deleted" },
    ]);
  });

  it("knows every event of the log", () => {
    const own = ["user_message", "paused", "conversation_complete", "cancelled", "error"];
    const all = [...Object.keys(bodies), ...own];
    expect(all.toSorted()).toEqual(Object.keys(replyEventSchemas).toSorted());
  });

  it("is one of the protocol, whatever the log tells", async () => {
    await fc.assert(
      fc.asyncProperty(some, fc.option(paused, { nil: null }), end, async (middle, pause, last) => {
        const log = [userMessage, ...middle, ...(pause === null ? [last] : [pause])];
        const { chunks, state } = told(log);
        const { message, error } = await readBy(chunks);
        expect(error).toBe(last.type === "error" && pause === null ? "It broke." : null);
        expect(textOf(message)).toBe(state.content);
        if (message !== undefined) await validateUIMessages({ messages: [message] });
        expect(plain(assembled(messageId, chunks as Chunk[]).parts)).toEqual(
          plain(message?.parts ?? []),
        );
        const states = (message?.parts ?? []).flatMap((part) =>
          "state" in part ? [part.state] : [],
        );
        expect(states).not.toContain("streaming");
      }),
      { numRuns: 100 },
    );
  });

  it("of which each beginning is one, too", async () => {
    await fc.assert(
      fc.asyncProperty(some, end, async (middle, last) => {
        const log = [userMessage, ...middle, last];
        for (const [index] of log.entries()) {
          const { chunks, state } = told(log.slice(0, index + 1));
          const { message } = await readBy(chunks);
          expect(textOf(message)).toBe(state.content);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("that goes on behind a pause is the same, in the message that there is and from its start", async () => {
    await fc.assert(
      fc.asyncProperty(
        some,
        paused,
        some,
        end,
        fc.boolean(),
        async (before, pause, behind, last, isApproved) => {
          const first = [userMessage, ...before, pause];
          const log = [...first, ...behind, last];
          const { message: asked } = await readBy(told(first).chunks);
          const parts = (asked?.parts ?? []).map((part) => {
            if (part.type !== "dynamic-tool") return part;
            if (part.state === "approval-requested") {
              const { approval } = part;
              const answer = { ...approval, approved: isApproved };
              return { ...part, state: "approval-responded" as const, approval: answer };
            }
            const isOurs = part.providerExecuted === true || part.state !== "input-available";
            return isOurs ? part : { ...part, state: "output-available" as const, output: "given" };
          });
          const answered = parts.flatMap((part): AnsweredPart[] => {
            if (part.type !== "dynamic-tool") return [];
            const { toolCallId, state } = part;
            if (state === "approval-responded") return [{ toolCallId, isApproved }];
            return part.providerExecuted === true ? [] : [{ toolCallId, isApproved: null }];
          });
          const second = told(log, { after: first.length, answered });
          const goesOn = { ...asked, parts } as UIMessage;
          const { message } = await readBy(second.chunks, goesOn);
          if (message !== undefined) await validateUIMessages({ messages: [message] });
          const open = (message?.parts ?? []).filter(
            (part) =>
              part.type === "dynamic-tool" &&
              (part.state === "approval-responded" || part.state === "approval-requested"),
          );
          expect(open).toEqual([]);
          const whole = told(log);
          const { message: replayed } = await readBy(whole.chunks);
          expect(textOf(replayed)).toBe(whole.state.content);
          expect(whole.chunks.map(({ type }) => type)).not.toContain("tool-approval-request");
          const isTakenBack = behind.some(({ type }) => type === "replaced" || type === "snapshot");
          if (!isTakenBack) expect(textOf(message)).toBe(whole.state.content);
        },
      ),
      { numRuns: 100 },
    );
  });
});
