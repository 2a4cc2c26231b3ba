import {
  completionProjection,
  type CompletionState,
} from "../../../src/protocols/openai/completions/project.ts";
import { faultsOf } from "../../support/openai-schemas.ts";
import { projected, type ProtocolView } from "./protocol-view.ts";

export const completions: ProtocolView = {
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
