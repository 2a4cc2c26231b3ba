import type { FastifyInstance, FastifyRequest } from "fastify";
import { newId } from "../lib/ids.ts";
import type { Language } from "../problems/catalogue.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { preferredLanguage } from "./language.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Of the texts in the answer. */
    language: Language;
    /** The caller's W3C trace context, if it is well-formed. */
    traceparent: string | undefined;
    startedMs: number;
  }
  interface FastifyContextConfig {
    /** Whoever knows its address may read what is there: the log has the pattern alone. */
    isPathSecret?: boolean;
  }
}

const requestIdPattern = /^[\x21-\x7e]{1,128}$/;
const traceparentPattern = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's `X-Request-ID` if it is usable, else a new one. */
export function requestId(header: string | string[] | undefined): string {
  return typeof header === "string" && requestIdPattern.test(header) ? header : newId();
}

/** Request id, language and timing on every request; the common headers on every response, errors included. */
export function installRequestContext(
  app: FastifyInstance,
  serviceName: string,
  metrics: Metrics,
): void {
  app.decorateRequest("language", "en");
  app.decorateRequest("traceparent", undefined);
  app.decorateRequest("startedMs", 0);
  app.addHook("onRequest", (request, reply, done) => {
    request.startedMs = performance.now();
    request.language = preferredLanguage(request.headers["accept-language"]);
    const { traceparent } = request.headers;
    if (typeof traceparent === "string" && traceparentPattern.test(traceparent)) {
      request.traceparent = traceparent;
      void reply.header("traceparent", traceparent);
    }
    void reply.headers({ "X-Request-ID": request.id, "X-Service": serviceName });
    done();
  });
  app.addHook("onSend", (request, reply, _payload, done) => {
    void reply.header("X-Process-Time", processTime(request));
    // Answers are somebody's, unless a route says otherwise; an API key or a user_id in the query tells no cache so.
    if (!reply.hasHeader("cache-control")) void reply.header("Cache-Control", "no-store");
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    metrics.httpDuration.observe(
      {
        method: request.method,
        route: request.routeOptions.url ?? "none",
        status: String(reply.statusCode),
      },
      (performance.now() - request.startedMs) / 1000,
    );
    request.log.info(
      {
        method: request.method,
        path:
          request.routeOptions.config.isPathSecret === true
            ? request.routeOptions.url
            : request.originalUrl.split("?", 1)[0],
        status: reply.statusCode,
        durationMs: Math.round(performance.now() - request.startedMs),
      },
      "request",
    );
    done();
  });
}

/** Seconds since the request arrived, for `X-Process-Time`. */
export function processTime(request: FastifyRequest): string {
  return ((performance.now() - request.startedMs) / 1000).toFixed(6);
}
