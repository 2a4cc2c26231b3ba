import { isDeepStrictEqual } from "node:util";
import { StreamResponse, TaskState, type Artifact, type TaskStatus } from "@a2a-js/sdk";
import { taskProjection, type TaskProgress } from "../../../src/protocols/a2a/project.ts";
import { projected, type Outcome, type ProtocolView } from "./protocol-view.ts";

export const a2a: ProtocolView = {
  name: "a2a",
  // Nothing is in it that the protocol's own library does not know, and nothing is missing.
  faultsOf: ({ data }) => {
    const wire = StreamResponse.toJSON(data);
    return isDeepStrictEqual(StreamResponse.toJSON(StreamResponse.fromJSON(wire)), wire)
      ? ""
      : JSON.stringify(wire);
  },
  // What an agent thinks, and what it gives to its tools, is its own.
  differs: () => ({ reasoning: "", tools: [] }),
  projection: ({ messageId, sessionId }) =>
    projected<TaskProgress>(
      taskProjection({
        taskId: messageId,
        contextId: sessionId,
        agentId: "actor",
        base: "",
        language: "en",
        history: [],
        stored: [],
      }),
    ),
  read(sent) {
    let text = "";
    let status: TaskStatus | undefined;
    let metadata: Readonly<Record<string, unknown>> | undefined;
    for (const { data } of sent) {
      const { payload } = data as StreamResponse;
      if (payload?.$case === "message" || payload === undefined) continue;
      if (payload.$case === "artifactUpdate") {
        const { artifact, append } = payload.value;
        if (artifact?.artifactId === "text") text = (append ? text : "") + wordsOf(artifact);
        continue;
      }
      ({ status, metadata } = payload.value);
      if (payload.$case === "task") text = payload.value.artifacts.map(wordsOf).join("");
    }
    const { usage, finish_reason: reason } = (metadata?.["chat_service"] ?? {}) as {
      usage?: { readonly input_tokens: number; readonly output_tokens: number };
      finish_reason?: string;
    };
    const asked = status?.message?.parts.map(({ content }) => content?.value as unknown) ?? [];
    const { requirements = [] } = (asked.find((value) => typeof value === "object") ?? {}) as {
      requirements?: readonly { readonly tool: string; readonly kind: string }[];
    };
    const ends: Partial<Record<TaskState, Outcome["end"]>> = {
      [TaskState.TASK_STATE_COMPLETED]: reason === "length" ? "length" : "complete",
      [TaskState.TASK_STATE_CANCELED]: "cancelled",
      [TaskState.TASK_STATE_INPUT_REQUIRED]: "paused",
    };
    return {
      text,
      reasoning: "",
      tools: [],
      usage: usage ? { input: usage.input_tokens, output: usage.output_tokens } : null,
      end: (status && ends[status.state]) ?? "failed",
      waitsFor: requirements.map(({ tool, kind }) => ({ tool, isToConfirm: kind === "confirm" })),
    };
  },
};

function wordsOf({ parts }: Artifact): string {
  return parts.map(({ content }) => (content?.$case === "text" ? content.value : "")).join("");
}
