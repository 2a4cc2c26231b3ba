import type { AgentBackend, ResponseFormat } from "../../agent-backend.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import { abandonRun } from "./abandon-run.ts";
import { createAgentOs, type AgentOs, type AgentOsOptions } from "./agent-os.ts";
import { createDirectory } from "./directory.ts";
import { explainAway } from "./faults.ts";
import { createAgnoMemories } from "./memories.ts";
import { createAgnoKnowledge } from "./knowledge.ts";
import { createHistoryReplay, type HistoryMode } from "./history-replay.ts";
import { formFault } from "./output-schema.ts";
import { createRuns } from "./runs.ts";
import { readResumableState } from "./run-state.ts";
import { forgetSession, sessionPlaces } from "./sessions.ts";
import { createUnknownEvents } from "./unknown-events.ts";
import { createWorkflowSteps } from "./workflow-steps.ts";
import { unwaited } from "../../../lib/unwaited.ts";

/** Names are unique, and put before ids that several servers have. */
export type AgnoServerOptions = Pick<
  AgentOsOptions,
  "name" | "apiUrl" | "apiKey" | "apiKeyFile" | "settings"
>;

export interface AgnoBackendOptions {
  /** At least one. */
  readonly servers: readonly AgnoServerOptions[];
  /** Sends the caller's own token with runs instead of the key. Lists are still read with the key. */
  readonly forwardUserToken: boolean;
  /** After so long without any event it is looked whether a run is still alive. */
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
  /** Told of each event that nothing is known about. */
  readonly onUnknownEvent?: (type: string) => void;
  readonly log: Logger;
}

/** The agents, teams and workflows of AgentOS servers (Agno 2.x and 3.x). */
export function createAgnoBackend(options: AgnoBackendOptions): AgentBackend {
  const { log, forwardUserToken, timeoutMs, maxRetries, refreshMs } = options;
  const servers = options.servers.map((server) =>
    createAgentOs({ ...server, forwardUserToken, timeoutMs, maxRetries, log }),
  );
  const history = createHistoryReplay(options.history);
  const workflowSteps = createWorkflowSteps(refreshMs, log);
  const directory = createDirectory({
    servers,
    refreshMs,
    onRestart(server) {
      history.forget(server);
      workflowSteps.forget(server);
    },
    log,
  });
  const memories = createAgnoMemories(directory, log);
  const knowledge = createAgnoKnowledge(directory, log);
  const unknownEvents = createUnknownEvents(log, options.onUnknownEvent);
  const goodbyes = new Set<Promise<void>>();
  const runs = createRuns({
    directory,
    history,
    workflowSteps,
    forwardUserToken,
    background: options.background,
    patienceMs: options.patienceMs ?? 30_000,
    timeoutMs,
    onUnknownEvent: (type) => unknownEvents.note(type),
    inBackground(work) {
      const kept = work.catch((error: unknown) =>
        log.warn({ err: error }, "a run was not left in order"),
      );
      goodbyes.add(kept);
      unwaited(kept.finally(() => goodbyes.delete(kept)));
    },
    log,
  });

  return {
    source: "agno",
    settings: ["responseFormat"],
    settingFault: (agent, { value }) => formFault(agent.type, value as ResponseFormat),
    async list(signal) {
      return (await directory.look(signal)).map((entry) => entry.descriptor);
    },
    run: (request, signal) => runs.run(request, signal),
    continue: (request, state, decisions, signal) =>
      runs.continue(request, state, decisions, signal),
    resume: (request, state, signal) => runs.resume(request, state, signal),
    async abandon(request, state) {
      const run = readResumableState(state)?.run;
      const server = run && directory.server(run.server);
      if (run && server) await abandonRun(server, run, request, log);
    },
    async forgetSession({ sessionId, userId, agentIds }) {
      const signal = AbortSignal.timeout(15_000);
      for (const place of sessionPlaces(await directory.entries(signal), agentIds)) {
        history.forget(place.server.name, sessionId);
        const session = { sessionId, userId, databaseId: place.databaseId };
        await forgetSession(place.server, session, log, signal);
      }
    },
    memories: (userId, signal) => memories.list(userId, signal),
    forgetMemories: (userId, id, signal) => memories.forget(userId, id, signal),
    knowledge: (signal) => knowledge.list(signal),
    addDocument: (id, file, signal) => knowledge.add(id, file, signal),
    removeDocument: (id, documentId, signal) => knowledge.remove(id, documentId, signal),
    async probe(signal) {
      const remedies = new Set<string>();
      const details = await Promise.all(
        directory.listings.map(async ({ server, known }) => {
          const agents = known?.components.length ?? 0;
          try {
            const { version } = await server.identify(signal);
            return { server: server.name, status: "healthy", version, agents, ...tripped(server) };
          } catch (error) {
            const { reason, remedy } = explainAway(error, server);
            remedies.add(remedy);
            return { server: server.name, status: "unhealthy", reason, agents, ...tripped(server) };
          }
        }),
      );
      const isHealthy = details.every((each) => each.status === "healthy");
      return {
        status: isHealthy ? "healthy" : "unhealthy",
        details: { servers: details, unknown_events: unknownEvents.count },
        ...(isHealthy ? {} : { remedy: [...remedies].join("; ") }),
      };
    },
    async close() {
      await directory.close();
      await Promise.allSettled(goodbyes);
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** Of a server that is not asked as usual. */
function tripped({ circuit }: AgentOs): { readonly circuit?: string } {
  return circuit === "closed" ? {} : { circuit };
}
