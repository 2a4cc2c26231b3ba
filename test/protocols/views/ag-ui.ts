import { EventSchema } from "@ag-ui/core/schemas";
import { runProjection } from "../../../src/protocols/ag-ui/project.ts";
import type { RunState } from "../../../src/protocols/ag-ui/run/telling.ts";
import { projected, type ProtocolView, type Tool } from "./protocol-view.ts";

export const agUi: ProtocolView = {
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
