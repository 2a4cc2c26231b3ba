import type { ReplyEvent } from "../../replies/reply-event.ts";
import { stride, type Projection, type ProtocolEvent } from "../view.ts";
import { interruptOf } from "./interrupts.ts";

/** A message, as these clients keep it. */
export type Message = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly role: string;
};

export interface StoredCall {
  readonly tool_call_id?: string;
  readonly name: string;
  readonly status: string;
  readonly arguments?: unknown;
  readonly result?: unknown;
  readonly agent_id?: string;
}

export interface RunOptions {
  readonly messageId: string;
  readonly threadId: string;
  readonly runId: string;
  /** The run begins behind this event: before it are those of the same reply that ended with an interrupt. */
  readonly after?: number;
  /** The text up to there, for when the log begins later. */
  readonly shown?: string;
  /** What was said before, where the client may not know it. */
  readonly input?: readonly Message[];
  /** What the client has beside this run; null: that is not known. */
  readonly held?: readonly Message[] | null;
  /** The reply's tools, for when the log has only its text any more. */
  readonly storedCalls?: readonly StoredCall[];
  /** Clients from before 1.0, which do not say a version, know of no run that was cancelled. */
  readonly isOld?: boolean;
  /** What follows an interrupt is shown too, as a further run. */
  readonly goesOn?: boolean;
}

/** A part of a run that is a message, or belongs to one, in the order in which it came. */
type Item = WordsOf<"text"> | WordsOf<"reasoning"> | CallItem;

interface WordsOf<Kind extends string> {
  readonly kind: Kind;
  readonly id: string;
  readonly text: string;
}

interface CallItem {
  readonly kind: "call";
  readonly id: string;
  /** As the agent calls it. */
  readonly of: string;
  readonly name: string;
  readonly parent: string | null;
  readonly given: string | null;
  readonly result: string | null;
  readonly member: string | null;
  readonly hasEnded: boolean;
}

interface Member {
  readonly id: string;
  readonly agentId: string;
}

export interface RunState {
  readonly hasBegun: boolean;
  readonly isOver: boolean;
  /** Which run of the reply it is, from 1. */
  readonly segment: number;
  /** All of the reply's text and thinking that the log has told. */
  readonly content: string;
  readonly reasoning: string;
  /** What is being written, and where in the text or thinking it began. */
  readonly open: {
    readonly kind: "text" | "reasoning";
    readonly id: string;
    readonly from: number;
    readonly member: string | null;
  } | null;
  readonly items: readonly Item[];
  /** How many of each there have been in the reply. */
  readonly counts: { readonly text: number; readonly reasoning: number; readonly members: number };
  /** At work now. */
  readonly members: readonly Member[];
  readonly steps: readonly { readonly key: string; readonly name: string }[];
}

const initialState: RunState = {
  hasBegun: false,
  isOver: false,
  segment: 1,
  content: "",
  reasoning: "",
  open: null,
  items: [],
  counts: { text: 0, reasoning: 0, members: 0 },
  members: [],
  steps: [],
};

/** Of what is told in one event of the log, where its numbers would not reach further. */
const maxStoredCalls = 10;

/** Our events that the protocol has none for, told as they are. */
const customEvents: ReadonlySet<string> = new Set([
  "queued",
  "media",
  "sources",
  "suggestions",
  "tasks",
  "steered",
  "audio_chunk",
  "audio_response",
]);

/** A reply, or what of it follows a decision, as a run of AG-UI. */
export function runProjection(options: RunOptions): Projection<RunState> {
  const { messageId, threadId, after = 0, goesOn = false } = options;

  const project = (
    before: RunState,
    event: ReplyEvent,
    firstNumber: number,
  ): readonly [RunState, readonly ProtocolEvent[]] => {
    let state = before;
    if (state.isOver) return [state, []];
    const isShown = firstNumber >= (after + 1) * stride;
    const told: object[] = [];
    const emit = (type: string, more: object, note?: object) => {
      if (!isShown) return;
      const metadata = { chat_service: { seq: firstNumber + told.length, ...note } };
      told.push({ type, ...more, metadata });
    };
    const set = (more: Partial<RunState>) => {
      state = { ...state, ...more };
    };
    const runId = `${options.runId}${goesOn && state.segment > 1 ? `_${state.segment}` : ""}`;

    const tagOf = (agentId: string | undefined): string | null =>
      state.members.findLast((member) => member.agentId === agentId)?.id ?? null;

    /** Ends what is being written. */
    const close = () => {
      const { open } = state;
      if (open === null) return;
      const { kind, id, from, member } = open;
      const text = (kind === "text" ? state.content : state.reasoning).slice(from);
      set({
        open: null,
        items: [...state.items.filter((item) => item.id !== id), { kind, id, text }],
      });
      if (kind === "text") emit("TEXT_MESSAGE_END", { messageId: id });
      else {
        emit("REASONING_MESSAGE_END", { messageId: id, ...tag(member) });
        emit("REASONING_END", { messageId: id, ...tag(member) });
      }
    };

    const begin = (kind: "text" | "reasoning", member: string | null) => {
      if (state.open?.kind === kind && state.open.member === member) return;
      close();
      const count = state.counts[kind];
      const name = kind === "text" ? messageId : `${messageId}_reasoning`;
      const id = count === 0 ? name : `${name}_${count}`;
      const from = (kind === "text" ? state.content : state.reasoning).length;
      set({ open: { kind, id, from, member }, counts: { ...state.counts, [kind]: count + 1 } });
      if (kind === "text") emit("TEXT_MESSAGE_START", { messageId: id, role: "assistant" });
      else {
        emit("REASONING_START", { messageId: id, ...tag(member) });
        emit("REASONING_MESSAGE_START", { messageId: id, role: "reasoning", ...tag(member) });
      }
    };

    const write = (kind: "text" | "reasoning", delta: string, member: string | null = null) => {
      if (delta === "") return;
      begin(kind, member);
      const id = state.open?.id;
      if (kind === "text") {
        set({ content: state.content + delta });
        emit("TEXT_MESSAGE_CONTENT", { messageId: id, delta });
      } else {
        set({ reasoning: state.reasoning + delta });
        emit("REASONING_MESSAGE_CONTENT", { messageId: id, delta, ...tag(member) });
      }
    };

    /** The text is this now: what was shown goes on, or was wrong. */
    const become = (content: string) => {
      if (content.startsWith(state.content)) {
        write("text", content.slice(state.content.length));
        return;
      }
      close();
      const last = state.items.at(-1);
      const isLast = last?.kind === "text";
      // What calls hang on stays, without its words.
      set({ content: "", items: state.items.filter(({ kind }) => kind !== "text") });
      const held = options.held ?? null;
      if (held === null) {
        // Nobody can say what else the client has, and what it is not told of would be gone.
        write("text", content);
        return;
      }
      const { text: count } = state.counts;
      const id = isLast ? last.id : count === 0 ? messageId : `${messageId}_${count}`;
      if (!isLast) set({ counts: { ...state.counts, text: count + 1 } });
      set({ content, items: [...state.items, { kind: "text", id, text: content }] });
      emit("MESSAGES_SNAPSHOT", {
        messages: [...withoutReply(held, messageId), ...messagesOf(state)],
      });
      set({ open: { kind: "text", id, from: 0, member: null } });
      emit("TEXT_MESSAGE_START", { messageId: id, role: "assistant" });
    };

    const setCall = (id: string, more: object) => {
      set({ items: state.items.map((item) => (item.id === id ? { ...item, ...more } : item)) });
    };
    const endCall = (id: string, given: string, member: string | null) => {
      emit("TOOL_CALL_ARGS", { toolCallId: id, delta: given, ...tag(member) });
      emit("TOOL_CALL_END", { toolCallId: id, ...tag(member) });
      setCall(id, { given });
    };

    const endResult = (id: string, content: string, member: string | null, note: object) => {
      setCall(id, { result: content, hasEnded: true });
      const result = { messageId: `${id}_result`, toolCallId: id, content, role: "tool" };
      emit("TOOL_CALL_RESULT", { ...result, ...tag(member) }, note);
    };

    const call = (given: StoredCall, of: string, member: string | null) => {
      // Agents may use an id again.
      const named = state.items.filter((each) => each.kind === "call" && each.of === of);
      let item = named.at(-1);
      const isNew = item?.kind !== "call" || (item.hasEnded && given.status === "started");
      const args = given.arguments === undefined ? null : jsonText(given.arguments);
      if (isNew) {
        close();
        const id = `${messageId}_${of}${named.length > 0 ? `_${named.length + 1}` : ""}`;
        const parent =
          member === null
            ? (state.items.findLast(({ kind }) => kind === "text")?.id ?? null)
            : null;
        item = {
          kind: "call",
          id,
          of,
          name: given.name,
          parent,
          given: null,
          result: null,
          member,
          hasEnded: false,
        };
        set({ items: [...state.items, item] });
        emit("TOOL_CALL_START", {
          toolCallId: id,
          toolCallName: given.name,
          ...(parent !== null && { parentMessageId: parent }),
          ...tag(member),
        });
      }
      if (item?.kind !== "call" || item.hasEnded) return;
      const { id } = item;
      const isOver = given.status !== "started";
      if (item.given === null && (args !== null || isOver)) endCall(id, args ?? "{}", item.member);
      if (!isOver) return;
      const result = given.result === undefined ? "" : jsonText(given.result);
      endResult(id, result, item.member, given.status === "failed" ? { failed: true } : {});
    };

    const agentEvent = (at: Extract<ReplyEvent, { type: "agent_event" }>) => {
      const detail = at.detail === undefined ? {} : { detail: at.detail };
      const key = `${at.agent_id}\n${at.name}`;
      switch (at.event) {
        case "member_started": {
          const count = state.counts.members;
          const id = `${messageId}_member_${count}`;
          const parent = tagOf(at.parent_agent_id);
          set({
            members: [...state.members, { id, agentId: at.agent_id }],
            counts: { ...state.counts, members: count + 1 },
          });
          emit("SUBAGENT_STARTED", {
            subagentRunId: id,
            name: at.name,
            ...(parent !== null && { parentSubagentRunId: parent }),
          });
          return;
        }
        case "member_completed":
        case "member_failed": {
          const member = state.members.find(({ agentId }) => agentId === at.agent_id);
          if (member === undefined) return;
          if (state.open?.member === member.id) close();
          set({ members: state.members.filter(({ id }) => id !== member.id) });
          if (at.event === "member_failed") {
            emit("SUBAGENT_ERROR", { subagentRunId: member.id, message: at.detail ?? at.name });
          } else {
            emit(
              "SUBAGENT_FINISHED",
              { subagentRunId: member.id, outcome: { type: "success" } },
              detail,
            );
          }
          return;
        }
        case "step_started": {
          const names = new Set(state.steps.map(({ name }) => name));
          let name = at.name;
          for (let count = 2; names.has(name); count += 1) name = `${at.name} (${count})`;
          set({ steps: [...state.steps, { key, name }] });
          emit("STEP_STARTED", { stepName: name });
          return;
        }
        case "step_completed":
        case "step_failed": {
          const step = state.steps.find((each) => each.key === key);
          if (step === undefined) return;
          set({ steps: state.steps.filter((each) => each !== step) });
          const isFailed = at.event === "step_failed";
          emit(
            "STEP_FINISHED",
            { stepName: step.name },
            { ...detail, ...(isFailed && { failed: true }) },
          );
          return;
        }
        default:
          emit("CUSTOM", { name: at.event, value: valueOf(at) });
      }
    };

    /** Whatever is open, the innermost first. */
    const closeAll = (outcome: "success" | "suspended") => {
      close();
      for (const item of state.items) {
        if (item.kind !== "call" || item.hasEnded) continue;
        if (item.given === null) {
          emit("TOOL_CALL_END", { toolCallId: item.id, ...tag(item.member) });
          setCall(item.id, { given: "" });
        }
        if (outcome === "suspended") continue;
        // Clients wait for an answer to each call.
        endResult(item.id, "", item.member, { unfinished: true });
      }
      for (const member of state.members.toReversed()) {
        emit("SUBAGENT_FINISHED", { subagentRunId: member.id, outcome: { type: outcome } });
      }
      for (const { name } of state.steps.toReversed()) emit("STEP_FINISHED", { stepName: name });
      set({ members: [], steps: [] });
    };
    const finish = (outcome: object | null, more: object = {}, note: object = {}) => {
      emit("RUN_FINISHED", { threadId, runId, ...(outcome && { outcome }), ...more }, note);
      set({ isOver: true });
    };
    const rest = (text: string) => {
      if (text.startsWith(state.content)) write("text", text.slice(state.content.length));
    };

    if (isShown && !state.hasBegun) {
      set({ hasBegun: true });
      const input = options.input !== undefined && state.segment === 1 ? options.input : null;
      emit("RUN_STARTED", {
        threadId,
        runId,
        protocolVersion: "1.0",
        ...(input !== null && {
          input: {
            threadId,
            runId,
            state: {},
            messages: input,
            tools: [],
            context: [],
            forwardedProps: {},
          },
        }),
      });
    }

    switch (event.type) {
      case "assistant_chunk":
        write("text", event.chunk);
        break;
      case "reasoning_chunk":
        write("reasoning", event.chunk, tagOf(event.agent_id));
        break;
      case "tool_call":
        call(event, event.tool_call_id, tagOf(event.agent_id));
        break;
      case "agent_event":
        agentEvent(event);
        break;
      case "agent_custom":
        emit("CUSTOM", { name: event.name, value: event.data ?? {} });
        break;
      case "replaced":
        become(event.content);
        break;
      case "snapshot": {
        const isFirst = state.counts.text + state.counts.reasoning + state.items.length === 0;
        const shown = isFirst ? (options.shown ?? "") : "";
        const { reasoning = "" } = event;
        if (shown !== "") {
          // The text before the interrupt has a message already; its thinking was shown with it.
          set({ content: shown, reasoning, counts: { text: 1, reasoning: 1, members: 0 } });
        } else if (reasoning.startsWith(state.reasoning)) {
          write("reasoning", reasoning.slice(state.reasoning.length));
        }
        if (isFirst && shown === "") {
          for (const [index, stored] of (options.storedCalls ?? [])
            .slice(-maxStoredCalls)
            .entries()) {
            call(stored, stored.tool_call_id ?? `stored_${index}`, null);
          }
        }
        become(event.content);
        for (const name of ["sources", "suggestions", "tasks"] as const) {
          const value = event[name];
          if (value !== undefined) emit("CUSTOM", { name, value: { [name]: value } });
        }
        break;
      }
      case "conversation_complete": {
        rest(event.full_response);
        closeAll("success");
        const { usage, output, finish_reason } = event;
        finish(
          { type: "success" },
          {
            ...(output !== undefined && output !== null && { result: output }),
            ...(usage !== null && {
              usage: [{ inputTokens: usage.input_tokens, outputTokens: usage.output_tokens }],
            }),
          },
          finish_reason === "stop" ? {} : { finish_reason },
        );
        break;
      }
      case "cancelled":
        rest(event.full_response);
        closeAll("success");
        finish(options.isOld === true ? null : { type: "cancelled" }, {}, { reason: event.reason });
        break;
      case "error":
        rest(event.full_response);
        closeAll("success");
        emit("RUN_ERROR", { message: event.error, code: event.error_type });
        set({ isOver: true });
        break;
      case "paused": {
        closeAll("suspended");
        const interrupts = event.requirements.map((each) => interruptOf(messageId, each));
        const fault = event.error === undefined ? {} : { error: event.error };
        finish({ type: "interrupt", interrupts }, {}, fault);
        // One that decides goes on behind it; so does one that is shown as a whole.
        if (!isShown || goesOn) {
          set({ isOver: false, hasBegun: false, segment: state.segment + 1 });
        }
        break;
      }
      default:
        if (customEvents.has(event.type)) {
          emit("CUSTOM", { name: event.type, value: valueOf(event) });
        }
    }
    return [state, told.map((data) => ({ data }))];
  };

  return { initial: initialState, project, isOver: ({ isOver }) => isOver };
}

/** What a run has come to, as messages; of what calls hang on the words may be gone. */
export function messagesOf({
  items,
  open,
  content,
  reasoning,
}: Pick<RunState, "items" | "open" | "content" | "reasoning">): Message[] {
  const messages: Message[] = [];
  const all: readonly Item[] =
    open === null
      ? items
      : [
          ...items.filter(({ id }) => id !== open.id),
          {
            kind: open.kind,
            id: open.id,
            text: (open.kind === "text" ? content : reasoning).slice(open.from),
          },
        ];
  for (const item of all) {
    const { id } = item;
    if (item.kind === "text") messages.push({ id, role: "assistant", content: item.text });
    else if (item.kind === "reasoning")
      messages.push({ id, role: "reasoning", content: item.text });
    else {
      const toolCall = {
        id,
        type: "function",
        function: { name: item.name, arguments: item.given ?? "" },
      };
      const owner = tag(item.member);
      const index = messages.findIndex((each) => each.id === item.parent);
      const parent = messages[index];
      if (parent === undefined) {
        messages.push({
          id: item.parent ?? id,
          role: "assistant",
          toolCalls: [toolCall],
          ...owner,
        });
      } else {
        const toolCalls = [...((parent["toolCalls"] as object[] | undefined) ?? []), toolCall];
        messages[index] = { ...parent, toolCalls };
      }
      if (item.result !== null) {
        const message = { id: `${id}_result`, role: "tool", content: item.result, toolCallId: id };
        messages.push({ ...message, ...owner });
      }
    }
  }
  return messages;
}

function tag(member: string | null): object {
  return member === null ? {} : { subagentRunId: member };
}

/** Of what a client has, what is not of this reply. */
function withoutReply(held: readonly Message[], messageId: string): Message[] {
  return held.filter(({ id }) => !id.startsWith(messageId));
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

function jsonText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}
