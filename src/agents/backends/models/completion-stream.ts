import { AgentInterrupted } from "../../agent-backend.ts";
import { errorIdentifier } from "../../../lib/error-identifier.ts";
import { UpstreamError } from "../../upstream/upstream-error.ts";
import type { FinishReason, ModelDelta } from "./chat-protocol.ts";
import { createToolCallCollector } from "./tool-call-collector.ts";

/** Translates one streamed completion, event by event; no generator, because each costs time for each token. */
export interface CompletionReader {
  /** Whether finish_reason or `[DONE]` was seen: at most usage may follow, what goes wrong now does not matter any more. */
  readonly finished: boolean;
  /**
   * The deltas of one event; at most two. Raises an `UpstreamError` when it reports a failure or is not in the format.
   */
  read(data: string): readonly ModelDelta[];
  /**
   * The last deltas, after `[DONE]` or the end of the stream. Raises `AgentInterrupted` when the answer stopped without
   * a finish_reason and without `[DONE]`.
   */
  end(): readonly ModelDelta[];
}

/** The last event's data. */
export const doneMark = "[DONE]";

const nothing: readonly ModelDelta[] = [];

export function createCompletionReader(): CompletionReader {
  const toolCalls = createToolCallCollector();
  let reason: FinishReason | null = null;
  let usage: ModelDelta | null = null;
  let begun = false;
  let done = false;
  return {
    get finished() {
      return reason !== null || done;
    },
    read(data) {
      if (data === doneMark) {
        done = true;
        return nothing;
      }
      const chunk = parseChunk(data);
      const failure = failureOf(chunk);
      if (failure) throw failure;
      begun = true;
      // Some servers send the sum so far with each event: the last one counts.
      if (chunk.usage) usage = usageOf(chunk.usage) ?? usage;
      const choice = chunk.choices?.[0];
      if (reason === null && typeof choice?.finish_reason === "string") {
        reason = finishReasonOf(choice.finish_reason);
      }
      // Some servers answer with a whole message where a delta is expected.
      const delta = choice?.delta ?? choice?.message;
      if (!delta) return nothing;
      if (Array.isArray(delta.tool_calls)) toolCalls.add(delta.tool_calls);
      const deltas: ModelDelta[] = [];
      const thinking = delta.reasoning_content ?? delta.reasoning;
      if (typeof thinking === "string" && thinking !== "") {
        deltas.push({ type: "reasoning", text: thinking });
      }
      if (typeof delta.content === "string" && delta.content !== "") {
        deltas.push({ type: "text", text: delta.content });
      }
      return deltas;
    },
    end() {
      if (reason === null && !done) {
        if (begun) throw new AgentInterrupted("the model's answer ended without a finish_reason");
        throw new UpstreamError("malformed", "the answer held no event");
      }
      const end: ModelDelta = {
        type: "end",
        reason: reason ?? "stop",
        toolCalls: toolCalls.finish(),
      };
      return usage ? [usage, end] : [end];
    },
  };
}

/** The members that are read; all of them may be missing or of another type. */
interface Chunk {
  readonly choices?: readonly {
    readonly delta?: Message | null;
    readonly message?: Message | null;
    readonly finish_reason?: unknown;
  }[];
  readonly usage?: unknown;
  readonly error?: unknown;
  readonly success?: unknown;
  readonly detail?: unknown;
}

interface Message {
  readonly content?: unknown;
  readonly reasoning_content?: unknown;
  readonly reasoning?: unknown;
  readonly tool_calls?: unknown;
}

function parseChunk(data: string): Chunk {
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    // The parser's message would quote the text.
    throw new UpstreamError("malformed", "an event is not JSON");
  }
  if (typeof parsed !== "object" || parsed === null) {
    throw new UpstreamError("malformed", "an event is no object");
  }
  const chunk = parsed as Chunk;
  if (chunk.choices && !Array.isArray(chunk.choices)) {
    throw new UpstreamError("malformed", "choices is no list");
  }
  return chunk;
}

/** Errors in the stream: of OpenAI and its kin `{error}`, of the Model Service also `{success: false}` and `{detail}`. */
function failureOf(chunk: Chunk): UpstreamError | null {
  const failed = chunk.error || chunk.success === false || (chunk.detail && !chunk.choices);
  if (!failed) return null;
  const code = errorIdentifier((chunk.error as { readonly code?: unknown } | undefined)?.code);
  const named = code === null ? "" : ` (${code})`;
  return new UpstreamError("failed", `the model reported an error in its answer${named}`);
}

function usageOf(given: unknown): ModelDelta | null {
  const usage = given as Readonly<Record<string, unknown>>;
  const inputTokens = count(usage["prompt_tokens"] ?? usage["input_tokens"]);
  const outputTokens = count(usage["completion_tokens"] ?? usage["output_tokens"]);
  return inputTokens + outputTokens === 0 ? null : { type: "usage", inputTokens, outputTokens };
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.round(value) : 0;
}

/** Calls of tools are known from the calls themselves: servers disagree on the reason they give. */
function finishReasonOf(reason: string): FinishReason {
  switch (reason) {
    case "length":
    case "max_tokens":
      return "length";
    case "content_filter":
    case "sensitive":
      return "content_filter";
    case "error":
    case "network_error":
      throw new UpstreamError("failed", "the model ended in an error");
    default:
      return "stop";
  }
}
