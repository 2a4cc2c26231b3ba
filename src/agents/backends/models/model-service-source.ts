import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { ModelInfo } from "../../agent-backend.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { createCachedValue, type CachedValue } from "./cached-value.ts";
import type { ChatMessage, ModelCall, ModelChoice, ModelSource } from "./chat-protocol.ts";
import { createCompletions } from "./completions.ts";
import { listTimeoutMs } from "./endpoint-source.ts";
import { windowOf } from "./model-list.ts";
import { faultOf } from "./source-fault.ts";

/** Without the slash at its end it answers with a redirect. */
const listPath = "/api/v1/models/?enabled_only=false";

/** Users whose own default model is remembered. */
const maxUsers = 1_000;

/** Models behind a Model Service. They are named `provider_id/model_id`. */
export function createModelServiceSource(options: {
  readonly upstream: Upstream;
  readonly cacheTtlMs: number;
  readonly now: () => number;
  readonly log: Logger;
}): ModelSource {
  const { upstream, cacheTtlMs, now, log } = options;
  const completions = createCompletions({
    upstream,
    path: () => "/api/v1/models/chat/completions",
    body,
    log,
  });
  const get = (path: string, signal: AbortSignal) =>
    upstream.json({ method: "GET", path, signal, agentId: "models", maxRetries: 0 });

  function cached<T>(load: (signal: AbortSignal) => Promise<T>): CachedValue<T> {
    return createCachedValue<T>({
      load,
      ttlMs: cacheTtlMs,
      loadTimeoutMs: listTimeoutMs,
      now,
      onFailure: (error) => log.debug({ err: error }, "the Model Service could not be asked"),
    });
  }
  const listed = cached(async (signal) => parseList(await get(listPath, signal)));
  const systemDefault = cached(async (signal) =>
    parseDefault(await get("/api/v1/models/defaults?scope=system", signal)),
  );
  const userDefaults = new Map<string, CachedValue<ModelChoice | null>>();

  function userDefault(userId: string): CachedValue<ModelChoice | null> {
    const known = userDefaults.get(userId);
    if (known) return known;
    const query = new URLSearchParams({ scope: "user", user_id: userId });
    const value = cached(async (signal) =>
      parseDefault(await get(`/api/v1/models/defaults?${query.toString()}`, signal)),
    );
    if (userDefaults.size >= maxUsers) userDefaults.delete(userDefaults.keys().next().value ?? "");
    userDefaults.set(userId, value);
    return value;
  }

  return {
    kind: "model_service",
    get circuit() {
      return upstream.circuit;
    },
    complete: (call, signal) => completions.complete(call, signal),
    hasAnswered: (modelId) => completions.hasAnswered(modelId),
    models: async (signal) =>
      (await listed.get(signal)).map(({ contextTokens: _window, ...model }) => model),
    contextTokens: (model) => listed.peek()?.find(({ id }) => id === model)?.contextTokens ?? null,
    async defaultModel(userId, signal) {
      // Not every deployment keeps defaults of users: then the system's counts.
      const own = await userDefault(userId)
        .get(signal)
        .catch(() => null);
      signal.throwIfAborted();
      return own ?? (await systemDefault.get(signal));
    },
    async probe(signal) {
      try {
        await get(listPath, signal);
        return null;
      } catch (error) {
        return faultOf(error, signal);
      }
    },
    close: () => upstream.close(),
  };
}

/** `provider_id/model_id`; the provider's part has no slash, the model's may. */
export function splitModelName(
  name: string,
): { readonly providerId: string; readonly modelId: string } | null {
  const slash = name.indexOf("/");
  if (slash <= 0 || slash === name.length - 1) return null;
  return { providerId: name.slice(0, slash), modelId: name.slice(slash + 1) };
}

/** With `user_id` it would ignore `stream`; usage comes unasked. */
function body(call: ModelCall): Readonly<Record<string, unknown>> {
  const name = splitModelName(call.model.id);
  return {
    ...call.model.parameters,
    provider_id: name?.providerId,
    model_id: name?.modelId,
    messages: call.messages.map(textOnly),
    ...(call.temperature === undefined ? {} : { temperature: call.temperature }),
    ...call.settings,
    ...(call.tools.length === 0 ? {} : { tools: call.tools, tool_choice: call.toolChoice }),
    stream: true,
  };
}

/** Contents must be texts: images are left out, and the model is told so. */
function textOnly(message: ChatMessage): object {
  if (typeof message.content === "string") return message;
  if (message.content === null) return { ...message, content: "" };
  const texts = message.content.map((part) =>
    part.type === "text" ? part.text : "[image, not shown to this model]",
  );
  return { ...message, content: texts.join("\n") };
}

function members(answer: unknown): Readonly<Record<string, unknown>> {
  const data = (answer as { readonly data?: unknown } | null | undefined)?.data;
  if (typeof data === "object" && data !== null) return data as Readonly<Record<string, unknown>>;
  const cause = new Error("the Model Service's answer is not in the usual form");
  throw new Problem("agent_failed", { agentId: "models" }, { cause });
}

function parseList(
  answer: unknown,
): readonly (ModelInfo & { readonly contextTokens: number | null })[] {
  const { models } = members(answer);
  if (!Array.isArray(models)) return [];
  return models.flatMap((model: Readonly<Record<string, unknown>> | null) => {
    const providerId = model?.["provider_id"];
    const modelId = model?.["model_id"];
    if (typeof providerId !== "string" || typeof modelId !== "string") return [];
    // Speech, embeddings and the like are listed with the others.
    const type = model?.["model_type"];
    if (typeof type === "string" && !["chat", "multimodal", "code"].includes(type)) return [];
    const name = model?.["name"];
    const provider = model?.["provider_name"];
    return [
      {
        id: `${providerId}/${modelId}`,
        name: typeof name === "string" ? name : modelId,
        provider: typeof provider === "string" ? provider : providerId,
        canChat: true,
        contextTokens: model === null ? null : windowOf(model),
      },
    ];
  });
}

function parseDefault(answer: unknown): ModelChoice | null {
  const { defaults } = members(answer);
  if (!Array.isArray(defaults)) return null;
  const chosen = defaults.find(
    (each: Readonly<Record<string, unknown>> | null) =>
      each?.["category"] === "chat" &&
      each["is_active"] !== false &&
      typeof each["provider_id"] === "string" &&
      typeof each["model_id"] === "string",
  ) as Readonly<Record<string, unknown>> | undefined;
  if (!chosen) return null;
  const parameters = Object.entries(chosen["config_params"] ?? {}).filter(
    ([key, value]) =>
      ["temperature", "max_tokens", "top_p"].includes(key) && typeof value === "number",
  ) as [string, number][];
  return {
    id: `${String(chosen["provider_id"])}/${String(chosen["model_id"])}`,
    parameters: Object.fromEntries(parameters),
  };
}
