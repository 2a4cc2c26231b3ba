import type { Requirement } from "../../agents/agent-backend.ts";
import type { ReplyEvent } from "../../replies/reply-event.ts";
import { stride, type Projection, type ProtocolEvent } from "../view.ts";
import {
  approvalIdOf,
  callIdOf,
  inputChunk,
  outputChunk,
  type Call,
  type Chunk,
  type StoredCall,
} from "./tool-parts.ts";
import { audioChunk, eventId, fileChunk, sourceChunk, type Media, type Speech } from "./parts.ts";

/** What a client has answered of what a reply had waited for, by the id of the part that it has. */
export interface AnsweredPart {
  readonly toolCallId: string;
  /** Null: it is no approval, but what a tool of the client has given. */
  readonly isApproved: boolean | null;
}

export interface ChatOptions {
  readonly messageId: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly createdAt: Date;
  /** What follows this event is shown: of what is before, the client has a message that goes on. */
  readonly after?: number;
  /** The text up to there, for when the log begins later. */
  readonly shown?: string;
  readonly answered?: readonly AnsweredPart[];
  /** What the row has beside its text, for when that is all the log knows any more. */
  readonly stored?: {
    readonly toolCalls?: readonly StoredCall[];
    readonly media?: readonly Media[];
    readonly audio?: Speech | null;
  };
}

/** A part of the message that comes again when its step begins anew; its text does not. */
type Item =
  | {
      readonly kind: "thought";
      readonly id: string;
      readonly from: number;
      readonly to: number;
      readonly by: string;
    }
  | { readonly kind: "call"; readonly id: string }
  | { readonly kind: "chunk"; readonly chunk: Chunk };

export interface ChatState {
  readonly hasBegun: boolean;
  readonly isOver: boolean;
  /** All of the reply's text and thinking that the log has told. */
  readonly content: string;
  readonly reasoning: string;
  /** How much of the text is in steps before this one, which cannot be taken back. */
  readonly settled: number;
  /** What is being written, and where in the thinking it began. */
  readonly open:
    | { readonly kind: "text"; readonly id: string }
    | { readonly kind: "thought"; readonly id: string; readonly from: number; readonly by: string }
    | null;
  readonly counts: {
    readonly text: number;
    readonly thought: number;
    readonly sources: number;
    readonly custom: number;
    readonly steered: number;
  };
  readonly calls: readonly Call[];
  readonly items: readonly Item[];
  readonly paused: Extract<ReplyEvent, { type: "paused" }> | null;
}

const initialState: ChatState = {
  hasBegun: false,
  isOver: false,
  content: "",
  reasoning: "",
  settled: 0,
  open: null,
  counts: { text: 0, thought: 0, sources: 0, custom: 0, steered: 0 },
  calls: [],
  items: [],
  paused: null,
};

/**
 * A reply, or what of it follows a decision, as a UI message stream of the AI SDK: one step, so that text that an agent
 * takes back can be taken back. What a reply has waited for is told where it waits; once it has gone on, what its tools
 * did is all that counts.
 */
export function chatProjection(options: ChatOptions): Projection<ChatState> {
  const { messageId, after = 0 } = options;

  const telling = (before: ChatState, isShown: boolean) => {
    const told: Chunk[] = [];
    let state = before;
    const emit = (chunk: Chunk) => {
      if (isShown) told.push(chunk);
    };
    const set = (more: Partial<ChatState>) => {
      state = { ...state, ...more };
    };
    const count = (of: keyof ChatState["counts"], more = 1) =>
      set({ counts: { ...state.counts, [of]: state.counts[of] + more } });

    const close = () => {
      const { open } = state;
      if (open === null) return;
      set({ open: null });
      if (open.kind === "text") emit({ type: "text-end", id: open.id });
      else {
        const item = { ...open, to: state.reasoning.length };
        set({ items: [...state.items, item] });
        emit({ type: "reasoning-end", id: open.id });
      }
    };

    const write = (delta: string) => {
      if (delta === "") return;
      if (state.open?.kind !== "text") {
        close();
        count("text");
        const id = `text_${state.counts.text}`;
        set({ open: { kind: "text", id } });
        emit({ type: "text-start", id });
      }
      emit({ type: "text-delta", id: state.open?.id, delta });
      set({ content: state.content + delta });
    };

    const think = (delta: string, by: string = options.agentId) => {
      if (delta === "") return;
      if (state.open?.kind !== "thought" || state.open.by !== by) {
        close();
        count("thought");
        const id = `reasoning_${state.counts.thought}`;
        set({ open: { kind: "thought", id, from: state.reasoning.length, by } });
        emit(thoughtStart(id, by));
      }
      emit({ type: "reasoning-delta", id: state.open?.id, delta });
      set({ reasoning: state.reasoning + delta });
    };

    const thoughtStart = (id: string, by: string): Chunk => ({
      type: "reasoning-start",
      id,
      ...(by !== options.agentId && { providerMetadata: { chat_service: { agent_id: by } } }),
    });

    /** A part that is whole from the start. One of data takes the place of what has its id. */
    const add = (chunk: Chunk, isKept = true) => {
      emit(chunk);
      if (!isKept) return;
      const isSame = (item: Item) =>
        item.kind === "chunk" && item.chunk.type === chunk.type && item.chunk["id"] === chunk["id"];
      const others =
        chunk["id"] === undefined ? state.items : state.items.filter((item) => !isSame(item));
      set({ items: [...others, { kind: "chunk", chunk }] });
    };

    /** The text is this now: what was shown goes on, or was wrong. */
    const become = (content: string) => {
      if (content.startsWith(state.content)) {
        write(content.slice(state.content.length));
        return;
      }
      close();
      emit({ type: "reset-step" });
      for (const item of state.items) {
        if (item.kind === "chunk") emit(item.chunk);
        else if (item.kind === "thought") {
          const { id, from, to, by } = item;
          emit(thoughtStart(id, by));
          emit({ type: "reasoning-delta", id, delta: state.reasoning.slice(from, to) });
          emit({ type: "reasoning-end", id });
        } else {
          const call = state.calls.find(({ id }) => id === item.id);
          if (call === undefined) continue;
          emit(inputChunk(call));
          if (call.end !== null) emit(outputChunk(call));
        }
      }
      const settled = state.content.slice(0, state.settled);
      // What is wrong in a step that is over stays there; all of what is right follows it.
      set({ content: content.startsWith(settled) ? settled : "" });
      write(content.slice(state.content.length));
    };

    const setCall = (call: Call) =>
      set({ calls: state.calls.map((each) => (each.id === call.id ? call : each)) });
    const endCall = (call: Call, end: NonNullable<Call["end"]>) => {
      const ended = { ...call, end };
      setCall(ended);
      emit(outputChunk(ended));
    };

    const tool = (given: StoredCall, of: string) => {
      const named = state.calls.filter((each) => each.of === of);
      let call = named.at(-1);
      const isOver = given.status !== "started";
      // Agents may use an id again.
      if (call === undefined || (call.end !== null && !isOver)) {
        call = {
          id: callIdOf(messageId, of, named.length),
          of,
          name: given.name,
          by: given.agent_id === options.agentId ? null : (given.agent_id ?? null),
          input: given.arguments === undefined ? null : { value: given.arguments },
          isClients: false,
          end: null,
        };
        close();
        set({
          calls: [...state.calls, call],
          items: [...state.items, { kind: "call", id: call.id }],
        });
        emit(inputChunk(call));
      }
      if (call.end !== null) return;
      if (call.input === null && (given.arguments !== undefined || isOver)) {
        call = { ...call, input: { value: given.arguments ?? {} } };
        setCall(call);
        emit(inputChunk(call));
      }
      if (isOver) endCall(call, { isFailed: given.status === "failed", result: given.result });
    };

    /** Nothing is left at work when the reply is over. */
    const endCalls = (isComplete: boolean) => {
      for (const call of state.calls) {
        if (call.end !== null || call.isClients) continue;
        const isDone = isComplete && call.isApproved === true;
        endCall(
          call,
          isDone ? { isFailed: false, result: null } : { isFailed: true, result: unfinished },
        );
      }
    };

    const about = (more: object) => emit({ type: "message-metadata", messageMetadata: more });
    const rest = (text: string) => {
      if (text.startsWith(state.content)) write(text.slice(state.content.length));
    };
    const finish = (finishReason: string, messageMetadata: object) => {
      emit({ type: "finish-step" });
      emit({ type: "finish", finishReason, messageMetadata });
    };

    /** What came before is in the client's message already; it is this one that goes on. */
    const begin = () => {
      for (const { toolCallId, isApproved } of options.answered ?? []) {
        const known = state.calls.find(({ id }) => id === toolCallId);
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
          set({ calls: [...state.calls, call] });
        } else if (known.end === null) setCall({ ...known, isClients, isApproved });
      }
      set({ hasBegun: true, items: [], open: null, settled: state.content.length });
      const { sessionId, agentId, createdAt } = options;
      emit({
        type: "start",
        messageId,
        messageMetadata: {
          session_id: sessionId,
          agent_id: agentId,
          created_at: createdAt.toISOString(),
        },
      });
      emit({ type: "start-step" });
      for (const { toolCallId, isApproved } of options.answered ?? []) {
        if (isApproved !== false) continue;
        const call = state.calls.find(({ id }) => id === toolCallId);
        if (call?.end === null) endCall(call, "denied");
      }
    };

    const tell = (event: ReplyEvent, firstNumber: number) => {
      switch (event.type) {
        case "assistant_chunk":
          write(event.chunk);
          return;
        case "reasoning_chunk":
          think(event.chunk, event.agent_id);
          return;
        case "tool_call":
          tool(event, event.tool_call_id);
          return;
        case "replaced":
          become(event.content);
          return;
        case "media":
          add(fileChunk(event, eventId(firstNumber)));
          return;
        case "audio_response":
          add(audioChunk(event.audio));
          return;
        case "sources":
          for (const source of event.sources) {
            count("sources");
            add(sourceChunk(source, state.counts.sources));
          }
          return;
        case "suggestions":
          add({
            type: "data-suggestions",
            id: "suggestions",
            data: { suggestions: event.suggestions },
          });
          return;
        case "tasks":
          add({ type: "data-tasks", id: "tasks", data: { tasks: event.tasks } });
          return;
        case "agent_custom": {
          count("custom");
          const { name, data, agent_id } = event;
          add(
            customChunk(
              { name, ...(data !== undefined && { data }), agent_id },
              state.counts.custom,
            ),
          );
          return;
        }
        case "steered": {
          count("steered");
          const { user_message_id, message, text_start } = event;
          const data = { user_message_id, message, text_start };
          add({ type: "data-steered", id: `steered_${state.counts.steered}`, data });
          return;
        }
        case "agent_event": {
          const data = valueOf(event);
          if (event.event === "step_progress") {
            add({ type: "data-agent-event", data, transient: true }, false);
          } else add({ type: "data-agent-event", id: `event_${eventId(firstNumber)}`, data });
          return;
        }
        case "queued":
          add({ type: "data-queued", data: valueOf(event), transient: true }, false);
          return;
        case "audio_chunk":
          add({ type: "data-audio-chunk", data: valueOf(event), transient: true }, false);
          return;
        case "snapshot":
          catchUp(event);
          return;
        case "paused":
          close();
          set({ paused: event });
          return;
        case "conversation_complete": {
          rest(event.full_response);
          close();
          endCalls(true);
          const { finish_reason: reason, usage, output, output_error } = event;
          finish(reason === "length" ? "length" : "stop", {
            finish_reason: reason,
            ...(usage !== null && { usage: usageOf(usage) }),
            ...(output !== undefined && { output }),
            ...(output_error !== undefined && { output_error }),
          });
          set({ isOver: true });
          return;
        }
        case "cancelled":
          rest(event.full_response);
          close();
          endCalls(false);
          about({ finish_reason: event.reason });
          emit({ type: "abort", reason: event.reason });
          set({ isOver: true });
          return;
        case "error": {
          rest(event.full_response);
          close();
          endCalls(false);
          const error = { type: event.error_type, message: event.error };
          if (event.error_type === "interrupted") finish("interrupted", { error });
          else {
            about({ error });
            emit({ type: "error", errorText: event.error });
          }
          set({ isOver: true });
          return;
        }
        default:
      }
    };

    const customChunk = (data: object, number: number): Chunk => ({
      type: "data-agent-custom",
      id: `custom_${number}`,
      data,
    });

    const catchUp = (event: Extract<ReplyEvent, { type: "snapshot" }>) => {
      const isFirst =
        state.content === "" &&
        state.reasoning === "" &&
        state.calls.every(({ isClients, isApproved }) => isClients || isApproved !== undefined);
      const { shown = "", stored } = options;
      const { reasoning = "" } = event;
      const isBehind = isFirst && isShown && shown !== "";
      if (isBehind) {
        // The text before the pause has a message already; its thinking was shown with it.
        set({ content: shown, reasoning, settled: shown.length });
      } else if (reasoning.startsWith(state.reasoning)) {
        think(reasoning.slice(state.reasoning.length));
      }
      if (isFirst && !isBehind) {
        for (const [index, call] of (stored?.toolCalls ?? []).entries()) {
          tool(call, call.tool_call_id ?? `stored_${index}`);
        }
      }
      become(event.content);
      if (isFirst && !isBehind) {
        for (const [index, media] of (stored?.media ?? []).entries()) {
          add(fileChunk(media, index));
        }
        if (stored?.audio?.url !== undefined) add(audioChunk(stored.audio));
      }
      for (const source of (event.sources ?? []).slice(state.counts.sources)) {
        count("sources");
        add(sourceChunk(source, state.counts.sources));
      }
      const { suggestions, tasks } = event;
      if (suggestions !== undefined)
        add({ type: "data-suggestions", id: "suggestions", data: { suggestions } });
      if (tasks !== undefined) add({ type: "data-tasks", id: "tasks", data: { tasks } });
      for (const custom of (event.custom_events ?? []).slice(state.counts.custom)) {
        count("custom");
        add(customChunk(custom, state.counts.custom));
      }
      for (const { message_id, text_start } of (event.steered ?? []).slice(state.counts.steered)) {
        count("steered");
        const data = { user_message_id: message_id, text_start };
        add({ type: "data-steered", id: `steered_${state.counts.steered}`, data });
      }
    };

    const ask = (requirement: Requirement) => {
      const { id: of, kind, tool: name, arguments: given } = requirement;
      const isClients = kind !== "confirm";
      const named = state.calls.filter((each) => each.of === of);
      const waiting = named.findLast(({ end }) => end === null);
      const id = waiting?.id ?? callIdOf(messageId, of, named.length);
      const call: Call = { id, of, name, by: null, input: { value: given }, isClients, end: null };
      const isShownAlready = waiting?.input !== null && waiting !== undefined && !isClients;
      if (!isShownAlready) emit(inputChunk(call));
      if (!isClients) {
        emit({
          type: "tool-approval-request",
          approvalId: approvalIdOf(messageId, of),
          toolCallId: id,
        });
      }
    };

    return { told, begin, tell, ask, finish, get: () => state, set };
  };

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
      const { told, begin, tell, get, set } = telling(before, isShown);
      if (before.paused !== null) set({ paused: null });
      if (isShown && !before.hasBegun) begin();
      tell(event, firstNumber);
      return [get(), told.map((data) => ({ data }))];
    },

    isOver: ({ isOver }) => isOver,

    rest(state): readonly ProtocolEvent[] {
      const { paused } = state;
      if (paused === null || !state.hasBegun) return [];
      const { told, ask, finish } = telling(state, true);
      for (const requirement of paused.requirements) ask(requirement);
      const { error, error_type: type } = paused;
      finish("tool-calls", {
        finish_reason: "paused",
        ...(error !== undefined && { error: { type, message: error } }),
      });
      return told.map((data) => ({ data }));
    },
  };
}

/** Of a tool that was at work when its reply ended. */
const unfinished = "The reply ended before the tool did.";

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
