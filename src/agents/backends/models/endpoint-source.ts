import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { ModelInfo } from "../../agent-backend.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { createCachedValue } from "./cached-value.ts";
import type { ModelCall, ModelSource } from "./chat-protocol.ts";
import { createCompletions } from "./completions.ts";
import { probeList } from "./probe-list.ts";

/** How long one listing may take. */
export const listTimeoutMs = 5_000;

/** Models behind an OpenAI-compatible endpoint. */
export function createEndpointSource(options: {
  /** Of the base that `/chat/completions` and `/models` are below. */
  readonly upstream: Upstream;
  readonly cacheTtlMs: number;
  readonly now: () => number;
  readonly log: Logger;
}): ModelSource {
  const { upstream, cacheTtlMs, now, log } = options;
  const completions = createCompletions({ upstream, path: "/chat/completions", body, log });
  const listed = createCachedValue<readonly ModelInfo[]>({
    ttlMs: cacheTtlMs,
    loadTimeoutMs: listTimeoutMs,
    now,
    onFailure: (error) =>
      log.warn({ err: error }, "the models of the endpoint could not be listed"),
    async load(signal) {
      const answer = await upstream.json({
        method: "GET",
        path: "/models",
        signal,
        agentId: "models",
        maxRetries: 0,
      });
      return parseList(answer);
    },
  });

  return {
    kind: "endpoint",
    complete: (call, signal) => completions.complete(call, signal),
    models: (signal) => listed.get(signal),
    async defaultModel(_userId, signal) {
      const models = await listed.get(signal);
      const talking = models.find((model) => !notForChat.test(model.id)) ?? models[0];
      return talking ? { id: talking.id, parameters: {} } : null;
    },
    probe: (signal) => probeList(upstream, "/models", signal),
    close: () => upstream.close(),
  };
}

/** Endpoints list everything they serve. */
const notForChat = /embed|rerank|whisper|tts|speech|transcribe|dall-e|image|moderation/i;

function body(call: ModelCall): Readonly<Record<string, unknown>> {
  return {
    ...call.model.parameters,
    model: call.model.id,
    messages: call.messages,
    ...(call.temperature === undefined ? {} : { temperature: call.temperature }),
    ...(call.tools.length === 0 ? {} : { tools: call.tools, tool_choice: call.toolChoice }),
    stream: true,
    stream_options: { include_usage: true },
  };
}

function parseList(answer: unknown): readonly ModelInfo[] {
  const { data } = (answer ?? {}) as { readonly data?: unknown };
  if (!Array.isArray(data)) {
    const cause = new Error("the endpoint's list of models is not in the usual form");
    throw new Problem("agent_failed", { agentId: "models" }, { cause });
  }
  return data.flatMap((model: { readonly id?: unknown; readonly owned_by?: unknown } | null) =>
    typeof model?.id === "string"
      ? [
          {
            id: model.id,
            name: model.id,
            provider: typeof model.owned_by === "string" ? model.owned_by : "openai-compatible",
          },
        ]
      : [],
  );
}
