import { Problem } from "../../../problems/problem.ts";
import type { ModelInfo } from "../../agent-backend.ts";
import type { ModelChoice, ModelSource } from "./chat-protocol.ts";
import { unknownModel } from "./completions.ts";
import { splitModelName } from "./model-service-source.ts";

/** A model and the source that has it. */
interface Route {
  readonly source: ModelSource;
  readonly model: ModelChoice;
}

/** Knows which source has which model. */
export interface ModelRouter {
  /**
   * The route to the model of this name, or to the default when it is null. Raises `agent_failed` when there is no
   * such model and `agent_unavailable` when no source can say what its default is.
   */
  route(
    name: string | null,
    request: { readonly agentId: string; readonly userId: string },
    signal: AbortSignal,
  ): Promise<Route>;
  /** All sources' models; those of a source that cannot be asked are missing, unless none can: then it raises. */
  models(signal: AbortSignal): Promise<readonly ModelInfo[]>;
}

export function createModelRouter(options: {
  readonly endpoint: ModelSource | null;
  readonly modelService: ModelSource | null;
  /** `models.default_model`. */
  readonly defaultModel: string | null;
}): ModelRouter {
  const { endpoint, modelService, defaultModel } = options;
  const sources = [endpoint, modelService].filter((source) => source !== null);

  /** Names with a slash are also common at endpoints (`Qwen/Qwen3-32B`): then the Model Service's list decides. */
  async function named(name: string, agentId: string, signal: AbortSignal): Promise<Route> {
    const model = { id: name, parameters: {} };
    if (!modelService) {
      if (!endpoint) throw unknownModel(agentId, new Error("no source of models is configured"));
      return { source: endpoint, model };
    }
    const inService = splitModelName(name) !== null;
    if (!endpoint) {
      if (inService) return { source: modelService, model };
      const twins = (await modelService.models(signal)).filter((each) =>
        each.id.endsWith(`/${name}`),
      );
      const [only] = twins;
      if (!only || twins.length > 1) {
        throw unknownModel(
          agentId,
          new Error("a model of a Model Service is provider_id/model_id"),
        );
      }
      return { source: modelService, model: { id: only.id, parameters: {} } };
    }
    if (!inService) return { source: endpoint, model };
    const has = (models: readonly ModelInfo[]) => models.some((each) => each.id === name);
    try {
      const source = has(await modelService.models(signal)) ? modelService : endpoint;
      return { source, model };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Problem)) throw error;
      // Its list is unknown: it is asked, unless the endpoint is known to have a model of this name.
      const listed = await endpoint.models(signal).catch(() => []);
      return { source: has(listed) ? endpoint : modelService, model };
    }
  }

  async function byDefault(userId: string, agentId: string, signal: AbortSignal): Promise<Route> {
    let fault: unknown = null;
    for (const source of sources) {
      try {
        const model = await source.defaultModel(userId, signal);
        if (model) return { source, model };
      } catch (error) {
        signal.throwIfAborted();
        fault ??= error;
      }
    }
    if (fault instanceof Problem && fault.type === "agent_failed") throw failed(agentId, fault);
    if (fault) {
      throw new Problem("agent_unavailable", { agentId }, { retryAfterSeconds: 5, cause: fault });
    }
    throw unknownModel(agentId, new Error("no source of models names a default"));
  }

  return {
    async route(name, { agentId, userId }, signal) {
      const wanted = name ?? defaultModel;
      if (wanted === null) return byDefault(userId, agentId, signal);
      return named(wanted, agentId, signal);
    },
    async models(signal) {
      const lists = await Promise.allSettled(sources.map((source) => source.models(signal)));
      signal.throwIfAborted();
      const known = lists.filter((list) => list.status === "fulfilled");
      const failure = lists.find((list) => list.status === "rejected");
      if (known.length === 0 && failure) throw failure.reason;
      return known.flatMap((list) => list.value);
    },
  };
}

/** A listing's fault, told of the agent that needed it. */
function failed(agentId: string, cause: Problem): Problem {
  return new Problem("agent_failed", { agentId }, { cause: cause.cause ?? cause });
}
