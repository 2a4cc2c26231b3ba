import {
  responseProjection,
  type ResponseObject,
  type ResponseState,
} from "../../../src/protocols/openai/responses/project.ts";
import { faultsOf } from "../../support/openai-schemas.ts";
import { projected, type ProtocolView } from "./protocol-view.ts";

export const responses: ProtocolView = {
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
