import { rootOf } from "../../../lib/root-of.ts";
import { explainCertificate } from "../../../problems/explain-certificate.ts";
import { Problem } from "../../../problems/problem.ts";
import { upstreamErrorOf, type UpstreamError } from "../../upstream/upstream-error.ts";
import type { AgentOs } from "./agent-os.ts";
import type { RunOutcome } from "./run-translator.ts";
import { asText, asRecord, asList, parseJson } from "./wire.ts";

/** Why a server is of no use at the moment. */
export interface Away {
  /** In a few words without addresses, for the log and for operators. */
  readonly reason: string;
  /** What mends it. */
  readonly remedy: string;
  /** For those who talk to its agents. */
  readonly told: { readonly en: string; readonly zh: string };
}

type Server = Pick<AgentOs, "settings" | "keyFault" | "origin">;

const told = {
  key: {
    en: "its server refuses the key of this service",
    zh: "其服务器拒绝了本服务的密钥",
  },
  silent: { en: "its server does not answer", zh: "其服务器没有响应" },
  stopped: { en: "its server is not running", zh: "其服务器未运行" },
  address: { en: "the address of its server is wrong", zh: "其服务器的地址有误" },
  tls: {
    en: "no secure connection to its server can be made",
    zh: "无法与其服务器建立安全连接",
  },
  broken: { en: "its server answers with errors", zh: "其服务器返回错误" },
} as const;

const lookIntoLog = "Look into the log of AgentOS";

/** Of addresses and networks, by the system's codes. */
const unreachable: readonly (readonly [
  code: RegExp,
  reason: string,
  told: Away["told"],
  remedy: (address: string) => string,
])[] = [
  [
    /^ECONNREFUSED$/,
    "nobody listens there",
    told.stopped,
    (address) => `Start AgentOS, or correct ${address}`,
  ],
  [
    /^(ENOTFOUND|EAI_)/,
    "its host name is not known",
    told.address,
    (address) => `Correct ${address}, or what resolves names`,
  ],
  [
    /^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN)$/,
    "there is no way to its host",
    told.silent,
    (address) => `Look at the network between the two, or correct ${address}`,
  ],
  [
    /^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/,
    "nothing at its address takes connections",
    told.silent,
    (address) => `Look for a firewall between the two, or correct ${address}`,
  ],
  [
    /^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/,
    "it closes connections without an answer",
    told.broken,
    () => lookIntoLog,
  ],
];

/** Why a server cannot be asked, and what mends it. */
export function explainAway(error: unknown, { settings, keyFault, origin }: Server): Away {
  const fault = upstreamErrorOf(error);
  const isSecure = origin.startsWith("https:");
  const certificate = isSecure ? explainCertificate(error) : null;
  if (certificate !== null) {
    return { reason: certificate.found, remedy: certificate.remedy, told: told.tls };
  }
  const noAgentOs = {
    reason: "what answers there is no AgentOS 2.x or newer",
    remedy: `Correct ${settings.address}, or upgrade AgentOS`,
    told: told.address,
  };
  const { status } = fault ?? {};
  switch (status) {
    case undefined:
      break;
    case 401:
      return {
        reason: keyFault ?? "it refuses the key",
        remedy: `Correct ${settings.key}`,
        told: told.key,
      };
    case 403:
      return {
        reason: "it does not let this key list its agents",
        remedy: `Give the key of ${settings.key} the scope config:read`,
        told: told.key,
      };
    case 404:
    case 405:
      return noAgentOs;
    case 502:
    case 504:
      return {
        reason: `what is in front of it answers ${status}: AgentOS itself does not`,
        remedy: "Start AgentOS, or look into the log of the proxy",
        told: told.stopped,
      };
    case 429:
    case 503:
      return {
        reason: `it answers ${status}: too much to do, or not ready yet`,
        remedy: lookIntoLog,
        told: told.broken,
      };
    default:
      return { reason: `it answers ${status}`, remedy: lookIntoLog, told: told.broken };
  }
  if (fault?.fault === "malformed" || fault?.fault === "too_large") return noAgentOs;
  const { code } = rootOf(error);
  const known = unreachable.find(([pattern]) => pattern.test(code));
  if (known !== undefined) {
    const [, reason, words, remedy] = known;
    return { reason, remedy: `${remedy(settings.address)}; see docs/agno.md`, told: words };
  }
  if (isTimeout(error, fault)) {
    return {
      reason: "it takes connections, but does not answer",
      remedy: `It hangs or has too much to do. ${lookIntoLog}`,
      told: told.silent,
    };
  }
  const why = code === "" ? (fault?.fault.replaceAll("_", " ") ?? "unavailable") : code;
  return {
    reason: `it does not answer (${why})`,
    remedy: `Start AgentOS, or correct ${settings.address}; see docs/agno.md`,
    told: told.silent,
  };
}

function isTimeout(error: unknown, fault: UpstreamError | null): boolean {
  if (fault?.fault.endsWith("_timeout") === true) return true;
  return error instanceof DOMException && error.name === "TimeoutError";
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
  const status = upstreamErrorOf(error)?.status;
  return (status === 400 || status === 409) && isBackgroundRefusal(refusalDetail(error));
}

/** The same as the reason of a failed run, which is how 2.x says it in a stream. */
export function isBackgroundRefusal(message: string): boolean {
  return /background(=true continuation is only| execution)/i.test(message);
}

/** Whether its queue has yet to note that the run has paused. */
export function isSettling(error: unknown): boolean {
  return upstreamErrorOf(error)?.status === 409 && /settling/i.test(refusalDetail(error));
}

/** What callers are told when AgentOS refused a run; other faults are passed on as they are. */
export function refusalProblem(error: unknown, agentId: string, withUserToken: boolean): unknown {
  const fault = upstreamErrorOf(error);
  const cause = fault ?? error;
  const status = fault?.status;
  const detail = refusalDetail(error);
  if (status === 404 && /^(agent|team|workflow) not found/i.test(detail)) {
    return new Problem("agent_not_found", { agentId }, { cause });
  }
  if (status === 400 && /unsupported file type|empty file/i.test(detail)) {
    return new Problem(
      "validation_failed",
      {
        en: `Agent ${agentId} does not take a file of this type.`,
        zh: `智能体 ${agentId} 不支持此类型的文件。`,
      },
      { cause },
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
      { cause },
    );
  }
  if (status === 409) {
    return new Problem(
      "agent_failed",
      {
        agentId,
        detail: {
          en: "Its queue does not take this yet. Send it again in a moment.",
          zh: "其队列尚未接受。请稍后再次发送。",
        },
      },
      { cause },
    );
  }
  if (status === 403 && withUserToken) {
    return new Problem("forbidden", { action: "send_message" }, { cause });
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
      { cause },
    );
  }
  return error;
}

/** Whether a run that failed shows more of its server than the last look at it. */
export function isNewsOf(error: unknown, problem: unknown, withUserToken: boolean): boolean {
  const fault = upstreamErrorOf(error);
  if (fault?.fault === "unreachable") return true;
  if (problem instanceof Problem && problem.type === "agent_not_found") return true;
  return !withUserToken && (fault?.status === 401 || fault?.status === 403);
}

/** The same, with what is known of the reason. */
export function withReason(
  problem: unknown,
  agentId: string,
  reason: Away["told"] | undefined,
): unknown {
  if (!(problem instanceof Problem) || problem.type !== "agent_unavailable") return problem;
  if (reason === undefined) return problem;
  const { retryAfterSeconds = 5, cause } = problem;
  return new Problem("agent_unavailable", { agentId, reason }, { retryAfterSeconds, cause });
}

/** Whether a continuation that failed like this, before anything came of it, was not taken: the run waits as before. */
export function leavesPaused(error: unknown): error is Problem {
  if (!(error instanceof Problem)) return false;
  if (error.type === "agent_unavailable" || error.type === "forbidden") return true;
  const status = upstreamErrorOf(error)?.status ?? 0;
  // With 409 its queue says that it is not ready to go on, or that somebody else has it.
  return [401, 403, 409, 429].includes(status);
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
