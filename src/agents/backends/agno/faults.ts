import { rootOf } from "../../../lib/root-of.ts";
import { explainCertificate } from "../../../problems/explain-certificate.ts";
import { Problem } from "../../../problems/problem.ts";
import { upstreamErrorOf, type UpstreamError } from "../../upstream/upstream-error.ts";
import type { RunOutcome } from "./run-translator.ts";
import { asText, asRecord, asList, parseJson } from "./wire.ts";

/** Why a server cannot be asked what it has, in a few words without addresses, and what mends it. */
export function explainAway(error: unknown): { readonly reason: string; readonly remedy: string } {
  const fault = upstreamErrorOf(error);
  const certificate = explainCertificate(error);
  if (certificate !== null) return { reason: certificate.found, remedy: certificate.remedy };
  switch (fault?.status) {
    case 401:
      return { reason: "it refuses the key", remedy: "Correct AGNO_API_KEY" };
    case 403:
      return {
        reason: "it does not let this key list its agents",
        remedy: "Give the key of AGNO_API_KEY the scope config:read",
      };
    case 404:
      return {
        reason: "what answers there is no AgentOS 2.x or newer",
        remedy: "Correct AGNO_API_URL, or upgrade AgentOS",
      };
    case undefined: {
      const { code } = rootOf(error);
      const reason =
        code === "ECONNREFUSED" ? "nobody listens there" : `it does not answer (${whyAway(fault)})`;
      return { reason, remedy: "Start AgentOS, or correct AGNO_API_URL; see docs/agno.md" };
    }
    default:
      return { reason: `it answers ${fault?.status}`, remedy: "Look into the log of AgentOS" };
  }
}

function whyAway(fault: UpstreamError | null): string {
  const { code } = rootOf(fault);
  return code !== "" ? code : (fault?.fault.replaceAll("_", " ") ?? "unavailable");
}

/** What AgentOS wrote as the reason of a refusal. For decisions only: neither for callers nor for the log. */
export function refusalDetail(error: unknown): string {
  const body = upstreamErrorOf(error)?.bodyExcerpt ?? "";
  const detail = asRecord(parseJson(body))["detail"];
  if (typeof detail === "string") return detail;
  const faults = asList(detail).flatMap((fault) => asText(fault["msg"]) ?? []);
  return faults.length > 0 ? faults.join("; ") : body;
}

/** Whether AgentOS refuses to run this in the background, where it would run it in the foreground. */
export function refusesBackground(error: unknown): boolean {
  return upstreamErrorOf(error)?.status === 400 && isBackgroundRefusal(refusalDetail(error));
}

/** The same as the reason of a failed run, which is how 2.x says it in a stream. */
export function isBackgroundRefusal(message: string): boolean {
  return /background execution/i.test(message);
}

/** What callers are told when AgentOS refused a run; other faults are passed on as they are. */
export function refusalProblem(error: unknown, agentId: string, withUserToken: boolean): unknown {
  const status = upstreamErrorOf(error)?.status;
  const detail = refusalDetail(error);
  if (status === 404 && /^(agent|team|workflow) not found/i.test(detail)) {
    return new Problem("agent_not_found", { agentId }, { cause: error });
  }
  if (status === 400 && /unsupported file type|empty file/i.test(detail)) {
    return new Problem(
      "validation_failed",
      {
        en: `Agent ${agentId} does not take a file of this type.`,
        zh: `智能体 ${agentId} 不支持此类型的文件。`,
      },
      { cause: error },
    );
  }
  if (status === 403 && /approval/i.test(detail)) {
    return new Problem(
      "agent_failed",
      {
        agentId,
        detail: {
          en: "An administrator must approve this in AgentOS first.",
          zh: "须先由管理员在 AgentOS 中批准。",
        },
      },
      { cause: error },
    );
  }
  if (status === 403 && withUserToken) {
    return new Problem("forbidden", { action: "send_message" }, { cause: error });
  }
  if (status === 401 || status === 403) {
    return new Problem(
      "agent_failed",
      {
        agentId,
        detail: {
          en: "Its server refused the credentials.",
          zh: "其服务器拒绝了凭据。",
        },
      },
      { cause: error },
    );
  }
  return error;
}

/** Whether a continuation that failed like this, before anything came of it, was not taken: the run waits as before. */
export function leavesPaused(error: unknown): error is Problem {
  if (!(error instanceof Problem)) return false;
  if (error.type === "agent_unavailable" || error.type === "forbidden") return true;
  const status = upstreamErrorOf(error)?.status;
  return status === 401 || status === 403 || status === 429;
}

/** What callers are told about a run that ended badly. */
export function outcomeProblem(
  outcome: Extract<RunOutcome, { kind: "failed" | "cancelled" }>,
  agentId: string,
): Problem {
  if (outcome.kind === "cancelled") {
    const detail = { en: "The run was stopped in AgentOS.", zh: "该运行已在 AgentOS 中停止。" };
    return new Problem("agent_failed", { agentId, detail });
  }
  // The message may hold anything, also what the user wrote: only the type is logged.
  const type = /^[\w.-]{1,64}$/.test(outcome.errorType) ? outcome.errorType : "unknown";
  const cause = new Error(`the run ended in an error of type ${type}`);
  switch (outcome.errorType) {
    case "input_check_error":
      return new Problem(
        "agent_failed",
        {
          agentId,
          detail: { en: "It refused this message.", zh: "它拒绝了此消息。" },
        },
        { cause },
      );
    case "output_check_error":
      return new Problem(
        "agent_failed",
        {
          agentId,
          detail: { en: "Its answer was held back by a check.", zh: "其回答未通过检查。" },
        },
        { cause },
      );
    case "model_authentication_error":
      return new Problem(
        "agent_failed",
        {
          agentId,
          detail: { en: "It has no access to its model.", zh: "它无法访问其模型。" },
        },
        { cause },
      );
    default:
      return new Problem("agent_failed", { agentId }, { cause });
  }
}
