import type { Message, ReplyEvent } from "./api-types.ts";

/** A call of a tool as messages hold it. */
export interface ToolCall {
  readonly tool_call_id: string;
  readonly name: string;
  readonly status: "started" | "completed" | "failed";
  readonly arguments?: unknown;
  readonly result?: unknown;
  readonly agent_id?: string;
}

/** What a reply with nothing in it has. */
const nothing = {
  content: "",
  reasoning: "",
  tool_calls: [],
  media: [],
  sources: [],
  suggestions: [],
  tasks: [],
  custom_events: [],
  steered: [],
} as const;

/** The message of a reply after one more event; events must come in order. */
export function applyEvent<M extends Partial<Message>>(message: M, event: ReplyEvent): M {
  return { ...message, ...changesBy(event, message) };
}

function changesBy(event: ReplyEvent, message: Partial<Message>): Partial<Message> {
  const status = "streaming";
  switch (event.type) {
    case "user_message":
      // From the start again: whatever was known before is told once more.
      return { status, ...nothing };
    case "queued":
      return { status: "queued" };
    case "assistant_chunk":
      return { status, content: (message.content ?? "") + event.chunk };
    case "reasoning_chunk":
      return { status, reasoning: (message.reasoning ?? "") + event.chunk };
    case "tool_call":
      return { status, tool_calls: withToolCall(message.tool_calls ?? [], event) };
    case "media": {
      const { kind, url, name, attachment_id, media_type, size, left_out } = event;
      const media = defined({ kind, url, name, attachment_id, media_type, size, left_out });
      return { status, media: [...(message.media ?? []), media] };
    }
    // These two are told again after a cut, by a run that was taken up.
    case "sources":
      return { status, sources: withNew(message.sources, event.sources) };
    case "agent_custom": {
      const { name, data, agent_id } = event;
      const told = { name, ...(data && { data }), agent_id };
      return { status, custom_events: withNew(message.custom_events, [told]) };
    }
    case "suggestions":
      return { status, suggestions: event.suggestions };
    case "tasks":
      return { status, tasks: event.tasks };
    case "steered": {
      const { user_message_id: id, text_start } = event;
      const before = (message.steered ?? []).filter(({ message_id: each }) => each !== id);
      return { status, steered: [...before, { message_id: id, text_start }] };
    }
    case "replaced":
      return { status, content: event.content };
    case "snapshot": {
      const { content, reasoning, sources, suggestions, tasks, custom_events, steered } = event;
      const { model } = event;
      const told = { content, reasoning, sources, suggestions, tasks, custom_events, steered };
      return { status, ...defined({ ...told, model }) };
    }
    case "paused": {
      const { requirements, error, error_type: type = "", code = 0 } = event;
      return {
        status: "paused",
        requirements,
        ...(error !== undefined && { error: { type, code, message: error } }),
      };
    }
    case "conversation_complete": {
      const { agent_id, usage, finish_reason } = event;
      return {
        status: "complete",
        content: event.full_response,
        agent_id,
        usage,
        finish_reason,
        ...defined({ output: event.output, output_error: event.output_error }),
      };
    }
    case "cancelled":
      return { status: "cancelled", content: event.full_response };
    case "error":
      return {
        status: event.error_type === "interrupted" ? "interrupted" : "failed",
        content: event.full_response,
        error: { type: event.error_type, code: event.code, message: event.error },
      };
    case "agent_event":
      return { status };
    case "audio_chunk":
    case "audio_response":
      return {};
    default:
      // Of a service that is newer.
      event satisfies never;
      return {};
  }
}

function withToolCall(
  calls: NonNullable<Message["tool_calls"]>,
  event: Extract<ReplyEvent, { type: "tool_call" }>,
): NonNullable<Message["tool_calls"]> {
  const { tool_call_id, name, status, agent_id, arguments: given, result } = event;
  const at = calls.findIndex((call) => call["tool_call_id"] === tool_call_id);
  const told = { tool_call_id, name, status, agent_id, ...defined({ arguments: given, result }) };
  return at === -1
    ? [...calls, told]
    : calls.map((call, index) => (index === at ? { ...call, ...told } : call));
}

function withNew<T>(known: readonly T[] = [], told: readonly T[]): readonly T[] {
  const seen = new Set(known.map((each) => JSON.stringify(each)));
  return [...known, ...told.filter((each) => !seen.has(JSON.stringify(each)))];
}

function defined<T extends object>(members: T): T {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as T;
}
