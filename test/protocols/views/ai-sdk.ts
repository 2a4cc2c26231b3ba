import type { ChatState } from "../../../src/protocols/ai-sdk/chat-state.ts";
import { chatProjection } from "../../../src/protocols/ai-sdk/project.ts";
import type { Chunk } from "../../../src/protocols/ai-sdk/tool-parts.ts";
import { projected, type ProtocolView, type Tool } from "./protocol-view.ts";

/** The AI SDK's. Its pieces are held to the SDK's own schema beside the projection. */
export const aiSdk: ProtocolView = {
  name: "ai-sdk",
  faultsOf: null,
  projection: ({ messageId, sessionId, storedCalls }) =>
    projected<ChatState>(
      chatProjection({
        messageId,
        sessionId,
        agentId: "actor",
        createdAt: new Date(0),
        stored: { toolCalls: storedCalls },
      }),
    ),
  read(sent) {
    const chunks = sent.map(({ data }) => data as Chunk);
    const tools = new Map<string, Tool>();
    const waitsFor = new Map<string, { tool: string; isToConfirm: boolean }>();
    const since = chunks.findLastIndex(({ type }) => type === "reset-step") + 1;
    for (const chunk of chunks.slice(since)) {
      const id = String(chunk["toolCallId"]);
      const tool = tools.get(id);
      if (chunk.type === "tool-input-available") {
        const name = String(chunk["toolName"]);
        if (chunk["providerExecuted"] !== true) {
          waitsFor.set(id, { tool: name, isToConfirm: false });
          continue;
        }
        const given = JSON.stringify(chunk["input"]);
        tools.set(id, { name, arguments: given, result: "", isFailed: false });
      }
      if (chunk.type === "tool-approval-request") {
        waitsFor.set(id, { tool: tool?.name ?? "", isToConfirm: true });
        tools.delete(id);
      }
      if (tool === undefined) continue;
      if (chunk.type === "tool-output-available") {
        const { output } = chunk as { output?: unknown };
        const result = typeof output === "string" ? output : JSON.stringify(output);
        tools.set(id, { ...tool, result });
      }
      if (chunk.type === "tool-output-error") {
        tools.set(id, { ...tool, result: String(chunk["errorText"]), isFailed: true });
      }
    }
    const joined = (type: string) =>
      chunks
        .slice(since)
        .map((chunk) => (chunk.type === type ? String(chunk["delta"]) : ""))
        .join("");
    const last = chunks.at(-1);
    if (last === undefined) throw new Error("nothing was sent");
    const { usage } = (last["messageMetadata"] ?? {}) as {
      usage?: { inputTokens: number; outputTokens: number };
    };
    const ends: Readonly<Record<string, "failed" | "cancelled">> = {
      error: "failed",
      abort: "cancelled",
    };
    const finishes: Readonly<Record<string, "paused" | "length">> = {
      "tool-calls": "paused",
      length: "length",
    };
    return {
      text: joined("text-delta"),
      reasoning: joined("reasoning-delta"),
      tools: [...tools.values()],
      usage: usage ? { input: usage.inputTokens, output: usage.outputTokens } : null,
      end: ends[last.type] ?? finishes[String(last["finishReason"])] ?? "complete",
      waitsFor: [...waitsFor.values()],
    };
  },
};
