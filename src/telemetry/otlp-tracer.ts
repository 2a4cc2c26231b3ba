import {
  diag,
  DiagLogLevel,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type SpanContext,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { shownCertificate } from "../lib/certificates.ts";
import type { Logger } from "./logger.ts";
import { safeText } from "./safe-fields.ts";
import type { SpanAttributes, Tracer } from "./tracer.ts";

interface OtlpTracerOptions {
  /** Of a collector, such as http://127.0.0.1:4318; `/v1/traces` is added unless it is there. */
  readonly otlpEndpoint: string;
  readonly service: { readonly name: string; readonly environment: string };
  readonly version: string;
  readonly nodeId: string;
  readonly logger: Logger;
}

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL };
const exportTimeoutMs = 5_000;
const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Sends spans to an OpenTelemetry collector, in batches and in the background; what it cannot take is dropped. */
export function createOtlpTracer(options: OtlpTracerOptions): Tracer {
  const { service, logger } = options;
  diag.setLogger(collectorFaults(logger), {
    logLevel: DiagLogLevel.WARN,
    suppressOverrideMessage: true,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": service.name,
      "service.version": options.version,
      "service.instance.id": options.nodeId,
      "deployment.environment.name": service.environment,
    }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({
          url: tracesUrl(options.otlpEndpoint),
          timeoutMillis: exportTimeoutMs,
          httpAgentOptions: shownCertificate(),
        }),
        maxQueueSize: 4_096,
        exportTimeoutMillis: exportTimeoutMs,
      }),
    ],
    spanLimits: { attributeValueLengthLimit: 1_000, eventCountLimit: 16 },
  });
  const tracer = provider.getTracer("chat-service", options.version);
  let closing: Promise<void> | undefined;

  return {
    isOn: true,
    start(name, kind, parent, attributes) {
      const parentContext = parseTraceparent(parent);
      const span = tracer.startSpan(
        name,
        { kind: kinds[kind], attributes: defined(attributes) },
        parentContext === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parentContext),
      );
      return {
        traceparent: formatTraceparent(span.spanContext()),
        set: (more) => void span.setAttributes(defined(more)),
        fail(type) {
          span.setAttribute("error.type", type);
          span.setStatus({ code: SpanStatusCode.ERROR, message: type });
        },
        end: () => span.end(),
      };
    },
    close() {
      closing ??= provider.shutdown().catch((error: unknown) => {
        logger.warn({ err: error }, "the last traces cannot be sent");
      });
      return closing;
    },
  };
}

function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path.endsWith("/v1/traces") ? path : `${path}/v1/traces`;
  return url.href;
}

function parseTraceparent(traceparent: string | undefined): SpanContext | null {
  const [, traceId, spanId, flags] = traceparentPattern.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(context) ? context : null;
}

function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

function defined(attributes: SpanAttributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

/** The exporter tells its troubles here, at worst for every batch: one line a minute is enough. */
function collectorFaults(logger: Logger) {
  let toldMs = Number.NEGATIVE_INFINITY;
  const tell = (fault: string) => {
    if (performance.now() - toldMs < 60_000) return;
    toldMs = performance.now();
    logger.warn({ fault: safeText(fault, 300) }, "traces cannot be sent");
  };
  return { error: tell, warn: tell, info() {}, debug() {}, verbose() {} };
}
