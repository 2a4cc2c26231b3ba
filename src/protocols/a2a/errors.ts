import { A2A_ERROR_CODE, ERROR_INFO_TYPE } from "@a2a-js/sdk/errors";
import type { ErrorShape } from "../../http/errors.ts";
import type { Language, ProblemType } from "../../problems/catalogue.ts";
import type { Problem } from "../../problems/problem.ts";
import { textOf } from "../json-rpc.ts";

/** Refusals for which the protocol has a number of its own. */
const codes: Partial<Record<ProblemType, number>> = {
  malformed_json: A2A_ERROR_CODE.PARSE_ERROR,
  message_not_found: A2A_ERROR_CODE.TASK_NOT_FOUND,
  message_not_running: A2A_ERROR_CODE.TASK_NOT_CANCELABLE,
  unsupported: A2A_ERROR_CODE.UNSUPPORTED_OPERATION,
  unsupported_media_type: A2A_ERROR_CODE.CONTENT_TYPE_NOT_SUPPORTED,
};
/** What one may not, or not now: the protocol has no number for that. */
const refused = -32_000;

function codeOf({ type, status }: Problem): number {
  if (status >= 500) return A2A_ERROR_CODE.INTERNAL_ERROR;
  const isFaulty = status === 400 || status === 413 || status === 422;
  return codes[type] ?? (isFaulty ? A2A_ERROR_CODE.INVALID_PARAMS : refused);
}

/** A problem as an error of JSON-RPC, with its type where clients look for what is meant. */
export function rpcError(problem: Problem, language: Language) {
  const { type, retryAfterSeconds } = problem;
  const metadata = {
    type,
    ...(retryAfterSeconds !== undefined && {
      retry_after_seconds: String(Math.ceil(retryAfterSeconds)),
    }),
  };
  return {
    code: codeOf(problem),
    message: textOf(problem, language),
    data: [
      { "@type": ERROR_INFO_TYPE, reason: type.toUpperCase(), domain: "chat-service", metadata },
    ],
  };
}

/** Errors of everything below `/a2a`. */
export const a2aErrors: ErrorShape = {
  prefix: "/a2a/",
  body: (problem, language) => ({ jsonrpc: "2.0", id: null, error: rpcError(problem, language) }),
  headers: () => ({}),
};

/** Whether a refusal is told as the answer to a call; others are answers of HTTP too, which proxies and clients heed. */
export function isToldInside({ status }: Problem): boolean {
  return status < 500 && status !== 401 && status !== 403 && status !== 429;
}
