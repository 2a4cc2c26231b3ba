import { once } from "node:events";
import { Shares } from "../lib/shares.ts";
import { createServer as createHttpServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMemoryRateLimiter } from "../cache/memory-rate-limiter.ts";
import { loadConfig } from "../config/load-config.ts";
import { createServer } from "../http/create-server.ts";
import { createOpenIdentity } from "../identity/open.ts";
import { createLogger } from "./create-logger.ts";
import { createTracer } from "./create-tracer.ts";
import { silentLogger, type Logger } from "./logger.ts";
import { createMetrics } from "./metrics.ts";
import { createTelemetry } from "./telemetry.ts";
import { noTracer, type Tracer } from "./tracer.ts";

interface ExportedSpan {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: { key: string; value: Record<string, unknown> }[];
  status: { code: number; message?: string };
}

let collector: Server;
let endpoint: string;
let paths: string[];
let spans: ExportedSpan[];

beforeEach(async () => {
  paths = [];
  spans = [];
  collector = createHttpServer((request, response) => {
    paths.push(request.url ?? "");
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      const { resourceSpans } = JSON.parse(body) as {
        resourceSpans: { scopeSpans: { spans: ExportedSpan[] }[] }[];
      };
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((s) => s.spans)));
      response.setHeader("content-type", "application/json").end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});
afterEach(() => {
  collector.close();
});

function start(otlpEndpoint: string | null, logger: Logger = silentLogger): Promise<Tracer> {
  return createTracer({
    otlpEndpoint,
    service: { name: "chat-service", environment: "test" },
    version: "1.2.3",
    nodeId: "node-1",
    logger,
  });
}

function attributesOf(span: ExportedSpan | undefined): Record<string, unknown> {
  return Object.fromEntries(
    (span?.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]),
  );
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("createTracer", () => {
  it("traces nothing without an endpoint, and hands the caller's context on", async () => {
    const tracer = await start(null);
    expect(tracer).toBe(noTracer);
    expect(tracer.start("x", "client", parent, {}).traceparent).toBe(parent);
  });

  it("exports spans in the caller's trace, and their own context to what they call", async () => {
    const tracer = await start(endpoint);
    const outer = tracer.start("outer", "server", parent, { one: 1, none: undefined });
    const inner = tracer.start("inner", "client", outer.traceparent, {});
    inner.fail("agent_timeout");
    inner.end();
    outer.end();
    await tracer.close();
    expect(paths).toEqual(["/v1/traces"]);
    const [first, second] = spans;
    expect([first?.name, second?.name]).toEqual(["inner", "outer"]);
    expect(second).toMatchObject({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      parentSpanId: "b7ad6b7169203331",
    });
    expect(first).toMatchObject({ traceId: second?.traceId, parentSpanId: second?.spanId });
    expect(outer.traceparent).toBe(`00-${second?.traceId}-${second?.spanId}-01`);
    expect(first?.status).toEqual({ code: 2, message: "agent_timeout" });
    expect(attributesOf(second)).toEqual({ one: 1 });
  });

  it("respects callers who do not want their trace recorded", async () => {
    const tracer = await start(endpoint);
    tracer.start("quiet", "server", parent.replace(/01$/, "00"), {}).end();
    tracer.start("own", "server", "nonsense", {}).end();
    await tracer.close();
    expect(spans.map((span) => span.name)).toEqual(["own"]);
  });

  it("tells once that the collector is away, and closes all the same", async () => {
    collector.close();
    const told: string[] = [];
    const first = Promise.withResolvers<void>();
    const tracer = await start(endpoint, {
      ...silentLogger,
      warn(_fields, message) {
        told.push(message);
        first.resolve();
      },
    });
    // A full batch leaves at once; the rest goes when closing.
    for (let span = 0; span < 600; span++) tracer.start("lost", "server", undefined, {}).end();
    await first.promise;
    await tracer.close();
    expect(told).toEqual(["traces cannot be sent", "the last traces cannot be sent"]);
  });
});

describe("installTracing", () => {
  it("gives each request a span and its trace id to the log; probes get none", async () => {
    const loaded = loadConfig({ environment: { LOGGING_FORMAT: "json" }, cwd: "/nowhere" });
    if (!loaded.ok) throw new Error(loaded.faults.join());
    const { config } = loaded;
    const metrics = createMetrics();
    const tracer = await start(endpoint);
    const lines: string[] = [];
    const { app } = await createServer({
      audit: { record: async () => {} },
      limiter: createMemoryRateLimiter({}),
      pace: createMemoryRateLimiter({}),
      room: new Shares({ total: 1, each: 1, maxWaiting: 1 }),
      errorShapes: [],
      costs: { "GET /health": "read", "GET /things/:id": "read" },
      config,
      logger: createLogger(config.logging, config.service, {
        isTerminal: false,
        write: (line) => void lines.push(line),
      }).pino,
      identity: createOpenIdentity(),
      telemetry: createTelemetry(silentLogger, metrics),
      metrics,
      tracer,
    });
    app.get("/health", () => "");
    app.get("/things/:id", (request) => {
      if (request.query !== null && Object.hasOwn(request.query as object, "bad"))
        throw new Error();
      return { seen: request.traceparent };
    });
    await app.inject({ url: "/health" });
    const answer = await app.inject({
      url: "/api/things/7?secret=x",
      headers: { traceparent: parent },
    });
    await app.inject({ url: "/things/7?bad=1" });
    await app.close();
    await tracer.close();

    expect(spans.map(({ name }) => name)).toEqual(["GET /things/:id", "GET /things/:id"]);
    const [first, second] = spans;
    expect(answer.json()).toEqual({ seen: `00-${first?.traceId}-${first?.spanId}-01` });
    expect(first?.parentSpanId).toBe("b7ad6b7169203331");
    expect(attributesOf(first)).toMatchObject({
      "http.request.method": "GET",
      "http.route": "/things/:id",
      "url.path": "/things/7",
      "http.response.status_code": 200,
    });
    expect(second?.status.code).toBe(2);
    expect(JSON.stringify(spans)).not.toContain("secret");
    expect(lines.some((line) => line.includes(`"traceId":"${first?.traceId}"`))).toBe(true);
  });
});
