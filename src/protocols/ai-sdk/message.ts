import type { StoredMessage } from "../../chat/message-store.ts";
import { wireExtras } from "../../replies/extras.ts";
import type { ReplyEvent } from "../../replies/reply-event.ts";
import { outputOf } from "../../replies/structured-output.ts";
import { stride, type Projection } from "../view.ts";
import type { ChatState } from "./chat-state.ts";
import { chatProjection } from "./project.ts";
import type { Media } from "./parts.ts";
import type { Chunk, StoredCall } from "./tool-parts.ts";

type Part = Readonly<Record<string, unknown>> & { readonly type: string };

interface Metadata extends Readonly<Record<string, unknown>> {
  readonly session_id: string;
  readonly created_at: string;
}

/** A message, as these clients keep it. */
export interface UiMessage {
  readonly id: string;
  readonly role: "user" | "assistant";
  readonly metadata: Metadata;
  readonly parts: Part[];
}

/** What a client's message is noted with, so that it is known again. */
export function noteOf(id: string): object {
  return { ai_sdk: { message_id: id } };
}

function notedId({ metadata }: Pick<StoredMessage, "metadata">): string | null {
  const { ai_sdk: noted } = metadata as { ai_sdk?: { message_id?: unknown } | null };
  const id = noted?.message_id;
  return typeof id === "string" ? id : null;
}

/** What the user said, by the client's own id where it gave one. */
export function userMessageOf(message: StoredMessage): UiMessage {
  const { messageId, sessionId, content, attachments, createdAt } = message;
  const files = attachments ?? [];
  const isOnlyFiles = files.length > 0 && content === files.map(({ name }) => name).join(", ");
  return {
    id: notedId(message) ?? messageId,
    role: "user",
    metadata: { session_id: sessionId, created_at: createdAt.toISOString() },
    parts: [
      ...files.map(({ name, media_type, url }) => ({
        type: "file",
        mediaType: media_type,
        filename: name,
        url,
      })),
      ...(isOnlyFiles ? [] : [{ type: "text", text: content }]),
    ],
  };
}

/** A stored reply: what its stream comes to at a client that reads it once its log is gone. */
export function replyOf(reply: StoredMessage): UiMessage {
  const projection = chatProjection({ ...reply, stored: storedOf(reply) });
  const chunks = foldedEvents(projection, reply);
  return assembled(reply.messageId, chunks);
}

/** What the row has beside the text, as the projection takes it. */
export function storedOf({
  toolCalls,
  media,
  audio,
}: Pick<StoredMessage, "toolCalls" | "media" | "audio">) {
  return {
    toolCalls: (toolCalls ?? []) as StoredCall[],
    media: (media ?? []) as Media[],
    audio,
  };
}

function foldedEvents(
  { initial, project, rest }: Projection<ChatState>,
  reply: StoredMessage,
): Chunk[] {
  let state = initial;
  const chunks: Chunk[] = [];
  for (const [index, event] of eventsOf(reply).entries()) {
    const [next, told] = project(state, event, (index + 1) * stride);
    state = next;
    chunks.push(...told.map(({ data }) => data as Chunk));
  }
  chunks.push(...(rest?.(state) ?? []).map(({ data }) => data as Chunk));
  return chunks;
}

function eventsOf(reply: StoredMessage): ReplyEvent[] {
  const { sessionId, messageId, createdAt, status, content, reasoning, extras } = reply;
  const stamp = {
    session_id: sessionId,
    message_id: messageId,
    timestamp: createdAt.toISOString(),
  };
  const snapshot: ReplyEvent = {
    type: "snapshot",
    ...stamp,
    content,
    ...(reasoning !== null && { reasoning }),
    ...wireExtras(extras),
  };
  switch (status) {
    case "complete":
      return [
        snapshot,
        {
          type: "conversation_complete",
          ...stamp,
          full_response: content,
          agent_id: reply.agentId,
          finish_reason: reply.finishReason ?? "stop",
          usage: reply.usage,
          ...outputOf(reply),
          duration_ms: 0,
          time_to_first_token_ms: null,
        },
      ];
    case "cancelled":
      return [
        snapshot,
        {
          type: "cancelled",
          ...stamp,
          full_response: content,
          reason: reply.finishReason ?? "cancelled",
        },
      ];
    case "failed":
    case "interrupted": {
      const { type = "interrupted", code = 500, message = "" } = reply.error ?? {};
      return [
        snapshot,
        { type: "error", ...stamp, error: message, code, error_type: type, full_response: content },
      ];
    }
    case "paused":
      return [
        snapshot,
        {
          type: "paused",
          ...stamp,
          requirements: (reply.requirements ?? []) as Extract<
            ReplyEvent,
            { type: "paused" }
          >["requirements"],
        },
      ];
    default:
      return [snapshot];
  }
}

/** What the client's own reader makes of a stream. */
export function assembled(id: string, chunks: readonly Chunk[]): UiMessage {
  const parts: Record<string, unknown>[] = [];
  const metadata: Record<string, unknown> = {};
  const written = new Map<unknown, Record<string, unknown>>();
  const write = (key: unknown, part: Record<string, unknown>) => {
    written.set(key, part);
    parts.push(part);
  };
  const tool = (toolCallId: unknown, more: object) => {
    const part = parts.findLast((each) => each["toolCallId"] === toolCallId);
    if (part === undefined) parts.push({ type: "dynamic-tool", toolCallId, ...more });
    else Object.assign(part, more);
  };
  for (const { type, ...chunk } of chunks) {
    const { id: key, toolCallId } = chunk;
    switch (type) {
      case "start-step":
        parts.push({ type: "step-start" });
        break;
      case "reset-step":
        parts.splice(parts.findLastIndex((part) => part["type"] === "step-start") + 1);
        break;
      case "text-start":
        write(key, { type: "text", text: "", state: "streaming", ...providerOf(chunk) });
        break;
      case "reasoning-start":
        write(key, {
          type: "reasoning",
          id: key,
          text: "",
          state: "streaming",
          ...providerOf(chunk),
        });
        break;
      case "text-delta":
      case "reasoning-delta": {
        const part = written.get(key);
        if (part !== undefined) part["text"] = `${String(part["text"])}${String(chunk["delta"])}`;
        break;
      }
      case "text-end":
      case "reasoning-end": {
        const part = written.get(key);
        if (part !== undefined) part["state"] = "done";
        break;
      }
      case "tool-input-start":
      case "tool-input-available": {
        const { toolName, input, providerExecuted, toolMetadata } = chunk;
        const state = type === "tool-input-start" ? "input-streaming" : "input-available";
        tool(toolCallId, {
          toolName,
          state,
          input,
          providerExecuted,
          ...(toolMetadata !== undefined && { toolMetadata }),
        });
        break;
      }
      case "tool-output-available":
        tool(toolCallId, { state: "output-available", output: chunk["output"] });
        break;
      case "tool-output-error":
        tool(toolCallId, { state: "output-error", errorText: chunk["errorText"] });
        break;
      case "tool-approval-request":
        tool(toolCallId, { state: "approval-requested", approval: { id: chunk["approvalId"] } });
        break;
      case "start":
      case "finish":
      case "message-metadata":
        Object.assign(metadata, chunk["messageMetadata"]);
        break;
      case "finish-step":
      case "abort":
      case "error":
        break;
      default:
        if (chunk["transient"] !== true) {
          const same = parts.find(
            (part) => part["type"] === type && key !== undefined && part["id"] === key,
          );
          if (same === undefined) parts.push({ type, ...chunk });
          else same["data"] = chunk["data"];
        }
    }
  }
  return { id, role: "assistant", metadata: metadata as Metadata, parts: parts as Part[] };
}

function providerOf({ providerMetadata }: Readonly<Record<string, unknown>>): object {
  return providerMetadata === undefined ? {} : { providerMetadata };
}
