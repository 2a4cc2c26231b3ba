import {
  completionProjection,
  type CompletionState,
} from "../../src/protocols/openai/completions/project.ts";
import {
  responseProjection,
  type ResponseObject,
  type ResponseOptions,
  type ResponseState,
} from "../../src/protocols/openai/responses/project.ts";
import type { Projection } from "../../src/protocols/view.ts";

/** What somebody has who has read a reply, over whatever protocol. */
export interface Outcome {
  readonly text: string;
  readonly reasoning: string;
  /** In their order. A result that a tool has failed with is one too. */
  readonly tools: readonly Tool[];
  readonly usage: { readonly input: number; readonly output: number } | null;
  readonly end: "complete" | "length" | "cancelled" | "failed" | "paused";
  /** What is waited for: the names of tools, and what of them is to be confirmed. */
  readonly waitsFor: readonly { readonly tool: string; readonly isToConfirm: boolean }[];
}

export interface Tool {
  readonly name: string;
  readonly arguments: string;
  readonly result: string;
  readonly isFailed: boolean;
}

/** A reply as it was made once. */
export interface Recorded {
  readonly messageId: string;
  readonly sessionId: string;
  readonly storedCalls: ResponseOptions["storedCalls"];
}

interface Sent {
  readonly event?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A protocol's view of a reply, and what its clients make of it. A further protocol is a further entry. */
export interface ProtocolView {
  readonly name: string;
  /** Of which schema each of its events is. */
  readonly schemaOf: ((sent: Sent) => string) | null;
  /** What the protocol cannot tell, or tells otherwise. */
  readonly differs?: (told: Outcome) => Partial<Outcome>;
  projection(reply: Recorded): Projection<unknown>;
  read(sent: readonly Sent[]): Outcome;
}

/** Of one kind; who uses it knows nothing of its state. */
function projected<State>(projection: Projection<State>): Projection<unknown> {
  return projection;
}

const responses: ProtocolView = {
  name: "responses",
  schemaOf: () => "ResponseStreamEvent",
  projection: ({ messageId, sessionId, storedCalls }) =>
    projected<ResponseState>(
      responseProjection({
        messageId,
        segment: 1,
        sessionId,
        model: "actor",
        created: 1,
        echo: {},
        storedCalls,
      }),
    ),
  read(sent) {
    const last = sent.at(-1);
    if (last === undefined) throw new Error("nothing was sent");
    const { response } = last.data as { response: ResponseObject };
    const items = response.output as readonly Readonly<Record<string, unknown>>[];
    const parts = (type: string) =>
      items
        .filter((item) => item["type"] === type)
        .flatMap(({ content }) => (content as { text: string }[]).map(({ text }) => text))
        .join("");
    const { usage } = response as {
      usage?: { readonly input_tokens: number; readonly output_tokens: number };
    };
    const waiting = items.filter(
      ({ type }) => type === "mcp_approval_request" || type === "function_call",
    );
    return {
      text: parts("message"),
      reasoning: parts("reasoning"),
      tools: items
        .filter(({ type }) => type === "mcp_call")
        .map((call) => {
          const error = call["error"] as { content: { text: string }[] } | null;
          return {
            name: String(call["name"]),
            arguments: String(call["arguments"]),
            result: error === null ? String(call["output"]) : (error.content[0]?.text ?? ""),
            isFailed: error !== null,
          };
        }),
      usage: usage ? { input: usage.input_tokens, output: usage.output_tokens } : null,
      end:
        response.status === "completed"
          ? waiting.length > 0
            ? "paused"
            : "complete"
          : response.status === "incomplete"
            ? "length"
            : (response.status as "cancelled" | "failed"),
      waitsFor: waiting.map(({ type, name }) => ({
        tool: String(name),
        isToConfirm: type === "mcp_approval_request",
      })),
    };
  },
};

const completions: ProtocolView = {
  name: "completions",
  schemaOf: ({ data }) =>
    "error" in data ? "ErrorResponse" : "CreateChatCompletionStreamResponse",
  // Whoever sees a call runs it; Stop is an end like any other; what is not known is nothing.
  differs: (told) => ({
    tools: [],
    ...(told.end === "cancelled" && { end: "complete" }),
    ...(told.end !== "failed" && { usage: told.usage ?? { input: 0, output: 0 } }),
  }),
  projection: ({ messageId }) =>
    projected<CompletionState>(
      completionProjection({
        messageId,
        created: 1,
        model: "actor",
        includesUsage: true,
        shown: "",
      }),
    ),
  read(sent) {
    interface Chunk {
      readonly choices?: readonly {
        readonly delta: {
          readonly content?: string;
          readonly reasoning_content?: string;
          readonly tool_calls?: readonly { readonly function: { readonly name: string } }[];
        };
        readonly finish_reason: string | null;
      }[];
      readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number };
      readonly chat_service?: {
        readonly requirements: readonly { readonly tool: string; readonly kind: string }[];
      };
      readonly error?: object;
    }
    const chunks = sent.map(({ data }) => data as Chunk);
    const choices = chunks.flatMap((chunk) => chunk.choices ?? []);
    const usage = chunks.findLast((chunk) => chunk.usage !== undefined)?.usage;
    const reason = choices.findLast(({ finish_reason: given }) => given !== null)?.finish_reason;
    const { requirements = [] } =
      chunks.find((chunk) => chunk.chat_service !== undefined)?.chat_service ?? {};
    return {
      text: choices.map(({ delta }) => delta.content ?? "").join(""),
      reasoning: choices.map(({ delta }) => delta.reasoning_content ?? "").join(""),
      tools: [],
      usage: usage ? { input: usage.prompt_tokens, output: usage.completion_tokens } : null,
      end: chunks.some(({ error }) => error !== undefined)
        ? "failed"
        : requirements.length > 0
          ? "paused"
          : reason === "length"
            ? "length"
            : "complete",
      waitsFor: requirements.map(({ tool, kind }) => ({ tool, isToConfirm: kind === "confirm" })),
    };
  },
};

export const protocolViews: readonly ProtocolView[] = [responses, completions];
