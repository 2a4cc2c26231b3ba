import { mayRun, type Caller } from "../http/caller.ts";
import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
import { outageOf, whyOf } from "../telemetry/outage.ts";
import type { AgentBackend, AgentDescriptor, FoundAgent } from "./agent-backend.ts";

/** An agent as callers see it, and how to reach it. */
export interface CatalogueEntry {
  /** Unique over all backends. */
  readonly agentId: string;
  readonly descriptor: AgentDescriptor;
  readonly backend: AgentBackend;
  readonly status: "available" | "unavailable";
}

interface CatalogueOptions {
  /** In order of precedence: where two have an agent of the same id, the later one's gets its source as a prefix. */
  readonly backends: readonly AgentBackend[];
  /** For sessions that name no agent; null: `general-chat`, else the first there is. */
  readonly defaultAgent: string | null;
  /** Whether a message may be the answer to what a paused reply asks, where its agent says nothing else. */
  readonly answersInWords?: boolean;
  readonly refreshMs: number;
  readonly logger: Logger;
}

interface Source {
  readonly backend: AgentBackend;
  /** Null until the backend has answered once. */
  agents: readonly AgentDescriptor[] | null;
  isReachable: boolean;
  /** What it said when it could not be asked; null: it could, or said nothing. */
  problem: Problem<"agent_unavailable"> | null;
}

type IsSeen = (agentId: string) => boolean;

/** The agents there are, as far as somebody may know of them. */
export interface SeenAgents {
  readonly isSeen: IsSeen;
  list(): CatalogueEntry[];
  /** As it was last told; undefined for an unknown id. */
  entry(agentId: string): CatalogueEntry | undefined;
  /**
   * The agent asked for, or the default one for undefined. An unknown id is looked for anew before it is
   * `agent_not_found`; while a backend has not answered yet it is `agent_unavailable`.
   */
  resolve(agentId: string | undefined): Promise<CatalogueEntry>;
}

export type Catalogue = ReturnType<typeof createCatalogue>;

const listTimeoutMs = 5_000;
/** Backends are asked at least this often whether their agents can answer. */
const lookMs = 10_000;
/** While one cannot: first after this, then ever more seldom, up to `lookMs`. */
const retryMs = 1_000;
/** An unknown id asks the backends anew, but not more often than this. */
const missRefreshMs = 2_000;

/**
 * All agents of all backends. Lists are fetched in the background and kept when a backend goes away: its agents then
 * are `unavailable`, and the list never fails.
 */
export function createCatalogue(options: CatalogueOptions) {
  const { logger, defaultAgent } = options;
  const sources: Source[] = options.backends.map((backend) => ({
    backend,
    agents: null,
    isReachable: false,
    problem: null,
  }));
  let entries = new Map<string, CatalogueEntry>();
  let refreshing: Promise<void> | null = null;
  let lastRefreshMs = Number.NEGATIVE_INFINITY;
  /** Rounds in a row in which something was not to be had. */
  let failures = 0;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const rebuild = () => {
    const next = new Map<string, CatalogueEntry>();
    for (const { backend, agents, isReachable } of sources) {
      for (const descriptor of agents ?? []) {
        const agentId = next.has(descriptor.agentId)
          ? `${backend.source}:${descriptor.agentId}`
          : descriptor.agentId;
        if (next.has(agentId)) continue;
        next.set(agentId, {
          agentId,
          descriptor,
          backend,
          status: isReachable && descriptor.isAvailable !== false ? "available" : "unavailable",
        });
      }
    }
    entries = next;
  };

  const ask = async (source: Source) => {
    const { backend } = source;
    const outage = outageOf(logger, backend.source);
    try {
      const agents = await backend.list(AbortSignal.timeout(listTimeoutMs));
      if (source.agents === null) {
        logger.info({ source: backend.source, agents: agents.length }, "agents listed");
      }
      source.agents = agents;
      source.isReachable = true;
      // That it can be asked does not mean that its agents can answer, which it tells itself.
      if (agents.every(({ isAvailable }) => isAvailable !== false)) outage.back();
    } catch (error) {
      source.problem = isUnavailable(error) ? error : null;
      if (source.problem === null) outage.lost(whyOf(error), error);
      source.isReachable = false;
    }
  };

  const refresh = (): Promise<void> => {
    refreshing ??= (async () => {
      lastRefreshMs = performance.now();
      await Promise.all(sources.map(ask));
      rebuild();
      refreshing = null;
      failures = isWell() ? 0 : failures + 1;
    })();
    return refreshing;
  };

  const isWell = () =>
    sources.every((source) => source.isReachable) &&
    [...entries.values()].every((entry) => entry.status === "available");

  const schedule = () => {
    if (closed) return;
    const pauseMs = Math.min(options.refreshMs, failures === 0 ? lookMs : retryPauseMs(failures));
    timer = setTimeout(() => void refresh().then(schedule), pauseMs);
    timer.unref();
  };

  const defaultAgentId = (isSeen: IsSeen): string => {
    if (defaultAgent !== null && isSeen(defaultAgent)) return defaultAgent;
    if (entries.has("general-chat") && isSeen("general-chat")) return "general-chat";
    const seen = [...entries.values()].filter(({ agentId }) => isSeen(agentId));
    const first = seen.find((entry) => entry.status === "available") ?? seen[0];
    return first?.agentId ?? "general-chat";
  };

  /** An agent that is not in the list does not exist, unless some backend has not answered yet. */
  const whyMissing = (agentId: string, subject?: string): Problem => {
    const unknown = sources.find((source) => source.agents === null);
    if (unknown === undefined) return new Problem("agent_not_found", { agentId });
    const reason = unknown.problem?.data.reason;
    const data = { agentId: subject ?? unknown.backend.source, ...(reason && { reason }) };
    return new Problem("agent_unavailable", data, { retryAfterSeconds: 5 });
  };

  const resolveAmong = async (
    agentId: string | undefined,
    isSeen: IsSeen,
  ): Promise<CatalogueEntry> => {
    const look = (id: string) => (isSeen(id) ? entries.get(id) : undefined);
    let wanted = agentId ?? defaultAgentId(isSeen);
    if (look(wanted) === undefined && performance.now() - lastRefreshMs > missRefreshMs) {
      await refresh();
      wanted = agentId ?? defaultAgentId(isSeen);
    }
    const entry = look(wanted);
    if (entry !== undefined) return entry;
    // Nobody has heard of an agent yet: who did not ask for one is told of the source.
    const preferred = defaultAgent !== null && isSeen(defaultAgent) ? defaultAgent : undefined;
    throw whyMissing(wanted, agentId ?? preferred);
  };

  return {
    /**
     * The agents that exist for a caller: for whatever names or lists agents on somebody's behalf. What is not in here is
     * told, and looked for, as what nobody has heard of.
     */
    seenBy(caller: Caller): SeenAgents {
      const isSeen: IsSeen = (agentId) => mayRun(caller, agentId);
      return {
        isSeen,
        list: () => [...entries.values()].filter(({ agentId }) => isSeen(agentId)),
        entry: (agentId) => (isSeen(agentId) ? entries.get(agentId) : undefined),
        resolve: (agentId) => resolveAmong(agentId, isSeen),
      };
    },

    /** Asks every backend once, then goes on in the background. Never raises: a backend that is away is tried again. */
    async start(): Promise<void> {
      await refresh();
      schedule();
    },

    /** A run has found its backend away: its agents need not look available until the next round. */
    lookSoon(): void {
      if (closed) return;
      clearTimeout(timer);
      const inMs = Math.max(0, missRefreshMs - (performance.now() - lastRefreshMs));
      timer = setTimeout(() => void refresh().then(schedule), inMs);
      timer.unref();
    },

    /** From what is known now; undefined for an unknown id. */
    find(agentId: string): FoundAgent | undefined {
      const entry = entries.get(agentId);
      return entry && { backend: entry.backend, agentId: entry.descriptor.agentId };
    },

    /** Whether a message may be the answer to what a reply of this agent asks. */
    answersInWords: (agentId: string): boolean =>
      options.answersInWords === true && entries.get(agentId)?.descriptor.answersInWords !== false,

    whyMissing,

    /** Whoever may know of them: for the service itself. */
    all: (): CatalogueEntry[] => [...entries.values()],

    /** What the backends last said, for health reports: one entry each, reachable where any agent can answer. */
    sources: () =>
      sources.map(({ backend, agents, isReachable }) => ({
        source: backend.source,
        isReachable:
          isReachable &&
          (agents?.length === 0 || agents?.some((agent) => agent.isAvailable !== false) === true),
      })),

    close(): void {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function isUnavailable(error: unknown): error is Problem<"agent_unavailable"> {
  return error instanceof Problem && error.type === "agent_unavailable";
}

function retryPauseMs(failures: number): number {
  return (
    Math.min(lookMs, retryMs * 2 ** Math.min(failures - 1, 10)) * (0.75 + Math.random() * 0.25)
  );
}
