import type { ErrorShape } from "../../http/errors.ts";
import type { Problem } from "../../problems/problem.ts";

/** As OpenAI's clients tell errors apart, beside the status. */
export function errorTypeOf(status: number): string {
  if (status >= 500) return "server_error";
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return "invalid_request_error";
}

/** The name of a problem there: agents are models. */
export function errorCodeOf(type: string): string {
  return type === "agent_not_found" ? "model_not_found" : type;
}

/** Errors of everything below `/v1`. */
export const openAiErrors: ErrorShape = {
  prefix: "/v1/",
  body(problem, language) {
    const faults = problem.faults(language);
    const [first] = faults ?? [];
    const told = (faults ?? [])
      .map(({ path, message }) => `${paramOf(path) ?? "the body"} ${message}`)
      .join("; ");
    return {
      error: {
        message: told === "" ? problem.text(language) : told,
        type: errorTypeOf(problem.status),
        code: errorCodeOf(problem.type),
        param: parameterOf(problem) ?? (first === undefined ? null : paramOf(first.path)),
      },
    };
  },
  headers(problem) {
    // What stays refused is not asked again; clients would, for 409 above all.
    const isFinal = problem.status < 500 && problem.type !== "rate_limited";
    return isFinal ? { "x-should-retry": "false" } : {};
  },
};

function parameterOf({ type, data }: Problem): string | undefined {
  return type === "unsupported_parameter" ? (data as { parameter: string }).parameter : undefined;
}

/** `/messages/0/content` is `messages[0].content`; null: the whole body. */
export function paramOf(pointer: string): string | null {
  const name = pointer
    .slice(1)
    .replaceAll(/\/(\d+)(?=\/|$)/g, "[$1]")
    .replaceAll("/", ".");
  return name === "" ? null : name;
}
