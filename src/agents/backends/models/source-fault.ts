import { certificateRemedy, explainCertificate } from "../../../problems/explain-certificate.ts";
import { Problem } from "../../../problems/problem.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import { refusalKindOf } from "./refusal.ts";

/** What is wrong with a source of models, in one word without addresses; null where it answered. */
export function faultOf(error: unknown, signal: AbortSignal): string {
  const fault = upstreamErrorOf(error);
  const { status } = fault ?? {};
  if (fault && refusalKindOf(fault) === "credit") return "no credit";
  if (status === 401 || status === 403) return "unauthorized";
  if (status !== undefined) return `status ${status}`;
  if (fault?.fault === "malformed" || fault?.fault === "too_large") return "not understood";
  const certificate = explainCertificate(error);
  if (certificate !== null) return certificate.found;
  const timedOut = error instanceof Problem && error.type === "agent_timeout";
  return signal.aborted || timedOut ? "timeout" : "unreachable";
}

/** What mends it. */
export function remedyOf(fault: string): string {
  switch (fault) {
    case "no such path":
      return "Correct MODELS_API_URL (OPENAI_BASE_URL): it usually ends in /v1; and MODELS_API: not every endpoint has responses";
    case "unauthorized":
      return "Correct MODELS_API_KEY (OPENAI_API_KEY, MODEL_SERVICE_API_KEY)";
    case "no credit":
      return "Top up the account behind MODELS_API_KEY";
    case "no models":
      return "Load a model (ollama pull qwen3), or set MODELS_DEFAULT_MODEL";
    case "not understood":
      return "Correct MODELS_API_URL (OPENAI_BASE_URL): what answers there is no endpoint of models";
    case "unreachable":
    case "timeout":
      return "Start the endpoint (ollama serve), or correct MODELS_API_URL (OPENAI_BASE_URL, MODEL_SERVICE_URL)";
    default:
      return certificateRemedy(fault) ?? "Look into the log of the models' server";
  }
}
