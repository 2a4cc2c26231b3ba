import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Span, Tracer } from "./tracer.ts";

declare module "fastify" {
  interface FastifyRequest {
    span: Span | null;
    /** The caller's trace context, replaced by this request's own span where that is traced. */
    traceparent: string | undefined;
  }
}

/** Asked every few seconds by machines; nobody wants to see them in traces. */
const untraced = /^\/(?:health|metrics|docs)(?:\/|$)/;

/**
 * A server span for each request, and its trace id on the lines of the request's log. Install it after the request
 * context, whose `traceparent` it takes.
 */
export function installTracing(app: FastifyInstance, tracer: Tracer): void {
  app.decorateRequest("span", null);
  app.addHook("onRequest", (request, _reply, done) => {
    if (tracer.isOn && !untraced.test(request.url)) request.span = startSpan(request, tracer);
    const traceId = request.traceparent?.split("-")[1];
    if (traceId !== undefined) request.log = request.log.child({ traceId });
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    const { span } = request;
    if (span !== null) {
      const { statusCode } = reply;
      span.set({ "http.response.status_code": statusCode });
      if (statusCode >= 500) span.fail(String(statusCode));
      span.end();
    }
    done();
  });
}

function startSpan(request: FastifyRequest, tracer: Tracer): Span {
  const route = request.routeOptions.url;
  const span = tracer.start(
    route === undefined ? request.method : `${request.method} ${route}`,
    "server",
    request.traceparent,
    {
      "http.request.method": request.method,
      "http.route": route,
      "url.path": request.url.split("?", 1)[0],
      "url.scheme": request.protocol,
      "chat.request.id": request.id,
    },
  );
  request.traceparent = span.traceparent;
  return span;
}
