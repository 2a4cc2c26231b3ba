import type { ReplyEvent } from "../../replies/reply-event.ts";
import { stride, type Projection, type ProtocolEvent } from "../view.ts";
import { catchUp } from "./catch-up.ts";
import { initialState, type ChatOptions, type ChatState } from "./chat-state.ts";
import { createMessageWriter, type MessageWriter } from "./message-writer.ts";
import {
  audioChunk,
  customChunk,
  eventId,
  fileChunk,
  sourceChunk,
  steeredChunk,
  suggestionsChunk,
  tasksChunk,
} from "./parts.ts";
import type { Call } from "./tool-parts.ts";

/**
 * A reply, or what of it follows a decision, as a UI message stream of the AI SDK: one step, so that text that an agent
 * takes back can be taken back. What a reply has waited for is told where it waits; once it has gone on, what its tools
 * did is all that counts.
 */
export function chatProjection(options: ChatOptions): Projection<ChatState> {
  const { after = 0 } = options;
  return {
    initial: initialState,

    project(before, event, firstNumber) {
      if (before.isOver) return [before, []];
      const isShown = firstNumber >= (after + 1) * stride;
      // As most events are: nothing that goes with what was said before.
      if (event.type === "assistant_chunk" && before.open?.kind === "text" && isShown) {
        if (event.chunk === "") return [before, []];
        return [
          { ...before, content: before.content + event.chunk },
          [{ data: { type: "text-delta", id: before.open.id, delta: event.chunk } }],
        ];
      }
      const writer = createMessageWriter(options, before, isShown);
      if (before.paused !== null) writer.set({ paused: null });
      if (isShown && !before.hasBegun) begin(writer, options);
      tell(writer, event, firstNumber, options);
      return [writer.state, writer.told.map((data) => ({ data }))];
    },

    isOver: ({ isOver }) => isOver,

    rest(state): readonly ProtocolEvent[] {
      const { paused } = state;
      if (paused === null || !state.hasBegun) return [];
      const writer = createMessageWriter(options, state, true);
      for (const requirement of paused.requirements) writer.ask(requirement);
      const { error, error_type: type } = paused;
      finish(writer, "tool-calls", {
        finish_reason: "paused",
        ...(error !== undefined && { error: { type, message: error } }),
      });
      return writer.told.map((data) => ({ data }));
    },
  };
}

/** What came before is in the client's message already; it is this one that goes on. */
function begin(w: MessageWriter, options: ChatOptions): void {
  const { messageId, sessionId, agentId, createdAt, answered = [] } = options;
  for (const { toolCallId, isApproved } of answered) {
    const known = w.state.calls.find(({ id }) => id === toolCallId);
    const isClients = isApproved === null;
    if (known === undefined) {
      const of = toolCallId.slice(messageId.length + 1);
      const call: Call = {
        id: toolCallId,
        of,
        name: of,
        by: null,
        input: { value: {} },
        isClients,
        isApproved,
        end: null,
      };
      w.set({ calls: [...w.state.calls, call] });
    } else if (known.end === null) w.setCall({ ...known, isClients, isApproved });
  }
  w.set({ hasBegun: true, items: [], open: null, settled: w.state.content.length });
  w.emit({
    type: "start",
    messageId,
    messageMetadata: {
      session_id: sessionId,
      agent_id: agentId,
      created_at: createdAt.toISOString(),
    },
  });
  w.emit({ type: "start-step" });
  for (const { toolCallId, isApproved } of answered) {
    if (isApproved !== false) continue;
    const call = w.state.calls.find(({ id }) => id === toolCallId);
    if (call?.end === null) w.endCall(call, "denied");
  }
}

/** What an event of the log adds to the message. */
function tell(
  w: MessageWriter,
  event: ReplyEvent,
  firstNumber: number,
  options: ChatOptions,
): void {
  switch (event.type) {
    case "assistant_chunk":
      w.write(event.chunk);
      return;
    case "reasoning_chunk":
      w.think(event.chunk, event.agent_id);
      return;
    case "tool_call":
      w.tool(event, event.tool_call_id);
      return;
    case "replaced":
      w.become(event.content);
      return;
    case "media":
      w.add(fileChunk(event, eventId(firstNumber)));
      return;
    case "audio_response":
      w.add(audioChunk(event.audio));
      return;
    case "sources":
      for (const source of event.sources) {
        w.count("sources");
        w.add(sourceChunk(source, w.state.counts.sources));
      }
      return;
    case "suggestions":
      w.add(suggestionsChunk(event.suggestions));
      return;
    case "tasks":
      w.add(tasksChunk(event.tasks));
      return;
    case "agent_custom": {
      w.count("custom");
      const { name, data, agent_id } = event;
      w.add(
        customChunk({ name, ...(data !== undefined && { data }), agent_id }, w.state.counts.custom),
      );
      return;
    }
    case "steered": {
      w.count("steered");
      const { user_message_id, message, text_start } = event;
      w.add(steeredChunk({ user_message_id, message, text_start }, w.state.counts.steered));
      return;
    }
    case "agent_event": {
      const data = valueOf(event);
      if (event.event === "step_progress") {
        w.add({ type: "data-agent-event", data, transient: true }, false);
      } else w.add({ type: "data-agent-event", id: `event_${eventId(firstNumber)}`, data });
      return;
    }
    case "queued":
      w.add({ type: "data-queued", data: valueOf(event), transient: true }, false);
      return;
    case "audio_chunk":
      w.add({ type: "data-audio-chunk", data: valueOf(event), transient: true }, false);
      return;
    case "snapshot":
      catchUp(w, event, options);
      return;
    case "paused":
      w.close();
      w.set({ paused: event });
      return;
    case "conversation_complete": {
      writeRest(w, event.full_response);
      w.close();
      w.endCalls(true);
      const { finish_reason: reason, usage, output, output_error } = event;
      finish(w, reason === "length" ? "length" : "stop", {
        finish_reason: reason,
        ...(usage !== null && { usage: usageOf(usage) }),
        ...(output !== undefined && { output }),
        ...(output_error !== undefined && { output_error }),
      });
      w.set({ isOver: true });
      return;
    }
    case "cancelled":
      writeRest(w, event.full_response);
      w.close();
      w.endCalls(false);
      about(w, { finish_reason: event.reason });
      w.emit({ type: "abort", reason: event.reason });
      w.set({ isOver: true });
      return;
    case "error": {
      writeRest(w, event.full_response);
      w.close();
      w.endCalls(false);
      const error = { type: event.error_type, message: event.error };
      if (event.error_type === "interrupted") finish(w, "interrupted", { error });
      else {
        about(w, { error });
        w.emit({ type: "error", errorText: event.error });
      }
      w.set({ isOver: true });
      return;
    }
    default:
  }
}

function writeRest(w: MessageWriter, text: string): void {
  if (text.startsWith(w.state.content)) w.write(text.slice(w.state.content.length));
}

function about(w: MessageWriter, messageMetadata: object): void {
  w.emit({ type: "message-metadata", messageMetadata });
}

function finish(w: MessageWriter, finishReason: string, messageMetadata: object): void {
  w.emit({ type: "finish-step" });
  w.emit({ type: "finish", finishReason, messageMetadata });
}

function usageOf({
  input_tokens: inputTokens,
  output_tokens: outputTokens,
}: {
  input_tokens: number;
  output_tokens: number;
}) {
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
}

/** Without what is on every event. */
function valueOf(event: ReplyEvent): object {
  const {
    type: _type,
    session_id: _session,
    message_id: _message,
    timestamp: _time,
    ...value
  } = event;
  return value;
}
