import type { CircuitState } from "../../../lib/circuit-breaker.ts";
import type { AgentSource, ModelInfo } from "../../agent-backend.ts";
import type { WireSettings } from "./model-settings.ts";

/** A piece of a message that holds more than text. */
export type ContentPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } };

/** A call that the model asks for, as it is told back to it. */
interface ToolCallMessage {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
  /** What the server sent with it besides. */
  readonly [member: string]: unknown;
}

/** A message of the chat completions protocol. */
export type ChatMessage =
  | { readonly role: "system"; readonly content: string }
  | { readonly role: "user"; readonly content: string | readonly ContentPart[] }
  | {
      readonly role: "assistant";
      readonly content: string | null;
      readonly tool_calls?: readonly ToolCallMessage[];
      /** What the server sent with it besides. */
      readonly [member: string]: unknown;
    }
  | { readonly role: "tool"; readonly tool_call_id: string; readonly content: string };

/** A function that the model may call. */
export interface ToolDefinition {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description: string;
    /** JSON schema. */
    readonly parameters: Readonly<Record<string, unknown>>;
  };
}

/** A call that the model made. */
export interface ModelToolCall {
  readonly id: string;
  readonly name: string;
  /** As the model wrote it: often, not always, a JSON object. */
  readonly argumentsText: string;
  /** Of the call and of its function: to be sent back as they came. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly functionMembers?: Readonly<Record<string, unknown>>;
}

/** What a model says. Exactly one `end` comes last. */
export type ModelDelta =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  /** The text of this answer so far was none; it has been told as reasoning. */
  | { readonly type: "retract" }
  | { readonly type: "media"; readonly kind: "image"; readonly url: string }
  | { readonly type: "sources"; readonly sources: readonly AgentSource[] }
  | {
      readonly type: "usage";
      readonly inputTokens: number;
      readonly outputTokens: number;
      readonly cachedTokens?: number;
      readonly reasoningTokens?: number;
    }
  | {
      readonly type: "end";
      /** As `finishReasonOf` gives it. */
      readonly reason: string;
      readonly toolCalls: readonly ModelToolCall[];
      /** Of the message: to be sent back as they came. */
      readonly members?: Readonly<Record<string, unknown>>;
    };

/** One request to a model. */
export interface ModelCall {
  readonly model: ModelChoice;
  readonly messages: readonly ChatMessage[];
  /** How many of the pictures, the last ones, came with the question itself. */
  readonly ownPictures: number;
  readonly tools: readonly ToolDefinition[];
  /** `none`: the tools are shown, because the messages speak of them, but must not be called any more. */
  readonly toolChoice: "auto" | "none";
  readonly temperature?: number;
  /** Members of the request that were asked for: sent as they are, or the reply fails. */
  readonly settings: WireSettings;
  /** For the problem that callers see. */
  readonly agentId: string;
  /** Unique to this call. */
  readonly idempotencyKey: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A model of one source, with what its source wants to be sent with it. */
export interface ModelChoice {
  /** As its source names it. */
  readonly id: string;
  /** Defaults that belong to the model, such as `max_tokens`. */
  readonly parameters: Readonly<Record<string, number>>;
}

export type ModelWords = Extract<ModelDelta, { readonly type: "text" | "reasoning" }>;
export type HearWords = (words: ModelWords) => boolean;

/** A model's answer, as it comes. No generator: each costs time for each token. */
export interface Completion {
  /**
   * The next deltas; null when the last was had. Raises problems as `Upstream.stream` does. `hear` is given words at the
   * moment of their arrival, in place of being waited for; when it returns false, nothing is read until `next` is called
   * again, and there may be no deltas to return.
   */
  next(hear?: HearWords): Promise<readonly ModelDelta[] | null>;
  /** To be called in any case: ends what is still coming. */
  close(): void;
}

/** Where models are: an OpenAI-compatible endpoint or a Model Service. */
export interface ModelSource {
  readonly kind: "endpoint" | "model_service";
  /** Whether it is asked at all at the moment. */
  readonly circuit: CircuitState;
  /** Resolves when the model begins to answer. Raises problems as `Upstream.stream` does. */
  complete(call: ModelCall, signal: AbortSignal): Promise<Completion>;
  /** Cached; raises `agent_unavailable` when it was never known and cannot be asked. */
  models(signal: AbortSignal): Promise<readonly ModelInfo[]>;
  /** The model for agents that name none; null when there is none. */
  defaultModel(userId: string, signal: AbortSignal): Promise<ModelChoice | null>;
  /** The model's window as its source has told it, in tokens; null when it has not. */
  contextTokens?(model: string): number | null;
  /** Null when it answers, else what is wrong, in one word without addresses. */
  probe(signal: AbortSignal): Promise<string | null>;
  /** What is wrong with where completions are asked for, in one word; null: nothing. Costs a request, and no tokens. */
  tryPath?(signal: AbortSignal): Promise<string | null>;
  /** Whether a model of this name has answered, listed or not. */
  hasAnswered(modelId: string): boolean;
  close(): Promise<void>;
}
