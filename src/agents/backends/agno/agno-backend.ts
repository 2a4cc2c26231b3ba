import { v4 } from "uuid";
import {
  AgentInterrupted,
  type AgentBackend,
  type AgentEvent,
  type Decision,
  type RunRequest,
} from "../../agent-backend.ts";
import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import { createAgentOs, type AgentOs, type Caller } from "./agent-os.ts";
import { toFiles } from "./attachments.ts";
import { answeringSteps } from "./components.ts";
import { applyDecisions } from "./decisions.ts";
import { createDirectory, type Entry } from "./directory.ts";
import { isBackgroundRefusal, refusalProblem, refusesBackground } from "./faults.ts";
import { createHistoryReplay, type HistoryMode } from "./history-replay.ts";
import { pauseField } from "./requirements.ts";
import { relayRun, type RunStream } from "./run-stream.ts";
import { readPausedState, readResumableState, type RunRef } from "./run-state.ts";
import { createRunTranslator, type RunTranslatorOptions } from "./run-translator.ts";
import { createUnknownEvents } from "./unknown-events.ts";
import type { Wire } from "./wire.ts";

export interface AgnoServerOptions {
  /** Unique; put before ids that several servers have. */
  readonly name: string;
  readonly apiUrl: string;
  /** Security key, token or service account; sent as a bearer token. */
  readonly apiKey?: string;
}

export interface AgnoBackendOptions {
  /** At least one. */
  readonly servers: readonly AgnoServerOptions[];
  /** Sends the caller's own token with runs instead of the key. Lists are still read with the key. */
  readonly forwardUserToken: boolean;
  /** Without any event for this long a run has failed. */
  readonly timeoutMs: number;
  /** For starting a run, only where that is safe. */
  readonly maxRetries: number;
  readonly history: HistoryMode;
  /** Runs live on in AgentOS when a connection breaks or this process dies, where the server can do that. */
  readonly background: boolean;
  /** How often the agents are listed anew. */
  readonly refreshMs: number;
  /** How long a broken connection is mended without any progress; default 30 s. */
  readonly patienceMs?: number;
  /** Told once for each event that nothing is known about. */
  readonly onUnknownEvent?: (type: string) => void;
  readonly log: Logger;
}

/** The agents, teams and workflows of AgentOS servers (Agno 2.x and 3.x). */
export function createAgnoBackend(options: AgnoBackendOptions): AgentBackend {
  const { log, patienceMs = 30_000 } = options;
  const servers = options.servers.map(({ name, apiUrl, apiKey }) =>
    createAgentOs({
      name,
      apiUrl,
      ...(apiKey === undefined ? {} : { apiKey }),
      forwardUserToken: options.forwardUserToken,
      timeoutMs: options.timeoutMs,
      maxRetries: options.maxRetries,
      log,
    }),
  );
  const history = createHistoryReplay(options.history);
  const directory = createDirectory({
    servers,
    refreshMs: options.refreshMs,
    onRestart: (server) => {
      history.forget(server);
      workflowSteps.clear();
      foregroundOnly.clear();
    },
    log,
  });
  const unknownEvents = createUnknownEvents(log, options.onUnknownEvent);
  /** Steps whose text is the answer, by server and workflow. */
  const workflowSteps = new Map<
    string,
    { readonly steps: ReadonlySet<string>; readonly atMs: number }
  >();
  /** Components that AgentOS cannot run in the background. */
  const foregroundOnly = new Set<string>();
  const goodbyes = new Set<Promise<void>>();

  function inBackground(work: Promise<void>): void {
    const kept = work.catch((error: unknown) =>
      log.warn({ err: error }, "a run was not left in order"),
    );
    goodbyes.add(kept);
    void kept.finally(() => goodbyes.delete(kept));
  }

  async function stepsOf(
    server: AgentOs,
    id: string,
    signal: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    const key = `${server.name} ${id}`;
    const known = workflowSteps.get(key);
    if (known && performance.now() - known.atMs < options.refreshMs) return known.steps;
    try {
      const steps = answeringSteps(await server.workflow(id, signal));
      workflowSteps.set(key, { steps, atMs: performance.now() });
      return steps;
    } catch (error) {
      signal.throwIfAborted();
      // Without them the answer comes in one piece at its end.
      log.debug(
        { server: server.name, workflow: id, err: error },
        "the steps of a workflow are not known",
      );
      return known?.steps ?? new Set();
    }
  }

  function callerOf(request: RunRequest): Caller {
    return {
      agentId: request.agentId,
      userToken: request.userToken,
      requestId: request.requestId,
      traceparent: request.traceparent,
    };
  }

  async function translatorFor(
    server: AgentOs,
    run: Pick<RunRef, "kind" | "componentId">,
    more: Pick<RunTranslatorOptions, "begun" | "newLeg">,
    signal: AbortSignal,
  ) {
    return createRunTranslator({
      kind: run.kind,
      componentId: run.componentId,
      answeringSteps:
        run.kind === "workflow"
          ? await stepsOf(server, run.componentId, signal)
          : new Set<string>(),
      onUnknown: unknownEvents.note,
      ...more,
    });
  }

  async function* relay(
    stream: RunStream,
    request: RunRequest,
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void, void> {
    try {
      yield* relayRun(stream, signal);
    } catch (error) {
      const withToken = options.forwardUserToken && request.userToken !== undefined;
      throw refusalProblem(error, request.agentId, withToken);
    }
  }

  function runForm(entry: Entry, request: RunRequest, message: string, runId: string): FormData {
    const form = new FormData();
    form.set("message", message);
    form.set("stream", "true");
    form.set("session_id", request.sessionId);
    form.set("user_id", request.userId);
    form.set("run_id", runId);
    form.set(
      "metadata",
      JSON.stringify({
        message_id: request.replyId,
        ...(request.context === undefined ? {} : { context: request.context }),
      }),
    );
    for (const file of toFiles(entry.component, request.attachments)) form.append("files", file);
    return form;
  }

  async function* run(
    request: RunRequest,
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void, void> {
    const entry = await directory.find(request.agentId, signal);
    if (!entry) throw new Problem("agent_not_found", { agentId: request.agentId });
    const { component, server } = entry;
    const caller = callerOf(request);
    const where = { kind: component.kind, componentId: component.id };
    const key = `${server.name} ${component.kind} ${component.id}`;
    // Checks the attachments before anything is asked.
    toFiles(component, request.attachments);
    const message = await history.messageFor(request, component, server.name, async () => {
      const session = {
        sessionId: request.sessionId,
        userId: request.userId,
        databaseId: component.databaseId,
        kind: component.kind,
      };
      return server.hasSession(session, caller, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        log.debug(
          { server: server.name, err: error },
          "AgentOS did not say whether it knows a session",
        );
        return null;
      });
    });

    let background =
      options.background && component.databaseId !== null && !foregroundOnly.has(key);
    for (;;) {
      // Never used twice: a run with a known id would take the place of the older one.
      const runId = v4();
      const form = runForm(entry, request, message, runId);
      if (background) form.set("background", "true");
      const translator = await translatorFor(server, where, {}, signal);
      const stream: RunStream = {
        server,
        request,
        caller,
        run: { server: server.name, ...where, runId, background },
        open: (connection) =>
          server.start(
            where,
            form,
            entry.durable && background ? `${request.replyId}-${request.attempt}` : null,
            caller,
            connection,
          ),
        translator,
        eventIndex: -1,
        accepted: false,
        onAccepted: () => history.remember(server.name, request.sessionId),
        patienceMs,
        log,
        inBackground,
      };
      try {
        yield* relay(stream, request, signal);
        return;
      } catch (error) {
        const { outcome } = translator;
        const refused =
          refusesBackground(error) ||
          (outcome?.kind === "failed" && isBackgroundRefusal(outcome.message));
        if (!background || !refused) throw error;
        log.info(
          { server: server.name, agentId: component.id },
          "AgentOS runs this in the foreground only",
        );
        foregroundOnly.add(key);
        background = false;
      }
    }
  }

  async function* resume(
    request: RunRequest,
    state: Wire,
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void, void> {
    const stored = readResumableState(state);
    const server = stored && directory.server(stored.run.server);
    if (!stored || !server) throw new AgentInterrupted("the state of the run is of no use here");
    const { run, progress } = stored;
    const caller = callerOf(request);
    const stream: RunStream = {
      server,
      request,
      caller,
      run,
      open: (connection) =>
        server.resume(run, progress.eventIndex, request.sessionId, caller, connection),
      translator: await translatorFor(
        server,
        run,
        { begun: { runId: run.runId, progress } },
        signal,
      ),
      eventIndex: progress.eventIndex,
      accepted: true,
      patienceMs,
      log,
      inBackground,
    };
    try {
      yield* relay(stream, request, signal);
    } catch (error) {
      // It had begun: whatever keeps it from being taken up again, it was cut off.
      const isUnreachable = error instanceof Problem && error.type === "agent_unavailable";
      const isRefused = upstreamErrorOf(error)?.fault === "status";
      if (!isUnreachable && !isRefused) throw error;
      throw new AgentInterrupted("the run could not be taken up again", { cause: error });
    }
  }

  async function* goOn(
    request: RunRequest,
    state: Wire,
    decisions: readonly Decision[],
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void, void> {
    const paused = readPausedState(state);
    const server = paused && directory.server(paused.run.server);
    if (!paused || !server) throw new Problem("agent_failed", { agentId: request.agentId });
    const { run, progress } = paused;
    const caller = callerOf(request);
    // Workflows go on in the foreground, whatever they were begun in.
    const background = run.background && run.kind !== "workflow";
    const form = new URLSearchParams({
      session_id: request.sessionId,
      user_id: request.userId,
      stream: "true",
      background: String(background),
      [pauseField[run.kind]]: JSON.stringify(applyDecisions(run.kind, paused.pause, decisions)),
    });
    const stream: RunStream = {
      server,
      request,
      caller,
      run: { ...run, background },
      open: (connection) => server.continue(run, form, caller, connection),
      translator: await translatorFor(
        server,
        run,
        { begun: { runId: run.runId, progress }, newLeg: true },
        signal,
      ),
      eventIndex: background ? progress.eventIndex : -1,
      accepted: false,
      patienceMs,
      log,
      inBackground,
    };
    yield* relay(stream, request, signal);
  }

  return {
    source: "agno",
    async list(signal) {
      return (await directory.entries(signal)).map((entry) => entry.descriptor);
    },
    run,
    continue: goOn,
    resume,
    async abandon(request, state) {
      const paused = readPausedState(state);
      const server = paused && directory.server(paused.run.server);
      if (!paused || !server) return;
      try {
        await server.cancel(
          paused.run,
          request.sessionId,
          callerOf(request),
          AbortSignal.timeout(5_000),
        );
      } catch (error) {
        log.info(
          { server: server.name, runId: paused.run.runId, err: error },
          "a paused run was left as it is",
        );
      }
    },
    async forgetSession({ sessionId, userId, agentIds }) {
      const signal = AbortSignal.timeout(15_000);
      for (const { server, databases } of await databasesOf(agentIds, signal)) {
        history.forget(server.name, sessionId);
        for (const databaseId of databases) {
          await forget(server, { sessionId, userId, databaseId }, signal);
        }
      }
    },
    async probe(signal) {
      const details = await Promise.all(
        servers.map(async (server) => {
          const components =
            directory.listings.find((listing) => listing.server === server)?.known?.components ??
            [];
          try {
            const { version } = await server.identify(signal);
            return { server: server.name, status: "healthy", version, agents: components.length };
          } catch (error) {
            const fault = upstreamErrorOf(error);
            const reason = fault?.status ?? fault?.fault ?? "unavailable";
            return { server: server.name, status: "unhealthy", reason, agents: components.length };
          }
        }),
      );
      const isHealthy = details.every((each) => each.status === "healthy");
      return {
        status: isHealthy ? "healthy" : "unhealthy",
        details: { servers: details, unknown_events: unknownEvents.count },
      };
    },
    async close() {
      await directory.close();
      await Promise.allSettled(goodbyes);
      await Promise.all(servers.map((server) => server.close()));
    },
  };

  /** Where sessions with these agents may be; everywhere when one of them is no longer known. */
  async function databasesOf(agentIds: readonly string[], signal: AbortSignal) {
    const entries = await directory.entries(signal);
    const mine = entries.filter((entry) => agentIds.includes(entry.agentId));
    const relevant = mine.length === agentIds.length ? mine : entries;
    return servers.flatMap((server) => {
      const databases = new Set(
        relevant
          .filter((entry) => entry.server === server)
          .flatMap((entry) => entry.component.databaseId ?? []),
      );
      return databases.size > 0 ? [{ server, databases }] : [];
    });
  }

  async function forget(
    server: AgentOs,
    session: { sessionId: string; userId: string; databaseId: string },
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await server.deleteSession(session, signal);
    } catch (error) {
      const status = upstreamErrorOf(error)?.status;
      // Gone, or no such thing there; or not allowed, which asking again will not change.
      if (status === undefined || status >= 500 || status === 429) throw error;
      if (status !== 404) {
        log.warn({ server: server.name, status }, "AgentOS did not delete a session");
      }
    }
  }
}
