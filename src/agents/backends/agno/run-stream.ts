import {
  AgentInterrupted,
  leavesRun,
  type AgentEvent,
  type RunRequest,
} from "../../agent-backend.ts";
import { CircuitOpen } from "../../../lib/circuit-breaker.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { ServerSentEvent } from "../../upstream/event-reader.ts";
import { UpstreamError, upstreamErrorOf } from "../../upstream/upstream-error.ts";
import { Problem } from "../../../problems/problem.ts";
import type { AgentOs, Caller } from "./agent-os.ts";
import { outcomeProblem } from "./faults.ts";
import { knownRun } from "./queued-run.ts";
import { interruptible, type Interruptible } from "./interruptible.ts";
import { controlEvents } from "./known-events.ts";
import { recover } from "./recovery.ts";
import {
  sessionOf,
  withId,
  type PausedState,
  type ResumableState,
  type RunRef,
} from "./run-state.ts";
import type { RunTranslator } from "./run-translator.ts";
import { signOf, watchSilence, type Sign } from "./silence.ts";
import { asRecord, asText, parseJson } from "./wire.ts";
import { unwaited } from "../../../lib/unwaited.ts";

/** One run on its way, however it was begun: anew, by `continue`, or by `resume`. */
export interface RunStream {
  readonly server: AgentOs;
  readonly request: RunRequest;
  readonly caller: Caller;
  /** As this service knows it before AgentOS has answered. */
  readonly run: RunRef;
  /** Opens the stream of events. Its signal aborts when nobody wants it any more. */
  readonly open: (signal: AbortSignal) => AsyncGenerator<ServerSentEvent, void, void>;
  readonly translator: RunTranslator;
  /** Of the last event taken; -1: none yet. */
  readonly eventIndex: number;
  /** AgentOS has taken the run: it can be asked about it. */
  readonly accepted: boolean;
  /**
   * Asked when the connection broke before anything was heard: whether AgentOS has begun all the same. Absent: it is
   * stopped to be sure. Else it is not, because it waits as before. Raises when AgentOS cannot be asked.
   */
  readonly wasTaken?: (signal: AbortSignal) => Promise<boolean>;
  /** Told when it has come to its end, not to a pause. */
  readonly onFinished?: () => void;
  /** What is raised instead of an error. */
  readonly explain: (error: unknown) => unknown;
  /** How long a broken connection is mended without any progress. */
  readonly patienceMs: number;
  /** After so long without an event AgentOS is asked whether it runs at all. */
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Work that goes on after the stream was given up; awaited when the backend closes. */
  readonly inBackground: (work: Promise<void>) => void;
}

/** The state is written again at most this often, but for tools and steps. */
const stateIntervalMs = 1_000;
/** A model may take so many times `timeoutMs` for a word, while AgentOS says that the run goes on. */
const thinkingTimeouts = 5;
/** How long AgentOS may take to end what was stopped, or to store what has ended. */
const goodbyeMs = 3_000;
const lookTimeoutMs = 5_000;

/** A frame that has no `event` in it, sent after the pause of a workflow. */
const runOutputFrame = "WorkflowRunOutput";

/**
 * Relays a run to its end. A background run whose connection breaks is taken up again; a stream that ends without
 * saying how is settled from the stored run. Leaving the generator or aborting stops the run in AgentOS, unless it is
 * left to another attempt: then only the connection ends.
 */
export async function* relayRun(
  stream: RunStream,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void, void> {
  signal.throwIfAborted();
  const { translator, request } = stream;
  const connection = new AbortController();
  const progress = { eventIndex: stream.eventIndex, accepted: stream.accepted };
  let source: Interruptible<ServerSentEvent> | null = null;
  /** Of the present connection. */
  let hangUpNow = new AbortController();
  let stateAt = Number.NEGATIVE_INFINITY;
  let isRenewed = stream.eventIndex >= 0;
  /** Whether there may be something to stop in AgentOS. */
  let mayRun = true;
  let queued: RunRef | null = null;

  function currentRun(): RunRef {
    const { runId } = translator;
    return runId === null ? (queued ?? stream.run) : withId(stream.run, runId);
  }

  async function findRun(soon: AbortSignal): Promise<RunRef> {
    if (translator.runId === null) {
      queued ??= await knownRun(stream.server, stream.run, request, soon);
    }
    return currentRun();
  }

  function state(): ResumableState {
    return {
      run: currentRun(),
      progress: { ...translator.progress, eventIndex: progress.eventIndex },
    };
  }

  /** Takes one event in, and adds what it means, with the state when it is time for it. */
  function take(frame: ServerSentEvent, into: AgentEvent[]): void {
    watch.heard();
    const parsed = parseJson(frame.data);
    if (typeof parsed !== "object" || parsed === null) {
      throw new Problem(
        "agent_failed",
        { agentId: request.agentId },
        { cause: new UpstreamError("malformed", "an event of the run is not JSON") },
      );
    }
    const event = asRecord(parsed);
    const name = asText(event["event"]) ?? frame.event ?? "";
    if (controlEvents.has(name)) return;
    progress.accepted = true;
    if (name === runOutputFrame && event["event"] === undefined) {
      if (event["status"] === "PAUSED") translator.settle(event, into);
      return;
    }
    const index = stream.run.background ? event["event_index"] : undefined;
    if (typeof index === "number") {
      // Told again after the connection was renewed.
      if (index <= progress.eventIndex && isRenewed) return;
      progress.eventIndex = Math.max(progress.eventIndex, index);
    }
    const boundary = translator.translate(
      event["event"] === undefined ? { ...event, event: name } : event,
      into,
    );
    if (!stream.run.background || progress.eventIndex < 0 || translator.outcome) return;
    const now = performance.now();
    if (!boundary && now - stateAt < stateIntervalMs) return;
    stateAt = now;
    into.push({ type: "resumable", state: { ...state() } });
  }

  /** For the next connection: ends with the run, or when nothing comes of it any more. */
  function connect(): AbortSignal {
    hangUpNow.abort(new Error("another connection takes its place"));
    hangUpNow = new AbortController();
    watch.heard();
    return AbortSignal.any([connection.signal, hangUpNow.signal]);
  }

  /** Nothing was heard for a while: is there still somebody? */
  async function look(silentMs: number): Promise<void> {
    const present = hangUpNow;
    const soon = AbortSignal.any([connection.signal, AbortSignal.timeout(lookTimeoutMs)]);
    const { server, caller, timeoutMs } = stream;
    let sign: Sign | "away";
    let run = currentRun();
    try {
      run = await findRun(soon);
      sign = await signOf(
        await server.run(run, sessionOf(run, request), caller, soon),
        server,
        soon,
      );
    } catch (error) {
      stream.log.debug({ server: server.name, runId: run.runId, err: error }, "a silent run");
      // One that works may keep its server from answering anything else; who is not there works no more.
      sign = upstreamErrorOf(error)?.fault === "unreachable" ? "over" : "away";
    }
    if (present.signal.aborted || connection.signal.aborted) return;
    if (sign === "over") return present.abort(new AgentInterrupted("AgentOS says nothing more"));
    if (translator.isAtWork || sign === "waits") return;
    // Who may not look into the queue knows nothing of a run whose turn has not come.
    const mayWait = !run.background || (run.durable === true && translator.runId === null);
    const isThinking = sign === "runs" || (sign === "unknown" && mayWait);
    if (isThinking && silentMs < thinkingTimeouts * timeoutMs) return;
    if (sign === "away") return present.abort(new AgentInterrupted("AgentOS answers nothing"));
    const seconds = Math.round(silentMs / 100) / 10;
    present.abort(new Problem("agent_timeout", { agentId: request.agentId, seconds }));
  }

  async function isTaken(): Promise<boolean> {
    if (stream.wasTaken === undefined) return false;
    mayRun = false;
    const soon = AbortSignal.any([signal, AbortSignal.timeout(lookTimeoutMs)]);
    try {
      mayRun = await stream.wasTaken(soon);
    } catch (error) {
      if (signal.aborted) mayRun = true;
      signal.throwIfAborted();
      stream.log.info(
        { server: stream.server.name, err: error },
        "it is not known if a run goes on",
      );
    }
    return mayRun;
  }

  const watch = watchSilence({
    timeoutMs: stream.timeoutMs,
    isWaiting: () => source?.isWaiting === true,
    look,
  });

  function read(events: AsyncGenerator<ServerSentEvent, void, void>) {
    source?.release();
    source = interruptible(events, signal);
    return source;
  }

  async function* relay(
    events: AsyncGenerator<ServerSentEvent, void, void>,
  ): AsyncGenerator<AgentEvent, void, void> {
    const reading = read(events);
    const batch: AgentEvent[] = [];
    const { setbacks } = translator;
    while (translator.outcome === null && translator.setbacks === setbacks) {
      const item = await reading.next();
      if (item.done) return;
      take(item.value, batch);
      for (const event of batch) yield event;
      batch.length = 0;
    }
  }

  try {
    let failure: unknown = null;
    // It may wait for its turn for long, and is not to be lost with this process until then.
    if (stream.run.key !== undefined) yield { type: "resumable", state: { ...state() } };
    try {
      // As `relay` does, but without a generator in between, which would cost as much as parsing.
      const reading = read(stream.open(connect()));
      const batch: AgentEvent[] = [];
      while (translator.outcome === null && translator.setbacks === 0) {
        const item = await reading.next();
        if (item.done) break;
        take(item.value, batch);
        for (const event of batch) yield event;
        batch.length = 0;
      }
    } catch (error) {
      if (signal.aborted || !isBroken(error)) {
        mayRun = !wasRefused(error);
        throw error;
      }
      failure = error;
    }
    if (translator.outcome === null) {
      if (!progress.accepted && failure !== null && !(await isTaken())) {
        throw new Problem(
          "agent_unavailable",
          { agentId: request.agentId },
          { retryAfterSeconds: 5, cause: failure },
        );
      }
      isRenewed = true;
      const fate = yield* recover({
        ...stream,
        run: currentRun,
        eventIndex: () => progress.eventIndex,
        countAnew: () => void (progress.eventIndex = -1),
        broken: failure !== null,
        relay,
        connect,
        connection: connection.signal,
        signal,
      });
      if (fate === "lost") {
        // A queue that has given it up is not to find a cancellation when somebody has it begun again.
        mayRun = stream.run.durable !== true;
        throw new AgentInterrupted("AgentOS no longer runs it");
      }
    }
    const { outcome } = translator;
    if (outcome === null) throw new AgentInterrupted("AgentOS ended the run without an end");
    mayRun = false;
    if (outcome.kind === "failed" || outcome.kind === "cancelled") {
      throw outcomeProblem(outcome, request.agentId);
    }
    if (stream.run.context !== undefined) yield { type: "context", context: stream.run.context };
    if (outcome.kind === "paused") {
      const paused: PausedState = { ...state(), pause: outcome.pause.echo };
      yield { type: "paused", requirements: outcome.pause.requirements, state: { ...paused } };
    } else {
      stream.onFinished?.();
      yield { type: "finish", reason: "stop" };
    }
  } catch (error) {
    throw stream.explain(error);
  } finally {
    watch.end();
    if (leavesRun(signal)) hangUp(source, connection);
    else {
      stream.inBackground(
        mayRun
          ? stop(stream, findRun, source, connection, progress.accepted)
          : leave(source, connection),
      );
    }
  }
}

/** Nothing was begun that would have to be stopped. */
function wasRefused(error: unknown): boolean {
  if (error instanceof Problem && error.cause instanceof CircuitOpen) return true;
  const fault = upstreamErrorOf(error)?.fault;
  return fault === "unreachable" || fault === "status";
}

/** Whether the connection is to blame, and not the run. */
function isBroken(error: unknown): boolean {
  return error instanceof AgentInterrupted || upstreamErrorOf(error)?.fault === "broken";
}

function hangUp(source: Interruptible<ServerSentEvent> | null, connection: AbortController): void {
  source?.release();
  connection.abort(new Error("the run is made by another attempt"));
}

/**
 * A foreground run that has told its end may still be storing what it learned, and would be cut short by a closed
 * connection.
 */
async function leave(
  source: Interruptible<ServerSentEvent> | null,
  connection: AbortController,
): Promise<void> {
  const timer = setTimeout(() => connection.abort(new Error("the run is over")), goodbyeMs);
  try {
    await source?.drain(() => {});
  } catch {
    // Whatever breaks now: the run had its end.
  } finally {
    clearTimeout(timer);
    source?.release();
    connection.abort(new Error("the run is over"));
  }
}

/** Stops a run that nobody wants any more: says so to AgentOS, gives it a moment to end, then closes the connection. */
async function stop(
  stream: RunStream,
  findRun: (soon: AbortSignal) => Promise<RunRef>,
  source: Interruptible<ServerSentEvent> | null,
  connection: AbortController,
  accepted: boolean,
): Promise<void> {
  const { server, request, caller, log } = stream;
  const deadline = AbortSignal.timeout(goodbyeMs);
  const close = () => connection.abort(new Error("the run was stopped"));
  deadline.addEventListener("abort", close, { once: true });
  let cancelled = "";
  const cancel = async () => {
    let { run } = stream;
    try {
      run = await findRun(deadline);
      if (run.runId === cancelled) return;
      cancelled = run.runId;
      await server.cancel(run, sessionOf(run, request), caller, deadline);
    } catch (error) {
      // Without its connection a foreground run ends all the same.
      log.warn(
        { server: server.name, runId: run.runId, err: error },
        "the run could not be cancelled",
      );
      close();
    }
  };
  try {
    await cancel();
    if (!accepted) {
      // A queue gives runs an id of its own, which the first event tells.
      await source?.drain((frame) => {
        stream.translator.translate(asRecord(parseJson(frame.data)), []);
        if (stream.translator.runId !== cancelled) unwaited(cancel());
      });
    } else if (!stream.run.background) {
      // Closing the connection would stop it too, but keep AgentOS from storing how far it came.
      await source?.drain(() => {});
    }
  } catch {
    // The stream broke, or the moment is over.
  } finally {
    source?.release();
    close();
  }
}
