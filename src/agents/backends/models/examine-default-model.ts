import type { BackendFinding } from "../../agent-backend.ts";
import { chooseAnother, hasModel } from "./has-model.ts";
import type { ModelRouter } from "./model-router.ts";

/** Whether the model of agents that name none is to be had. */
export async function examineDefaultModel(
  wanted: string | null,
  router: Pick<ModelRouter, "models">,
  signal: AbortSignal,
): Promise<BackendFinding> {
  const name = "default model";
  const known = await router.models(signal).catch(() => []);
  if (wanted === null) {
    return known.length > 0
      ? { name, status: "ok", found: `the endpoint's first: ${known[0]?.id}` }
      : {
          name,
          status: "warn",
          found: "none is set, and the endpoint lists none",
          remedy: "Set MODELS_DEFAULT_MODEL, or load one (ollama pull qwen3)",
        };
  }
  // Some endpoints list nothing and serve all the same.
  if (known.length === 0 || hasModel(known, wanted)) {
    return { name, status: "ok", found: wanted };
  }
  return {
    name,
    status: "fail",
    found: `${wanted} is not among the endpoint's models`,
    remedy: chooseAnother(known, wanted),
  };
}
