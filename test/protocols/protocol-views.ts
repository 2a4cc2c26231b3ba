import { EventSchema } from "@ag-ui/core/schemas";
import { runProjection } from "../../src/protocols/ag-ui/project.ts";
import type { RunState } from "../../src/protocols/ag-ui/run/telling.ts";
import { answerOf, answerProjection, type AnswerState } from "../../src/protocols/mcp/project.ts";
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
import { isTerminal } from "../../src/replies/reply-event.ts";
import { faultsOf } from "../support/openai-schemas.ts";

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
  /** What is wrong with an event by the protocol's own schemas; empty: nothing. */
  readonly faultsOf: ((sent: Sent) => string) | null;
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
  faultsOf: ({ data }) => faultsOf("ResponseStreamEvent", data),
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
  faultsOf: ({ data }) =>
    faultsOf("error" in data ? "ErrorResponse" : "CreateChatCompletionStreamResponse", data),
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

const agUi: ProtocolView = {
  name: "ag-ui",
  faultsOf: ({ data }) => EventSchema.safeParse(data).error?.message ?? "",
  projection: ({ messageId, storedCalls }) =>
    projected<RunState>(
      runProjection({ messageId, threadId: "t", runId: "r", held: [], storedCalls }),
    ),
  read(sent) {
    interface Event {
      readonly type: string;
      readonly [name: string]: unknown;
    }
    const events = sent.map(({ data }) => data as Event);
    const texts = new Map<string, string>();
    const calls = new Map<string, Tool>();
    let reasoning = "";
    for (const event of events) {
      const { type, messageId, toolCallId, delta = "" } = event;
      const id = String(messageId);
      const callId = String(toolCallId);
      const call = calls.get(callId);
      const metadata = event["metadata"] as { chat_service: { failed?: boolean } };
      if (type === "TEXT_MESSAGE_CONTENT") texts.set(id, `${texts.get(id) ?? ""}${String(delta)}`);
      if (type === "REASONING_MESSAGE_CONTENT") reasoning += String(delta);
      if (type === "MESSAGES_SNAPSHOT") {
        texts.clear();
        for (const { id: of, content } of event["messages"] as { id: string; content?: string }[]) {
          if (content !== undefined) texts.set(of, content);
        }
      }
      if (type === "TOOL_CALL_START") {
        const begun = { arguments: "", result: "", isFailed: false };
        calls.set(callId, { name: String(event["toolCallName"]), ...begun });
      }
      if (call === undefined) continue;
      if (type === "TOOL_CALL_ARGS") {
        calls.set(callId, { ...call, arguments: call.arguments + String(delta) });
      }
      if (type === "TOOL_CALL_RESULT") {
        const isFailed = metadata.chat_service.failed === true;
        calls.set(callId, { ...call, result: String(event["content"]), isFailed });
      }
    }
    const last = events.at(-1);
    if (last === undefined) throw new Error("nothing was sent");
    const outcome = last["outcome"] as
      | { type: string; interrupts?: { reason: string; metadata: object }[] }
      | undefined;
    const { chat_service: note } = last["metadata"] as {
      chat_service: { finish_reason?: string };
    };
    const [usage] = (last["usage"] ?? []) as { inputTokens: number; outputTokens: number }[];
    return {
      text: [...texts.values()].join(""),
      reasoning,
      tools: [...calls.values()],
      usage: usage ? { input: usage.inputTokens, output: usage.outputTokens } : null,
      end:
        last.type === "RUN_ERROR"
          ? "failed"
          : outcome?.type === "interrupt"
            ? "paused"
            : outcome?.type === "cancelled"
              ? "cancelled"
              : note.finish_reason === "length"
                ? "length"
                : "complete",
      waitsFor: (outcome?.interrupts ?? []).map(({ reason: kind, metadata }) => ({
        tool: (metadata as { chat_service: { tool: string } }).chat_service.tool,
        isToConfirm: kind === "confirm",
      })),
    };
  },
};

/** The result of a call, which comes behind the notices of its progress. */
const mcp: ProtocolView = {
  name: "mcp",
  faultsOf: null,
  // A result names the tools that were used, and has no thinking.
  differs: (told) => ({
    reasoning: "",
    tools: told.tools.map(({ name, isFailed }) => ({ name, arguments: "", result: "", isFailed })),
  }),
  projection(reply) {
    const { initial, project } = answerProjection("en");
    return projected<AnswerState>({
      initial,
      project(before, event, firstNumber) {
        const [state, told] = project(before, event, firstNumber);
        const isRest = isTerminal(event.type) || event.type === "paused";
        const status = state.status === "failed" ? "completed" : state.status;
        const result = answerOf({ ...reply, agentId: "actor" }, { ...state, status }, 0);
        const isFailed = state.status === "failed";
        return [state, isRest ? [...told, { data: { result, isFailed } }] : told];
      },
      isOver: () => false,
    });
  },
  read(sent) {
    const last = sent.at(-1);
    if (last === undefined) throw new Error("nothing was sent");
    const { result, isFailed } = last.data as {
      result: ReturnType<typeof answerOf>;
      isFailed: boolean;
    };
    const { text, tools = [], usage, status, finish_reason: reason, requirements = [] } = result;
    return {
      text,
      reasoning: "",
      tools: tools.map(({ name, status: end }) => ({
        name,
        arguments: "",
        result: "",
        isFailed: end === "failed",
      })),
      usage: usage ? { input: usage.input_tokens, output: usage.output_tokens } : null,
      end: isFailed
        ? "failed"
        : status === "completed"
          ? reason === "length"
            ? "length"
            : "complete"
          : (status as "cancelled" | "paused"),
      waitsFor: requirements.map(({ tool, kind }) => ({ tool, isToConfirm: kind === "confirm" })),
    };
  },
};

export const protocolViews: readonly ProtocolView[] = [responses, completions, agUi, mcp];
