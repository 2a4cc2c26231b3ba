import type { Static } from "typebox";
import type { Requirement } from "../../../agents/agent-backend.ts";
import type { ReplyEvent } from "../../../replies/reply-event.ts";
import type { Projection, ProtocolEvent } from "../../view.ts";
import { errorCodeOf, errorTypeOf } from "../errors.ts";
import { callIdOf } from "./request.ts";
import type { completionSchema } from "./schemas.ts";

interface CompletionOptions {
  /** The reply's message. */
  readonly messageId: string;
  /** In seconds. */
  readonly created: number;
  readonly model: string;
  readonly includesUsage: boolean;
  /** What of the reply's text was shown before: it went on after a decision. */
  readonly shown: string;
}

export interface CompletionState {
  /** All that the log says so far, with what was shown before. */
  readonly content: string;
  readonly reasoning: string;
  readonly hasBegun: boolean;
  /** Null: not yet. */
  readonly finishReason: "stop" | "length" | "tool_calls" | "error" | null;
  readonly usage: ReturnType<typeof usageOf>;
  /** What the reply waits for. */
  readonly requirements: readonly Requirement[];
}

type Usage = { readonly input_tokens: number; readonly output_tokens: number } | null;

/**
 * A reply as chunks of a chat completion. Tools that agents use themselves are not shown: whoever sees a call there runs it.
 * Text that an agent takes back cannot be taken back here: what stands in its place follows it.
 */
export function completionProjection(options: CompletionOptions): Projection<CompletionState> {
  const { messageId, created, model, includesUsage, shown } = options;
  const chunk = (choices: readonly object[], more: object = {}): ProtocolEvent => ({
    data: {
      id: `chatcmpl-${messageId}`,
      object: "chat.completion.chunk",
      created,
      model,
      choices,
      ...more,
    },
  });
  const delta = (part: object): ProtocolEvent =>
    chunk([{ index: 0, delta: part, logprobs: null, finish_reason: null }]);
  const end = (finishReason: string, usage: object, more: object = {}): ProtocolEvent[] => [
    chunk([{ index: 0, delta: {}, logprobs: null, finish_reason: finishReason }], more),
    ...(includesUsage ? [chunk([], { usage })] : []),
  ];

  /** The text is this now. */
  const become = (state: CompletionState, content: string): [CompletionState, ProtocolEvent[]] => {
    const { content: before } = state;
    const isFirst = before === shown;
    const rest = content.startsWith(before)
      ? content.slice(before.length)
      : `${isFirst ? "" : "\n\n"}${content}`;
    return [{ ...state, content }, rest === "" ? [] : [delta({ content: rest })]];
  };

  const think = (state: CompletionState, reasoning: string): [CompletionState, ProtocolEvent[]] => {
    const { reasoning: before } = state;
    const rest = reasoning.startsWith(before) ? reasoning.slice(before.length) : "";
    if (rest === "") return [state, []];
    return [{ ...state, reasoning }, [delta({ reasoning_content: rest })]];
  };

  const tell = (state: CompletionState, event: ReplyEvent): [CompletionState, ProtocolEvent[]] => {
    switch (event.type) {
      // As most events are: nothing that goes with what was said before.
      case "assistant_chunk":
        if (event.chunk === "") return [state, []];
        return [
          { ...state, content: state.content + event.chunk },
          [delta({ content: event.chunk })],
        ];
      case "reasoning_chunk":
        if (event.chunk === "") return [state, []];
        return [
          { ...state, reasoning: state.reasoning + event.chunk },
          [delta({ reasoning_content: event.chunk })],
        ];
      case "replaced":
        return become(state, event.content);
      case "snapshot": {
        const [thought, thoughts] = think(state, event.reasoning ?? state.reasoning);
        const [next, texts] = become(thought, event.content);
        return [next, [...thoughts, ...texts]];
      }
      case "conversation_complete": {
        const [next, texts] = event.full_response.startsWith(state.content)
          ? become(state, event.full_response)
          : [{ ...state, content: event.full_response }, []];
        const finishReason = event.finish_reason === "length" ? "length" : "stop";
        const usage = usageOf(event.usage);
        return [{ ...next, finishReason, usage }, [...texts, ...end(finishReason, usage)]];
      }
      case "cancelled":
        return [{ ...state, finishReason: "stop" }, end("stop", state.usage)];
      case "error":
        return [
          { ...state, finishReason: "error" },
          [
            {
              data: {
                error: {
                  message: event.error,
                  type: errorTypeOf(event.code),
                  code: errorCodeOf(event.error_type),
                  param: null,
                },
              },
            },
          ],
        ];
      case "paused": {
        const { requirements } = event;
        const calls = toolCallsOf(messageId, requirements);
        const finishReason = calls.length > 0 ? "tool_calls" : "stop";
        const tool_calls = calls.map((call, index) => ({ index, ...call }));
        return [
          { ...state, finishReason, requirements },
          [
            ...(calls.length > 0 ? [delta({ tool_calls })] : []),
            ...end(finishReason, state.usage, waiting(messageId, requirements)),
          ],
        ];
      }
      default:
        return [state, []];
    }
  };

  return {
    initial: {
      content: shown,
      reasoning: "",
      hasBegun: false,
      finishReason: null,
      usage: usageOf(null),
      requirements: [],
    },
    project(state, event) {
      if (state.finishReason !== null) return [state, []];
      const [next, events] = tell(state, event);
      if (state.hasBegun) return [next, events];
      const opening = delta({ role: "assistant", content: "" });
      return [{ ...next, hasBegun: true }, [opening, ...events]];
    },
    isOver: ({ finishReason }) => finishReason !== null,
  };
}

/** The whole of it, as one answer. */
export function wholeCompletion(
  { messageId, created, model, shown }: CompletionOptions,
  { content, reasoning, finishReason, usage, requirements }: CompletionState,
): Static<typeof completionSchema> {
  const calls = toolCallsOf(messageId, requirements);
  const text = content.startsWith(shown) ? content.slice(shown.length) : content;
  return {
    id: `chatcmpl-${messageId}`,
    object: "chat.completion" as const,
    created,
    model,
    choices: [
      {
        index: 0 as const,
        message: {
          role: "assistant" as const,
          content: text === "" && calls.length > 0 ? null : text,
          refusal: null,
          ...(reasoning !== "" && { reasoning_content: reasoning }),
          ...(calls.length > 0 && { tool_calls: calls }),
        },
        logprobs: null,
        finish_reason: finishReason ?? "stop",
      },
    ],
    usage,
    ...(requirements.length > 0 && waiting(messageId, requirements)),
  };
}

function waiting(messageId: string, requirements: readonly Requirement[]) {
  return { chat_service: { message_id: messageId, requirements: [...requirements] } };
}

/** What the client is to do itself; what a person has to confirm is no call of its own. */
function toolCallsOf(messageId: string, requirements: readonly Requirement[]) {
  return requirements
    .filter(({ kind }) => kind !== "confirm")
    .map(({ id, tool, arguments: given }) => ({
      id: callIdOf(messageId, id),
      type: "function" as const,
      function: { name: tool, arguments: JSON.stringify(given) },
    }));
}

function usageOf(usage: Usage) {
  const { input_tokens: prompt_tokens, output_tokens: completion_tokens } = usage ?? {
    input_tokens: 0,
    output_tokens: 0,
  };
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}
