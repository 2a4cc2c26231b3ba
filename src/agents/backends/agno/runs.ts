import { v4 } from "uuid";
import {
  AgentInterrupted,
  StillPaused,
  type AgentEvent,
  type Decision,
  type RunRequest,
} from "../../agent-backend.ts";
import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import { sleep } from "../../upstream/retry.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import type { AgentOs, Caller } from "./agent-os.ts";
import { toFiles } from "./attachments.ts";
import { continuation, isDecided } from "./decisions.ts";
import type { Directory, Entry } from "./directory.ts";
import { outputSchema } from "./output-schema.ts";
import {
  isBackgroundRefusal,
  isNewsOf,
  isSettling,
  leavesPaused,
  refusalProblem,
  refusesBackground,
  withReason,
} from "./faults.ts";
import type { Place } from "./agent-memory.ts";
import type { HistoryReplay, ToldMessage } from "./history-replay.ts";
import { knownRun } from "./queued-run.ts";
import { relayRun, type RunStream } from "./run-stream.ts";
import {
  continued,
  readPausedState,
  readResumableState,
  sessionOf,
  type RunRef,
} from "./run-state.ts";
import { createRunTranslator, type RunTranslatorOptions } from "./run-translator.ts";
import type { Wire } from "./wire.ts";
import type { WorkflowSteps } from "./workflow-steps.ts";

export interface RunsOptions {
  readonly directory: Directory;
  readonly history: HistoryReplay;
  readonly workflowSteps: WorkflowSteps;
  readonly forwardUserToken: boolean;
  readonly background: boolean;
  readonly patienceMs: number;
  readonly timeoutMs: number;
  readonly onUnknownEvent: (type: string) => void;
  readonly inBackground: (work: Promise<void>) => void;
  readonly log: Logger;
}

type Events = AsyncGenerator<AgentEvent, void, void>;

/** The three ways to begin relaying a run: anew, after a pause, after this service or the connection died. */
export interface Runs {
  run(request: RunRequest, signal: AbortSignal): Events;
  continue(
    request: RunRequest,
    state: Wire,
    decisions: readonly Decision[],
    signal: AbortSignal,
  ): Events;
  resume(request: RunRequest, state: Wire, signal: AbortSignal): Events;
}

export function createRuns(options: RunsOptions): Runs {
  const { directory, history, workflowSteps, log } = options;
  /** Components that AgentOS cannot run in the background. */
  const foregroundOnly = new Set<string>();

  async function relay(
    stream: Omit<
      RunStream,
      "patienceMs" | "timeoutMs" | "log" | "inBackground" | "translator" | "explain"
    >,
    more: Pick<RunTranslatorOptions, "begun" | "newLeg">,
    signal: AbortSignal,
  ): Promise<Events> {
    const { server, run, request } = stream;
    const { patienceMs, timeoutMs, inBackground } = options;
    const translator = createRunTranslator({
      kind: run.kind,
      componentId: run.componentId,
      answeringSteps:
        run.kind === "workflow"
          ? await workflowSteps.of(server, run.componentId, signal)
          : new Set<string>(),
      triedAgain: run.durable === true,
      onUnknown: options.onUnknownEvent,
      ...more,
    });
    const explain = (error: unknown) => {
      const { outcome } = translator;
      const isRefusal = outcome?.kind === "failed" && isBackgroundRefusal(outcome.message);
      if (isRefusal || refusesBackground(error)) return new BackgroundRefused({ cause: error });
      const withToken = options.forwardUserToken && request.userToken !== undefined;
      const problem = refusalProblem(error, request.agentId, withToken);
      if (isNewsOf(error, problem, withToken)) directory.doubt(server.name, error);
      return withReason(problem, request.agentId, directory.whyAway(server.name));
    };
    return relayRun(
      { ...stream, translator, explain, patienceMs, timeoutMs, log, inBackground },
      signal,
    );
  }

  async function knowsSession(
    request: RunRequest,
    { server, component }: Entry,
    signal: AbortSignal,
  ): Promise<boolean | null> {
    const session = {
      sessionId: request.thread ?? request.sessionId,
      userId: request.userId,
      databaseId: component.databaseId,
      kind: component.kind,
    };
    try {
      return await server.hasSession(session, callerOf(request), signal);
    } catch (error) {
      signal.throwIfAborted();
      log.debug({ server: server.name, err: error }, "AgentOS did not say if it knows a session");
      return null;
    }
  }

  /** AgentOS shows all runs of a session to agents of one kind that share a database. */
  async function placesAround(
    { server, component }: Entry,
    signal: AbortSignal,
  ): Promise<(agentId: string) => Place> {
    const entries = await directory.entries(signal);
    return (agentId) => {
      const other = entries.find((each) => each.agentId === agentId);
      if (other === undefined) return "unclear";
      const { kind, databaseId } = other.component;
      if (other.server !== server || databaseId === null || databaseId !== component.databaseId)
        return "other";
      return kind === component.kind ? "same" : "unclear";
    };
  }

  async function* run(request: RunRequest, signal: AbortSignal): Events {
    const entry = await directory.find(request.agentId, signal);
    if (!entry) throw new Problem("agent_not_found", { agentId: request.agentId });
    const { component, server } = entry;
    const caller = callerOf(request);
    const where = { kind: component.kind, componentId: component.id };
    const key = `${server.name} ${component.kind} ${component.id}`;
    const files = toFiles(component, request.attachments);
    const told = await history.tell(request, component, server.name, {
      sessionExists: () => knowsSession(request, entry, signal),
      places: () => placesAround(entry, signal),
    });

    let background = options.background && entry.detachable && !foregroundOnly.has(key);
    for (;;) {
      // Never used twice: a run with a known id would take the place of the older one.
      const runId = v4();
      const form = runForm(request, told, files, { runId, background });
      // Only a durable queue looks at it.
      const idempotencyKey =
        entry.durable && background ? `${request.replyId}-${request.attempt}` : null;
      const stream = {
        server,
        request,
        caller,
        run: {
          server: server.name,
          ...where,
          runId,
          ...(request.thread !== undefined && { sessionId: request.thread }),
          ...(told.context !== null && { context: told.context }),
          background,
          ...(idempotencyKey !== null && { durable: true, key: idempotencyKey }),
        },
        open: (connection: AbortSignal) =>
          server.start(where, form, idempotencyKey, caller, connection),
        eventIndex: -1,
        accepted: false,
        onFinished: () => history.remember(request, server.name, told),
      };
      try {
        yield* await relay(stream, {}, signal);
        return;
      } catch (error) {
        if (!(error instanceof BackgroundRefused)) throw error;
        if (!background) throw new Problem("agent_failed", { agentId: request.agentId }, error);
        log.info({ server: server.name, agentId: component.id }, "runs in the foreground only");
        foregroundOnly.add(key);
        background = false;
      }
    }
  }

  async function* goOn(
    request: RunRequest,
    state: Wire,
    decisions: readonly Decision[],
    signal: AbortSignal,
  ): Events {
    const { agentId } = request;
    const paused = readPausedState(state);
    const server = paused && directory.server(paused.run.server);
    if (!paused || !server) {
      const cause = new Error("the state of the pause is of no use here");
      throw new Problem("agent_failed", { agentId }, { cause });
    }
    const { progress } = paused;
    const caller = callerOf(request);
    let run = continued(paused.run);
    const sessionId = sessionOf(run, request);
    const look = (wanted: AbortSignal) => server.run(run, sessionId, caller, wanted);
    for (;;) {
      const of = { sessionId, userId: request.userId };
      const form = continuation(run, of, paused.pause, decisions);
      const stream = {
        server,
        request,
        caller,
        run,
        async *open(connection: AbortSignal) {
          // Sent before, when its connection broke; or somebody else has decided in AgentOS.
          if (isDecided(paused, await unlessRefused(look(connection))))
            throw new AgentInterrupted("the run goes on without these decisions");
          for (const waitMs of [...settlesAfterMs, null]) {
            try {
              return yield* server.continue(stream.run, form, caller, connection);
            } catch (error) {
              if (waitMs === null || !isSettling(error)) throw error;
              await sleep(waitMs, connection);
            }
          }
        },
        async wasTaken(connection: AbortSignal) {
          for (const waitMs of looksAfterMs) {
            await sleep(waitMs, connection);
            if (isDecided(paused, await look(connection))) return true;
          }
          return false;
        },
        eventIndex: run.background ? progress.eventIndex : -1,
        accepted: false,
      };
      try {
        const events = await relay(
          stream,
          { begun: { runId: run.runId, progress }, newLeg: true },
          signal,
        );
        const first = await events.next().catch((error: unknown) => {
          throw leavesPaused(error) ? new StillPaused(error) : error;
        });
        if (first.done !== true) yield first.value;
        yield* events;
        return;
      } catch (error) {
        if (!(error instanceof BackgroundRefused)) throw error;
        if (!run.background) throw new Problem("agent_failed", { agentId }, error);
        run = { ...run, background: false };
      }
    }
  }

  async function* resume(request: RunRequest, state: Wire, signal: AbortSignal): Events {
    const { decisions } = request;
    if (decisions !== undefined && readPausedState(state) !== null) {
      yield* goOn(request, state, decisions, signal);
      return;
    }
    const stored = readResumableState(state);
    const server = stored && directory.server(stored.run.server);
    if (!stored || !server) throw new AgentInterrupted("the state of the run is of no use here");
    const { progress } = stored;
    const caller = callerOf(request);
    const run = await begunRun(server, stored.run, request, signal);
    const stream = {
      server,
      request,
      caller,
      run,
      async *open(connection: AbortSignal) {
        // Its server may have been started anew meanwhile, which has to be asked for first.
        if (run.durable === true) throw new AgentInterrupted("the run may have been begun again");
        const sessionId = sessionOf(run, request);
        yield* server.resume(run, progress.eventIndex, sessionId, caller, connection);
      },
      eventIndex: progress.eventIndex,
      accepted: true,
    };
    try {
      yield* await relay(stream, { begun: { runId: run.runId, progress } }, signal);
    } catch (error) {
      // It had begun: whatever keeps it from being taken up again, it was cut off.
      const isAway = error instanceof Problem && error.type === "agent_unavailable";
      if (!isAway && upstreamErrorOf(error)?.fault !== "status") throw error;
      throw new AgentInterrupted("the run could not be taken up again", { cause: error });
    }
  }

  return { run, continue: goOn, resume };
}

/** What was asked for before its process died. Raises `AgentInterrupted` where its queue has nothing of it. */
async function begunRun(
  server: AgentOs,
  run: RunRef,
  request: RunRequest,
  signal: AbortSignal,
): Promise<RunRef> {
  for (const waitMs of looksAfterMs) {
    await sleep(waitMs, signal);
    const known = await knownRun(server, run, request, signal);
    if (known !== null) return known;
  }
  throw new AgentInterrupted("the queue of AgentOS has no such run");
}

/** When it is looked whether what was sent has arrived whose connection broke: AgentOS may be about to take it. */
const looksAfterMs = [0, 300, 700, 1_500];

/** A queue tells of a pause before it has noted it itself. */
const settlesAfterMs = [200, 500, 1_000];

/** Null where AgentOS does not tell: whoever asks goes by what is known already. */
async function unlessRefused(asked: Promise<Wire | null>): Promise<Wire | null> {
  try {
    return await asked;
  } catch (error) {
    if (upstreamErrorOf(error)?.fault === "status") return null;
    throw error;
  }
}

/** AgentOS runs this in the foreground only. */
class BackgroundRefused extends Error {
  override readonly name = "BackgroundRefused";

  constructor(options: ErrorOptions) {
    super("AgentOS does not run this in the background", options);
  }
}

export function callerOf(request: RunRequest): Caller {
  const { agentId, userToken, requestId, traceparent } = request;
  return { agentId, userToken, requestId, traceparent };
}

function runForm(
  request: RunRequest,
  told: ToldMessage,
  files: readonly File[],
  { runId, background }: Pick<RunRef, "runId" | "background">,
): FormData {
  const form = new FormData();
  form.set("message", told.text);
  if (told.shown === null) form.set("add_history_to_context", "false");
  form.set("stream", "true");
  form.set("session_id", request.thread ?? request.sessionId);
  form.set("user_id", request.userId);
  form.set("run_id", runId);
  if (background) form.set("background", "true");
  // Stored with the run in AgentOS. Not among the dependencies: those may replace the agent's own.
  const context = request.context === undefined ? {} : { context: request.context };
  form.set("metadata", JSON.stringify({ message_id: request.replyId, ...context }));
  const schema = outputSchema(request.settings.responseFormat);
  if (schema !== null) form.set("output_schema", schema);
  for (const file of files) form.append("files", file);
  return form;
}
