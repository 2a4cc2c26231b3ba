import type { Requirement } from "../../../agents/agent-backend.ts";
import { isTerminal, type ReplyEvent } from "../../../replies/reply-event.ts";
import type { Projection, ProtocolEvent } from "../../view.ts";
import { errorTypeOf } from "../errors.ts";

/** What of a reply a response is: of one that waits for decisions, each part up to the next pause is one. */
export interface ResponseName {
  readonly messageId: string;
  /** From 1 on. */
  readonly segment: number;
}

/** What a request said that its response says again. */
export interface ResponseEcho {
  readonly instructions?: string | null;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly previous_response_id?: string | null;
  readonly background?: boolean | null;
  readonly store?: boolean | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly max_output_tokens?: number | null;
}

export interface ResponseOptions extends ResponseName {
  readonly sessionId: string;
  readonly model: string;
  /** In seconds. */
  readonly created: number;
  readonly echo: ResponseEcho;
  /** Its tools, for when the log has only its text any more. */
  readonly storedCalls: readonly StoredCall[];
}

interface StoredCall {
  readonly name: string;
  readonly status: string;
  readonly arguments?: unknown;
  readonly result?: unknown;
}

type Item = Readonly<Record<string, unknown>>;
type Usage = { readonly input_tokens: number; readonly output_tokens: number } | null;

type Status = "queued" | "in_progress" | "completed" | "incomplete" | "cancelled" | "failed";

export interface ResponseState {
  /** Which part of the reply the log has come to. */
  readonly segment: number;
  readonly status: Status;
  readonly hasBegun: boolean;
  readonly isInProgress: boolean;
  /** All of the reply's text and thinking that the log has told. */
  readonly content: string;
  readonly reasoning: string;
  /** What is being written, and where in the text or thinking it began. */
  readonly open: { readonly kind: "message" | "reasoning"; readonly from: number } | null;
  /** By `output_index`; the last one is open while `open` says so. */
  readonly items: readonly Item[];
  /** Taken back: shown, but no part of the outcome. */
  readonly dropped: readonly number[];
  /** Places of tools at work, by their ids. */
  readonly calls: Readonly<Record<string, number>>;
  readonly completedAt: number | null;
  readonly usage: object | null;
  readonly error: object | null;
  readonly incompleteReason: string | null;
}

const initialState: ResponseState = {
  segment: 1,
  status: "in_progress",
  hasBegun: false,
  isInProgress: false,
  content: "",
  reasoning: "",
  open: null,
  items: [],
  dropped: [],
  calls: {},
  completedAt: null,
  usage: null,
  error: null,
  incompleteReason: null,
};

function responseIdOf({ messageId, segment }: ResponseName): string {
  return `resp_${messageId}${segment > 1 ? `_${segment}` : ""}`;
}

export function isOver({ status }: Pick<ResponseState, "status">): boolean {
  return status !== "queued" && status !== "in_progress";
}

export type ResponseObject = ReturnType<typeof responseOf>;

/** A reply, or a part of it, as a Response of OpenAI's. */
export function responseProjection(options: ResponseOptions): Projection<ResponseState> {
  const { messageId, segment: wanted, model } = options;
  const itemIdOf = (kind: string, index: number) =>
    `${kind}_${messageId}${wanted > 1 ? `_${wanted}` : ""}_${index}`;

  const project = (
    before: ResponseState,
    event: ReplyEvent,
    firstNumber: number,
  ): readonly [ResponseState, readonly ProtocolEvent[]] => {
    let state = before;
    if (isOver(state)) return [state, []];
    if (state.segment < wanted) {
      if (!isTerminal(event.type)) return [skipped(state, event), []];
      // The log has its pauses no more: all of the reply is in each of its parts.
      state = { ...initialState, segment: wanted };
    }
    const data: Record<string, unknown>[] = [];
    const emit = (type: string, more: object) => {
      data.push({ type, sequence_number: firstNumber + data.length, ...more });
    };
    const emitResponse = (type: string) => emit(type, { response: responseOf(options, state) });
    const set = (more: Partial<ResponseState>) => {
      state = { ...state, ...more };
    };
    const setItem = (index: number, item: Item) => {
      set({ items: state.items.map((each, at) => (at === index ? item : each)) });
    };
    const add = (item: Item): number => {
      const index = state.items.length;
      set({ items: [...state.items, item] });
      emit("response.output_item.added", { output_index: index, item });
      return index;
    };
    const done = (index: number, item: Item) => {
      setItem(index, item);
      emit("response.output_item.done", { output_index: index, item });
    };

    /** Ends what is being written. */
    const close = (status: "completed" | "incomplete" = "completed") => {
      const { open } = state;
      if (open === null) return;
      set({ open: null });
      const index = state.items.length - 1;
      const id = state.items[index]?.["id"];
      const at = { item_id: id, output_index: index, content_index: 0 };
      if (open.kind === "message") {
        const text = state.content.slice(open.from);
        const part = { type: "output_text", text, annotations: [], logprobs: [] };
        emit("response.output_text.done", { ...at, text, logprobs: [] });
        emit("response.content_part.done", { ...at, part });
        done(index, { id, type: "message", role: "assistant", status, content: [part] });
      } else {
        const text = state.reasoning.slice(open.from);
        const part = { type: "reasoning_text", text };
        emit("response.reasoning_text.done", { ...at, text });
        emit("response.content_part.done", { ...at, part });
        done(index, { id, type: "reasoning", summary: [], content: [part], status });
      }
    };

    const openItem = (kind: "message" | "reasoning") => {
      if (state.open?.kind === kind) return;
      close();
      const index = state.items.length;
      const isMessage = kind === "message";
      const id = itemIdOf(isMessage ? "msg" : "rs", index);
      add(
        isMessage
          ? { id, type: "message", role: "assistant", status: "in_progress", content: [] }
          : { id, type: "reasoning", summary: [], content: [], status: "in_progress" },
      );
      emit("response.content_part.added", {
        item_id: id,
        output_index: index,
        content_index: 0,
        part: isMessage
          ? { type: "output_text", text: "", annotations: [], logprobs: [] }
          : { type: "reasoning_text", text: "" },
      });
      set({ open: { kind, from: isMessage ? state.content.length : state.reasoning.length } });
    };

    const write = (kind: "message" | "reasoning", delta: string) => {
      if (delta === "") return;
      openItem(kind);
      const index = state.items.length - 1;
      const at = { item_id: state.items[index]?.["id"], output_index: index, content_index: 0 };
      if (kind === "message") {
        set({ content: state.content + delta });
        emit("response.output_text.delta", { ...at, delta, logprobs: [] });
      } else {
        set({ reasoning: state.reasoning + delta });
        emit("response.reasoning_text.delta", { ...at, delta });
      }
    };

    /** The text is this now: what was shown goes on, or was wrong. */
    const become = (content: string) => {
      if (content.startsWith(state.content)) {
        write("message", content.slice(state.content.length));
        return;
      }
      close("incomplete");
      const wrong = state.items.flatMap(({ type }, index) => (type === "message" ? [index] : []));
      set({ dropped: wrong, content: "" });
      write("message", content);
    };

    const call = (event: StoredCall, callId: string) => {
      const isOverNow = event.status !== "started";
      const given = event.arguments === undefined ? null : jsonText(event.arguments);
      let index = state.calls[callId];
      if (index === undefined) {
        close();
        const id = itemIdOf("mcp", state.items.length);
        index = add(callItem(id, model, event.name, "", "in_progress"));
        set({ calls: { ...state.calls, [callId]: index } });
        emit("response.mcp_call.in_progress", { item_id: id, output_index: index });
        if (given !== null) tellArguments(index, given);
      } else if (given !== null && state.items[index]?.["arguments"] === "") {
        tellArguments(index, given);
      }
      if (!isOverNow) return;
      const item = state.items[index] ?? {};
      if (item["status"] !== "in_progress") return;
      if (item["arguments"] === "") tellArguments(index, "{}");
      const isFailed = event.status === "failed";
      const result = event.result === undefined ? "" : jsonText(event.result);
      const id = item["id"];
      emit(isFailed ? "response.mcp_call.failed" : "response.mcp_call.completed", {
        item_id: id,
        output_index: index,
      });
      done(index, {
        ...state.items[index],
        status: isFailed ? "failed" : "completed",
        output: isFailed ? null : result,
        error: isFailed
          ? { type: "mcp_tool_execution_error", content: [{ type: "text", text: result }] }
          : null,
      });
    };

    const tellArguments = (index: number, given: string) => {
      const item = state.items[index] ?? {};
      const at = { item_id: item["id"], output_index: index };
      emit("response.mcp_call_arguments.delta", { ...at, delta: given });
      emit("response.mcp_call_arguments.done", { ...at, arguments: given });
      setItem(index, { ...item, arguments: given });
    };

    const end = (status: Status, more: Partial<ResponseState> = {}) => {
      close(status === "completed" ? "completed" : "incomplete");
      const completedAt = status === "completed" ? secondsOf(event.timestamp) : null;
      set({ status, completedAt, ...more });
      const type =
        status === "completed" ? "completed" : status === "failed" ? "failed" : "incomplete";
      emitResponse(`response.${type}`);
    };

    if (!state.hasBegun) {
      set({ hasBegun: true });
      emitResponse("response.created");
    }
    if (event.type === "queued") {
      if (state.status !== "queued") {
        set({ status: "queued" });
        emitResponse("response.queued");
      }
    } else if (event.type !== "user_message" && !state.isInProgress) {
      set({ isInProgress: true, status: "in_progress" });
      emitResponse("response.in_progress");
    }

    switch (event.type) {
      case "assistant_chunk":
        write("message", event.chunk);
        break;
      case "reasoning_chunk":
        write("reasoning", event.chunk);
        break;
      case "tool_call":
        call(event, event.tool_call_id);
        break;
      case "replaced":
        become(event.content);
        break;
      case "snapshot": {
        const { reasoning = "" } = event;
        if (reasoning.startsWith(state.reasoning)) {
          write("reasoning", reasoning.slice(state.reasoning.length));
        }
        if (state.items.every(({ type }) => type === "reasoning")) {
          for (const [index, stored] of options.storedCalls.entries())
            call(stored, `stored ${index}`);
        }
        become(event.content);
        break;
      }
      case "conversation_complete": {
        const { full_response: text } = event;
        if (text.startsWith(state.content)) write("message", text.slice(state.content.length));
        const isCut = event.finish_reason === "length";
        end(isCut ? "incomplete" : "completed", {
          usage: usageOf(event.usage),
          incompleteReason: isCut ? "max_output_tokens" : null,
        });
        break;
      }
      case "cancelled":
        end("cancelled");
        break;
      case "error": {
        const code = event.code === 429 ? "rate_limit_exceeded" : "server_error";
        // Some clients look for the type that errors have elsewhere.
        end("failed", { error: { code, message: event.error, type: errorTypeOf(event.code) } });
        break;
      }
      case "paused":
        close();
        for (const requirement of event.requirements) {
          const id =
            requirement.kind === "confirm"
              ? `mcpr_${messageId}_${wanted}_${requirement.id}`
              : itemIdOf("fc", state.items.length);
          done(
            add(waitingItem(id, model, requirement, "in_progress")),
            waitingItem(id, model, requirement, "completed"),
          );
        }
        end("completed");
        break;
      default:
    }
    return [state, data.map((each) => ({ event: String(each["type"]), data: each }))];
  };

  return { initial: initialState, project, isOver };
}

/** Of a part that is another response: only what the next ones rest on. */
function skipped(state: ResponseState, event: ReplyEvent): ResponseState {
  switch (event.type) {
    case "assistant_chunk":
      return { ...state, content: state.content + event.chunk };
    case "reasoning_chunk":
      return { ...state, reasoning: state.reasoning + event.chunk };
    case "replaced":
      return { ...state, content: event.content };
    case "snapshot":
      return { ...state, content: event.content, reasoning: event.reasoning ?? state.reasoning };
    case "paused":
      return { ...state, segment: state.segment + 1 };
    default:
      return state;
  }
}

/** What is being written is in its item, too. */
function withOpenOne({ items, open, content, reasoning }: ResponseState): readonly Item[] {
  if (open === null) return items;
  const part =
    open.kind === "message"
      ? { type: "output_text", text: content.slice(open.from), annotations: [], logprobs: [] }
      : { type: "reasoning_text", text: reasoning.slice(open.from) };
  return items.map((item, index) =>
    index === items.length - 1 ? { ...item, content: [part] } : item,
  );
}

/** The response as it stands. */
export function responseOf(options: ResponseOptions, state: ResponseState) {
  const { sessionId, model, created, echo } = options;
  const { status, dropped, incompleteReason } = state;
  const items = withOpenOne(state);
  return {
    id: responseIdOf(options),
    object: "response" as const,
    created_at: created,
    status,
    background: echo.background ?? false,
    completed_at: state.completedAt,
    conversation: { id: `conv_${sessionId}` },
    error: state.error,
    incomplete_details: incompleteReason === null ? null : { reason: incompleteReason },
    instructions: echo.instructions ?? null,
    max_output_tokens: echo.max_output_tokens ?? null,
    max_tool_calls: null,
    metadata: echo.metadata ?? {},
    model,
    output: items.filter((_, index) => !dropped.includes(index)),
    parallel_tool_calls: true,
    previous_response_id: echo.previous_response_id ?? null,
    prompt_cache_key: null,
    reasoning: { effort: null, summary: null },
    safety_identifier: null,
    service_tier: "default",
    store: echo.store ?? true,
    temperature: echo.temperature ?? 1,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_logprobs: 0,
    top_p: echo.top_p ?? 1,
    truncation: "disabled",
    ...(state.usage !== null && { usage: state.usage }),
  };
}

function usageOf(usage: Usage): object | null {
  if (usage === null) return null;
  const { input_tokens, output_tokens } = usage;
  return {
    input_tokens,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input_tokens + output_tokens,
  };
}

/** Run here, never for the client to run: a bare call would be run by agent loops. */
function callItem(id: string, model: string, name: string, given: string, status: string): Item {
  return {
    id,
    type: "mcp_call",
    server_label: model,
    name,
    arguments: given,
    output: null,
    error: null,
    status,
    approval_request_id: null,
  };
}

/** What is waited for: a person's word, or something that the client has to bring. */
function waitingItem(
  itemId: string,
  model: string,
  { id, kind, tool, arguments: given }: Requirement,
  status: string,
): Item {
  const call = { name: tool, arguments: JSON.stringify(given) };
  return kind === "confirm"
    ? { id: itemId, type: "mcp_approval_request", server_label: model, ...call }
    : { id: itemId, type: "function_call", call_id: id, ...call, status };
}

function jsonText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function secondsOf(timestamp: string): number {
  return Math.floor(Date.parse(timestamp) / 1000);
}
