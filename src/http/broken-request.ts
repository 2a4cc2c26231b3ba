import { STATUS_CODES, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyServerOptions } from "fastify";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { destroySoon } from "./linger.ts";
import { createRefusal, headersWithoutHooks, pathOf, type Refusal } from "./errors.ts";

/**
 * Answers what is no request, or arrives too slowly or with a head that is too large, in the shape of every other error.
 * The connection ends with it: where the next request would begin is not known.
 */
export function refuseBrokenRequests(
  serviceName: string,
  telemetry: Pick<Telemetry, "problem">,
  methodsOf: (path: string) => readonly string[],
  /** Of a URL, as it was sent: the path that routes know. */
  pathFor: (url: string) => string = pathOf,
  refusal: Refusal = createRefusal([]),
): NonNullable<FastifyServerOptions["clientErrorHandler"]> {
  const postponed = new WeakSet<Socket>();
  return function refuse(error, socket: Socket): void {
    if (error.code === "ECONNRESET" || socket.destroyed) return;
    // The parser tells of every further piece of what it has refused already.
    if (socket.writableEnded) return;
    const response = responseOf(socket);
    if (response?.headersSent === false && response.req.complete) {
      // That is for an earlier request, which came whole: it is answered before this one is refused.
      if (postponed.has(socket)) return;
      postponed.add(socket);
      response.once("close", () =>
        setImmediate(() => {
          postponed.delete(socket);
          refuse(error, socket);
        }),
      );
      return;
    }
    if (!socket.writable || response?.headersSent === true) {
      socket.destroy();
      return;
    }
    const { method = "", url = "" } = unknownMethod(error) ?? {};
    const allowed = method === "" ? [] : methodsOf(pathFor(url));
    const problem =
      method === "" ? problemOf(error.code) : problemOfMethod(method, pathOf(url), allowed);
    telemetry.problem(problem.type);
    const id = newId();
    // What they are for is not known, nor the language.
    const request = { id, language: "en", originalUrl: url } as const;
    const refused = refusal(problem, request, pathFor(url === "" ? beginningOfUrl(error) : url));
    const body = JSON.stringify(refused.body);
    socket.end(
      [
        `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
        "Connection: close",
        "Content-Type: application/json; charset=utf-8",
        `Content-Length: ${Buffer.byteLength(body)}`,
        `X-Request-ID: ${id}`,
        `X-Service: ${serviceName}`,
        ...(allowed.length > 0 ? [`Allow: ${allowed.join(", ")}`] : []),
        ...Object.entries({ ...headersWithoutHooks, ...refused.headers }).map(
          ([name, value]) => `${name}: ${value}`,
        ),
        "",
        isHead(error) ? "" : body,
      ].join("\r\n"),
    );
    // Closed at once, with something unread, the answer would be lost with it.
    socket.resume();
    destroySoon(socket);
  };
}

/** Whose errors these are shows at its beginning already, however long it is; empty where it is not known. */
function beginningOfUrl({ rawPacket }: { readonly rawPacket?: unknown }): string {
  if (!Buffer.isBuffer(rawPacket)) return "";
  const head = rawPacket.subarray(0, 200).toString("latin1");
  return /^[A-Z]{1,20} (\/[^\s?]*)/.exec(head)?.[1] ?? "";
}

/** Whether whoever asked takes what comes behind the head for another answer; told by what is refused, if by anything. */
function isHead({ rawPacket }: { readonly rawPacket?: unknown }): boolean {
  return Buffer.isBuffer(rawPacket) && rawPacket.subarray(0, 5).toString("latin1") === "HEAD ";
}

/** The answer that is under way on the connection. */
function responseOf(socket: Socket): ServerResponse | null {
  const { _httpMessage: response = null } = socket as { _httpMessage?: ServerResponse | null };
  return response;
}

/** A request that is whole but for a method which the parser does not know. */
function unknownMethod(error: {
  readonly code?: string;
  readonly rawPacket?: unknown;
  readonly bytesParsed?: unknown;
}): { readonly method?: string; readonly url?: string } | null {
  const { rawPacket, bytesParsed } = error;
  if (error.code !== "HPE_INVALID_METHOD" || !Buffer.isBuffer(rawPacket)) return null;
  // Others may stand before it.
  const from = rawPacket.lastIndexOf("\n", Math.max(0, Number(bytesParsed) - 1)) + 1;
  const head = rawPacket.subarray(from, from + 4_096).toString("latin1");
  return /^(?<method>[A-Za-z-]{1,40}) (?<url>\/\S*) HTTP\/1\.[01]\r?\n/.exec(head)?.groups ?? null;
}

function problemOfMethod(method: string, path: string, allowed: readonly string[]): Problem {
  return allowed.length === 0
    ? new Problem("not_found", { method, path })
    : new Problem("method_not_allowed", { method, allowed: allowed.join(", ") });
}

function problemOf(code: string | undefined): Problem {
  if (code === "HPE_HEADER_OVERFLOW") {
    return new Problem("payload_too_large", { limit: "16 KiB for the URL and the headers" });
  }
  return new Problem(
    "bad_request",
    code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? { en: "The request did not arrive in time.", zh: "请求未能及时送达。" }
      : { en: "This is not a valid HTTP request.", zh: "请求不是有效的 HTTP 请求。" },
  );
}
