import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Language } from "../problems/catalogue.ts";
import { Problem } from "../problems/problem.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { preferredLanguage } from "./language.ts";
import type { RouteTable } from "./route-table.ts";

/** A URL without its query. */
export function pathOf(url: string): string {
  return url.split("?", 1)[0] ?? "/";
}

/** How errors look on the paths of a protocol that has a shape of its own for them. */
export interface ErrorShape {
  /** Of its paths, such as `/v1/`. */
  readonly prefix: string;
  body(problem: Problem, language: Language): object;
  headers(problem: Problem): Readonly<Record<string, string>>;
}

/** An error answer, in the shape of the path that it is of; paths are those of the routes, without any prefix of the server. */
export type Refusal = (
  problem: Problem,
  request: Pick<FastifyRequest, "id" | "language" | "originalUrl">,
  path: string,
) => { readonly body: object; readonly headers: Readonly<Record<string, string>> };

export function createRefusal(shapes: readonly ErrorShape[]): Refusal {
  return (problem, request, path) => {
    const shape = shapes.find(({ prefix }) => `${path}/`.startsWith(prefix));
    return shape === undefined
      ? { body: problemBody(problem, request), headers: {} }
      : { body: shape.body(problem, request.language), headers: shape.headers(problem) };
  };
}

/** The body of every error answer of our own. */
export function problemBody(
  problem: Problem,
  {
    id,
    language,
    originalUrl,
    at = new Date(),
  }: Pick<FastifyRequest, "id" | "language" | "originalUrl"> & { readonly at?: Date },
): object {
  return {
    success: false,
    error: {
      code: problem.status,
      type: problem.type,
      message: problem.text(language),
      ...(problem.details !== undefined && { details: problem.faults(language) }),
    },
    request_id: id,
    timestamp: at.toISOString(),
    path: pathOf(originalUrl),
  };
}

/**
 * Turns whatever was thrown into the one error shape; causes and stacks go to the log only. Returns what answers for a
 * path or method that is not there.
 */
export function installErrorHandling(
  app: FastifyInstance,
  telemetry: Telemetry,
  routes: RouteTable,
  refusal: Refusal = createRefusal([]),
): (request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  const answer = (problem: Problem, request: FastifyRequest, reply: FastifyReply) => {
    telemetry.problem(problem.type);
    const { type, status } = problem;
    const err = problem.cause ?? (type === "internal_error" ? problem : undefined);
    if (status < 500) request.log.debug({ type, status }, "request refused");
    // The outage has its line; so many requests would be as many more.
    else if (problem.isOutage) request.log.debug({ err, type }, "request refused");
    else if (err !== undefined) request.log.error({ err, type }, "request failed");
    // A limit, a stop, a part that is not there: nothing broke, and under load there are many.
    else request.log.warn({ type, status }, "request refused");
    if (problem.retryAfterSeconds !== undefined) {
      void reply.header("Retry-After", Math.ceil(problem.retryAfterSeconds));
    }
    if (problem.type === "unauthorized") void reply.header("WWW-Authenticate", "Bearer");
    if (problem.type === "shutting_down") void reply.header("Connection", "close");
    const { body, headers } = refusal(problem, request, pathOf(request.url));
    return reply
      .code(problem.status)
      .headers(headers)
      .type("application/json; charset=utf-8")
      .send(body);
  };

  const answerNothingThere = (request: FastifyRequest, reply: FastifyReply) => {
    const path = pathOf(request.url);
    const allowed = routes.methodsOf(path);
    // A route that has this method has answered that there is no such file.
    if (allowed.length === 0 || allowed.includes(request.method)) {
      return answer(new Problem("not_found", { method: request.method, path }), request, reply);
    }
    void reply.header("Allow", allowed.join(", "));
    return answer(
      new Problem("method_not_allowed", {
        method: request.method,
        allowed: allowed.join(", "),
      }),
      request,
      reply,
    );
  };

  app.setErrorHandler((error, request, reply) => answer(toProblem(error), request, reply));
  app.setNotFoundHandler(answerNothingThere);
  return answerNothingThere;
}

/** What hooks add to every other answer. */
export const headersWithoutHooks = {
  "X-Process-Time": "0",
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
};

/** Answers requests that Fastify refuses before its hooks run: they have not made the headers yet. */
export function refuseUndecodable(
  serviceName: string,
  telemetry: Telemetry,
  refusal: Refusal = createRefusal([]),
) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = toProblem(error);
    telemetry.problem(problem.type);
    request.log.debug({ type: problem.type, status: problem.status }, "request refused");
    request.language = preferredLanguage(request.headers["accept-language"]);
    const { body, headers } = refusal(problem, request, pathOf(request.url));
    void reply
      .code(problem.status)
      .headers({ "X-Request-ID": request.id, "X-Service": serviceName, ...headersWithoutHooks })
      .headers(headers)
      .type("application/json; charset=utf-8")
      .send(body);
  };
}

/** Fastify's own refusals by their code. */
function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { code, statusCode, message } = error as Partial<FastifyError>;
  switch (code) {
    case "FST_ERR_CTP_INVALID_JSON_BODY":
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return new Problem("malformed_json", {});
    case "FST_ERR_CTP_BODY_TOO_LARGE":
    case "FST_REQ_FILE_TOO_LARGE":
      return new Problem("payload_too_large", { limit: "limits.max_body_size" });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new Problem("unsupported_media_type", {
        got: "This content type",
        expected: "application/json",
      });
    default:
  }
  if (error instanceof SyntaxError && statusCode === 400) return new Problem("malformed_json", {});
  if (statusCode === 416) return new Problem("range_not_satisfiable", {});
  if (statusCode === 413) return new Problem("payload_too_large", { limit: "less" });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new Problem(
      "bad_request",
      { en: `The request is not valid HTTP: ${message ?? ""}`, zh: "请求不是有效的 HTTP 请求。" },
      { cause: error },
    );
  }
  return new Problem("internal_error", {}, { cause: error });
}
