import type { Requirement } from "../../agents/agent-backend.ts";
import type { ChatOptions, ChatState, Item } from "./chat-state.ts";
import {
  approvalIdOf,
  callIdOf,
  inputChunk,
  outputChunk,
  type Call,
  type Chunk,
  type StoredCall,
} from "./tool-parts.ts";

/** Of a tool that was at work when its reply ended. */
const unfinished = "The reply ended before the tool did.";

export type MessageWriter = ReturnType<typeof createMessageWriter>;

/**
 * Writes one message of the AI SDK, from what it is already: parts are begun and ended as they have to be, and what is
 * written again replaces what was there. What is not shown is part of the state alone.
 */
export function createMessageWriter(
  options: Pick<ChatOptions, "messageId" | "agentId">,
  before: ChatState,
  isShown: boolean,
) {
  const { messageId } = options;
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

  return {
    get state() {
      return state;
    },
    told: told as readonly Chunk[],
    isShown,
    set,
    emit,
    count,
    write,
    think,
    close,
    add,
    become,
    tool,
    setCall,
    endCall,
    endCalls,
    ask,
  };
}
