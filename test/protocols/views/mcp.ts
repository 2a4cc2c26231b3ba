import {
  answerOf,
  answerProjection,
  type AnswerState,
} from "../../../src/protocols/mcp/project.ts";
import { isTerminal } from "../../../src/replies/reply-event.ts";
import { projected, type ProtocolView } from "./protocol-view.ts";

/** The result of a call, which comes behind the notices of its progress. */
export const mcp: ProtocolView = {
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
