import { describe, expect, it } from "vitest";
import { Problem } from "../problems/problem.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { SpanAttributes, Tracer } from "../telemetry/tracer.ts";
import {
  AgentInterrupted,
  type AgentBackend,
  type AgentEvent,
  type RunRequest,
} from "./agent-backend.ts";
import { observeBackend } from "./observe-backend.ts";

const request: RunRequest = {
  replyId: "r",
  attempt: 1,
  sessionId: "s",
  seq: 2,
  after: 0,
  userId: "u",
  agentId: "analyst",
  message: "geheim",
  attachments: [],
  settings: { model: "m1" },
  language: "en",
  requestId: "q",
  traceparent: "caller",
  history: async () => [],
};

interface RecordedSpan {
  name: string;
  parent: string | undefined;
  attributes: SpanAttributes;
  fault: string | null;
  ends: number;
}

function recordingTracer() {
  const spans: RecordedSpan[] = [];
  const tracer: Tracer = {
    isOn: true,
    start(name, _kind, parent, attributes) {
      const span: RecordedSpan = { name, parent, attributes, fault: null, ends: 0 };
      spans.push(span);
      return {
        traceparent: `span ${spans.length}`,
        set: (more) => Object.assign(span, { attributes: { ...span.attributes, ...more } }),
        fail: (type) => Object.assign(span, { fault: type }),
        end: () => Object.assign(span, { ends: span.ends + 1 }),
      };
    },
    async close() {},
  };
  return { spans, tracer };
}

function observed(events: (request: RunRequest) => AsyncGenerator<AgentEvent, void, void>) {
  const metrics = createMetrics();
  const { spans, tracer } = recordingTracer();
  const backend: AgentBackend = {
    source: "models",
    list: async () => [],
    run: events,
    probe: async () => ({ status: "healthy", details: {} }),
    close: async () => {},
  };
  const outcomes = async () =>
    [
      ...(await metrics.registry.metrics()).matchAll(
        /upstream_request_duration_seconds_count{upstream="models",outcome="(\w+)"} (\d+)/g,
      ),
    ].map(([, outcome, count]) => `${outcome} ${count}`);
  return { backend: observeBackend(backend, { metrics, tracer }), spans, outcomes };
}

async function collect(events: AsyncIterable<AgentEvent>): Promise<AgentEvent[]> {
  const all: AgentEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const idle = new AbortController().signal;

describe("observeBackend", () => {
  it("hands all events on, and spans for the run and its tools without texts", async () => {
    const script: AgentEvent[] = [
      { type: "text", text: "geheim" },
      {
        type: "tool",
        toolCallId: "t1",
        name: "add",
        status: "started",
        arguments: { a: "geheim" },
      },
      { type: "tool", toolCallId: "t1", name: "add", status: "failed", result: "geheim" },
      { type: "usage", inputTokens: 3, outputTokens: 4 },
      { type: "usage", inputTokens: 1, outputTokens: 1 },
      { type: "finish", reason: "stop" },
    ];
    let upstream: string | undefined;
    const { backend, spans, outcomes } = observed(async function* (traced) {
      upstream = traced.traceparent;
      yield* script;
    });
    expect(await collect(backend.run(request, idle))).toEqual(script);
    expect(upstream).toBe("span 1");
    expect(spans).toMatchObject([
      {
        name: "invoke_agent analyst",
        parent: "caller",
        fault: null,
        ends: 1,
        attributes: {
          "gen_ai.operation.name": "invoke_agent",
          "gen_ai.provider.name": "models",
          "gen_ai.conversation.id": "s",
          "gen_ai.request.model": "m1",
          "gen_ai.usage.input_tokens": 4,
          "gen_ai.usage.output_tokens": 5,
          "gen_ai.response.finish_reasons": ["stop"],
        },
      },
      { name: "execute_tool add", parent: "span 1", fault: "tool_failed", ends: 1 },
    ]);
    expect(JSON.stringify(spans)).not.toContain("geheim");
    expect(await outcomes()).toEqual(["ok 1"]);
  });

  it.each([
    ["agent_timeout", new Problem("agent_timeout", { agentId: "a", seconds: 1 })],
    ["interrupted", new AgentInterrupted("gone")],
    ["error", new TypeError("bug")],
  ])("tells a run that ends with %s", async (outcome, fault) => {
    const { backend, spans, outcomes } = observed(async function* () {
      yield { type: "text", text: "a" };
      throw fault;
    });
    await expect(collect(backend.run(request, idle))).rejects.toBe(fault);
    expect(spans).toMatchObject([{ fault: outcome, ends: 1 }]);
    expect(await outcomes()).toEqual([`${outcome} 1`]);
  });

  it("takes a cancelled run for no failure, and stops it at its source", async () => {
    const abort = new AbortController();
    let released = false;
    const { backend, spans, outcomes } = observed(async function* () {
      try {
        yield { type: "tool", toolCallId: "t", name: "slow", status: "started" };
        yield { type: "text", text: "never read" };
      } finally {
        released = true;
      }
    });
    const events = backend.run(request, abort.signal);
    expect((await events.next()).value).toMatchObject({ type: "tool" });
    abort.abort(new Error("cancelled"));
    await events.return();
    expect(released).toBe(true);
    expect(spans.map(({ fault, ends }) => [fault, ends])).toEqual([
      [null, 1],
      [null, 1],
    ]);
    expect(await outcomes()).toEqual(["cancelled 1"]);
  });

  it("has no optional method that the backend has not", () => {
    const { backend } = observed(async function* () {});
    expect(backend.continue).toBeUndefined();
    expect(backend.resume).toBeUndefined();
    expect(backend.forgetSession).toBeUndefined();
  });
});
