import { Problem } from "../problems/problem.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Span, Tracer } from "../telemetry/tracer.ts";
import {
  AgentInterrupted,
  StillPaused,
  type AgentBackend,
  type AgentEvent,
  type RunRequest,
} from "./agent-backend.ts";
import { upstreamErrorOf } from "./upstream/upstream-error.ts";

interface Observers {
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** A run could not reach its source, was refused there, or found that its agent is gone. */
  readonly onUnavailable?: () => void;
}

type Events = AsyncGenerator<AgentEvent, void, void>;

/** Tools of one run that may be under way in a trace at the same time; more of them get no span. */
const maxOpenTools = 64;

/**
 * The same backend, with its runs in the metrics and in traces: one span a run and one a tool, in the words of
 * OpenTelemetry's conventions for generative AI, without any text. The run's trace context goes upstream.
 */
export function observeBackend(backend: AgentBackend, observers: Observers): AgentBackend {
  const watch = (request: RunRequest, signal: AbortSignal, run: (request: RunRequest) => Events) =>
    observeRun(backend.source, observers, request, signal, run);
  const { continue: goOn, resume, abandon, forgetSession, listModels, write, examine } = backend;
  const { memories, forgetMemories, steers, knowledge, addDocument, removeDocument } = backend;
  return {
    source: backend.source,
    ...(backend.settings && { settings: backend.settings }),
    ...(steers && { steers: (agentId) => steers.call(backend, agentId) }),
    list: (signal) => backend.list(signal),
    run: (request, signal) => watch(request, signal, (traced) => backend.run(traced, signal)),
    ...(goOn && {
      continue: (request, state, decisions, signal) =>
        watch(request, signal, (traced) => goOn.call(backend, traced, state, decisions, signal)),
    }),
    ...(resume && {
      resume: (request, state, signal) =>
        watch(request, signal, (traced) => resume.call(backend, traced, state, signal)),
    }),
    ...(abandon && { abandon: (request, state) => abandon.call(backend, request, state) }),
    ...(forgetSession && { forgetSession: (session) => forgetSession.call(backend, session) }),
    ...(memories && { memories: (userId, signal) => memories.call(backend, userId, signal) }),
    ...(forgetMemories && {
      forgetMemories: (userId, id, signal) => forgetMemories.call(backend, userId, id, signal),
    }),
    ...(knowledge && { knowledge: (signal) => knowledge.call(backend, signal) }),
    ...(addDocument && {
      addDocument: (id, file, signal) => addDocument.call(backend, id, file, signal),
    }),
    ...(removeDocument && {
      removeDocument: (id, document, signal) => removeDocument.call(backend, id, document, signal),
    }),
    ...(listModels && { listModels: (signal) => listModels.call(backend, signal) }),
    ...(write && { write: (request, signal) => write.call(backend, request, signal) }),
    probe: (signal) => backend.probe(signal),
    ...(examine && { examine: (signal) => examine.call(backend, signal) }),
    close: () => backend.close(),
  };
}

function observeRun(
  source: AgentBackend["source"],
  { metrics, tracer, onUnavailable }: Observers,
  request: RunRequest,
  signal: AbortSignal,
  run: (request: RunRequest) => Events,
): Events {
  const stopTimer = metrics.upstreamDuration.startTimer({ upstream: source });
  const span = startSpan(source, tracer, request);
  const tools = new Map<string, Span>();
  // What it is when the consumer walks away without an abort.
  let outcome = "abandoned";
  let inputTokens = 0;
  let outputTokens = 0;
  return watched(
    run(span.traceparent === undefined ? request : { ...request, traceparent: span.traceparent }),
    {
      onValue(event) {
        if (event.type === "usage") {
          inputTokens += event.inputTokens;
          outputTokens += event.outputTokens;
        } else if (event.type === "finish") {
          outcome = "ok";
          span.set({ "gen_ai.response.finish_reasons": [event.reason] });
        } else if (event.type === "paused") {
          outcome = "paused";
        } else if (event.type === "tool" && tracer.isOn) {
          traceTool(tracer, span, tools, event);
        }
      },
      onEnd(how) {
        if ("error" in how) {
          outcome = outcomeOf(how.error, signal);
          if (!signal.aborted && isNews(how.error)) onUnavailable?.();
        }
        if (outcome === "abandoned" && "isDone" in how && how.isDone) outcome = "interrupted";
        else if (outcome === "abandoned" && signal.aborted) outcome = "cancelled";
        stopTimer({ outcome });
        for (const tool of tools.values()) tool.end();
        if (inputTokens + outputTokens > 0) {
          span.set({
            "gen_ai.usage.input_tokens": inputTokens,
            "gen_ai.usage.output_tokens": outputTokens,
          });
        }
        if (!["ok", "paused", "cancelled"].includes(outcome)) span.fail(outcome);
        span.end();
      },
    },
  );
}

function startSpan(source: string, tracer: Tracer, request: RunRequest): Span {
  const { agentId, settings } = request;
  return tracer.start(`invoke_agent ${agentId}`, "client", request.traceparent, {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.provider.name": source,
    "gen_ai.agent.id": agentId,
    "gen_ai.conversation.id": request.sessionId,
    "gen_ai.request.model": settings.model,
    "gen_ai.request.temperature": settings.temperature,
    "chat.request.id": request.requestId,
    "chat.reply.id": request.replyId,
    "chat.reply.attempt": request.attempt,
  });
}

function traceTool(
  tracer: Tracer,
  run: Span,
  tools: Map<string, Span>,
  event: Extract<AgentEvent, { type: "tool" }>,
): void {
  if (event.status === "started") {
    if (tools.size >= maxOpenTools || tools.has(event.toolCallId)) return;
    const span = tracer.start(`execute_tool ${event.name}`, "internal", run.traceparent, {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": event.name,
      "gen_ai.tool.call.id": event.toolCallId,
      "gen_ai.agent.id": event.agentId,
    });
    tools.set(event.toolCallId, span);
    return;
  }
  const span = tools.get(event.toolCallId);
  if (event.status === "failed") span?.fail("tool_failed");
  span?.end();
  tools.delete(event.toolCallId);
}

function outcomeOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return "cancelled";
  if (error instanceof AgentInterrupted) return "interrupted";
  return error instanceof Problem ? error.type : "error";
}

/** What the list of agents does not say yet. */
function isNews(raised: unknown): boolean {
  const error = raised instanceof StillPaused ? raised.problem : raised;
  if (!(error instanceof Problem)) return false;
  if (error.type === "agent_unavailable" || error.type === "agent_not_found") return true;
  const status = upstreamErrorOf(error)?.status;
  return status === 401 || status === 403;
}

interface Watcher<T> {
  /** Called with each value before the consumer has it. */
  onValue(value: T): void;
  /** Called once: the generator has ended (`isDone`), has raised `error`, or the consumer has left. */
  onEnd(how: { readonly isDone: boolean } | { readonly error: unknown }): void;
}

/** The same generator, watched. A generator around it would do, but costs twice the time for each value. */
function watched<T>(
  generator: AsyncGenerator<T, void, void>,
  watcher: Watcher<T>,
): AsyncGenerator<T, void, void> {
  let isOver = false;
  const end: typeof watcher.onEnd = (how) => {
    if (isOver) return;
    isOver = true;
    watcher.onEnd(how);
  };
  const onResult = (result: IteratorResult<T, void>) => {
    if (result.done === true) end({ isDone: true });
    else watcher.onValue(result.value);
    return result;
  };
  const onError = (error: unknown) => {
    end({ error });
    throw error;
  };
  const leave = (leaving: Promise<IteratorResult<T, void>>) =>
    leaving.finally(() => end({ isDone: false }));
  return {
    next: () => generator.next().then(onResult, onError),
    return: () => leave(generator.return()),
    throw: (error) => leave(generator.throw(error)),
    async [Symbol.asyncDispose]() {
      await this.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
