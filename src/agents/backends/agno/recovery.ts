import { AgentInterrupted, type AgentEvent, type RunRequest } from "../../agent-backend.ts";
import type { ServerSentEvent } from "../../upstream/event-reader.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import { sleep } from "../../upstream/retry.ts";
import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { AgentOs, Caller } from "./agent-os.ts";
import { sessionOf, type RunRef } from "./run-state.ts";
import type { RunTranslator } from "./run-translator.ts";
import { diedWithServer, isKept } from "./silence.ts";

export interface Recovery {
  readonly server: AgentOs;
  readonly request: RunRequest;
  readonly caller: Caller;
  readonly translator: RunTranslator;
  /** How long is tried without any progress. */
  readonly patienceMs: number;
  readonly log: Logger;
  readonly run: () => RunRef;
  readonly eventIndex: () => number;
  /** The server counts the events of the run from its beginning again, or tells them all once more. */
  readonly countAnew: () => void;
  /** False: the stream ended in order, only without telling how the run ended. */
  readonly broken: boolean;
  readonly relay: (
    events: AsyncGenerator<ServerSentEvent, void, void>,
  ) => AsyncGenerator<AgentEvent, void, void>;
  /** For the next connection: aborts when nobody wants the run any more, or when that connection says nothing. */
  readonly connect: () => AbortSignal;
  /** Aborts when nobody wants the run any more. */
  readonly connection: AbortSignal;
  readonly signal: AbortSignal;
}

/** So long a queue may promise to go on with a run without beginning: then nobody is there who would. */
const keptMs = 15 * 60_000;
const firstDelayMs = 200;
const maxDelayMs = 2_000;
/** A run whose connection was cut is stored as cancelled, or as what it became, a moment later. */
const foregroundTries = 4;

/**
 * Finds out what became of a run whose stream has ended too early, and relays the rest of it. Lost: it died. Raises
 * `AgentInterrupted` when nobody knows after `patienceMs` without progress.
 */
export async function* recover(
  recovery: Recovery,
): AsyncGenerator<AgentEvent, "ended" | "lost", void> {
  const { server, translator, patienceMs, log, signal } = recovery;
  const { background, runId } = recovery.run();
  if (recovery.broken)
    log.info({ server: server.name, runId, background }, "connection to a run lost");
  let canResume = background;
  let delayMs = firstDelayMs;
  let index = recovery.eventIndex();
  let lastProgressMs = performance.now();
  let keptSinceMs: number | null = null;
  let isUndecided = false;
  let countedAt = 0;

  for (let tries = 1; ; tries += 1) {
    let isAway = false;
    if (canResume && !isUndecided && (recovery.broken || tries > 1)) {
      const startedAt = await restartOf(recovery);
      if (startedAt > countedAt) {
        countedAt = startedAt;
        recovery.countAnew();
        index = recovery.eventIndex();
      }
      const answer = yield* resume(recovery);
      if (translator.outcome) return "ended";
      canResume = answer !== "impossible";
      isAway = answer === "away";
    }
    if (!isAway) {
      const batch: AgentEvent[] = [];
      const fate = await settle(recovery, batch);
      yield* batch;
      if (fate === "ended" || fate === "lost") return fate;
      isUndecided = fate === "undecided";
      if (isUndecided || fate === "kept") {
        const now = performance.now();
        keptSinceMs ??= now;
        if (now - keptSinceMs < keptMs) lastProgressMs = now;
      }
    }
    if (recovery.eventIndex() > index) {
      index = recovery.eventIndex();
      keptSinceMs = null;
      lastProgressMs = performance.now();
      delayMs = firstDelayMs;
    }
    const isOver = background
      ? performance.now() - lastProgressMs > patienceMs
      : tries >= foregroundTries;
    if (isOver) throw new AgentInterrupted("the run could not be taken up again");
    await sleep(delayMs, signal);
    delayMs = Math.min(maxDelayMs, delayMs * 2);
  }
}

/** When the server of a run that outlives it was started after the run; 0: it was not, or nobody knows. */
async function restartOf({ run, server, translator, connection }: Recovery): Promise<number> {
  if (run().durable !== true) return 0;
  try {
    const { startedAt } = await server.identify(connection);
    return startedAt > translator.progress.startedAt + 1 ? startedAt : 0;
  } catch (error) {
    if (isPassing(error) || upstreamErrorOf(error) !== null) return 0;
    throw error;
  }
}

/** Relays what the run says from here on, until it ends or the connection breaks. */
async function* resume(
  recovery: Recovery,
): AsyncGenerator<AgentEvent, "over" | "away" | "impossible", void> {
  const { server, request, caller } = recovery;
  const run = recovery.run();
  const sessionId = sessionOf(run, request);
  try {
    const signal = recovery.connect();
    yield* recovery.relay(server.resume(run, recovery.eventIndex(), sessionId, caller, signal));
    return "over";
  } catch (error) {
    if (isAway(error)) return "away";
    if (isPassing(error)) return "over";
    const status = upstreamErrorOf(error)?.status;
    // Servers before 2.6 have no such route; they still know what they have stored.
    if (status === 400 || status === 404 || status === 405) return "impossible";
    throw error;
  }
}

/**
 * Asks for the stored run. Lost: it will never change again although it has no end. Kept: it waits to be begun again.
 * Undecided: it has failed, and its queue is about to say whether it is begun again.
 */
async function settle(
  recovery: Recovery,
  into: AgentEvent[],
): Promise<"ended" | "lost" | "kept" | "undecided" | "unknown"> {
  const { server, request, caller, translator, connection } = recovery;
  try {
    const run = recovery.run();
    const stored = await server.run(run, sessionOf(run, request), caller, connection);
    if (stored === null) return "lost";
    // This service did not ask for it: AgentOS cancels runs whose connection is cut.
    if (stored["status"] === "CANCELLED" && recovery.broken) return "lost";
    if (stored["status"] === "ERROR" && run.durable === true) {
      const queued = await server.queued(run, connection);
      if (queued?.["status"] === "queued") return "kept";
      if (queued?.["status"] === "running") return "undecided";
    }
    translator.settle(stored, into);
    if (translator.outcome) return "ended";
    const { startedAt } = await server.identify(connection);
    if (!diedWithServer(stored, startedAt)) return "unknown";
    if (run.durable !== true) return "lost";
    return isKept(await server.queued(run, connection), startedAt) ? "kept" : "lost";
  } catch (error) {
    if (isPassing(error)) return "unknown";
    throw error;
  }
}

/** Worth waiting for: the network, a restart, a proxy without its server. */
function isPassing(error: unknown): boolean {
  if (error instanceof AgentInterrupted || isAway(error)) return true;
  return upstreamErrorOf(error)?.fault === "broken";
}

function isAway(error: unknown): boolean {
  return error instanceof Problem && error.type === "agent_unavailable";
}
