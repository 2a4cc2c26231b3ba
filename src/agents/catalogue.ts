import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
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
  readonly refreshMs: number;
  readonly logger: Logger;
}

interface Source {
  readonly backend: AgentBackend;
  /** Null until the backend has answered once. */
  agents: readonly AgentDescriptor[] | null;
  isReachable: boolean;
}

export type Catalogue = ReturnType<typeof createCatalogue>;

const listTimeoutMs = 5_000;
/** A backend that is away is asked this often. */
const retryMs = 5_000;
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
  }));
  let entries = new Map<string, CatalogueEntry>();
  let refreshing: Promise<void> | null = null;
  let lastRefreshMs = Number.NEGATIVE_INFINITY;
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
    try {
      source.agents = await backend.list(AbortSignal.timeout(listTimeoutMs));
      if (!source.isReachable) {
        logger.info({ source: backend.source, agents: source.agents.length }, "agents listed");
      }
      source.isReachable = true;
    } catch (error) {
      if (source.isReachable || source.agents === null) {
        logger.warn({ source: backend.source, err: error }, "agents cannot be listed");
      }
      source.isReachable = false;
    }
  };

  const refresh = (): Promise<void> => {
    refreshing ??= (async () => {
      lastRefreshMs = performance.now();
      await Promise.all(sources.map(ask));
      rebuild();
      refreshing = null;
    })();
    return refreshing;
  };

  const schedule = () => {
    if (closed) return;
    const isHealthy =
      sources.every((source) => source.isReachable) &&
      [...entries.values()].every((entry) => entry.status === "available");
    timer = setTimeout(
      () => void refresh().then(schedule),
      isHealthy ? options.refreshMs : Math.min(retryMs, options.refreshMs),
    );
    timer.unref();
  };

  const defaultAgentId = (): string => {
    if (defaultAgent !== null) return defaultAgent;
    if (entries.has("general-chat")) return "general-chat";
    const first = [...entries.values()].find((entry) => entry.status === "available");
    return first?.agentId ?? entries.keys().next().value ?? "general-chat";
  };

  return {
    /** Asks every backend once, then goes on in the background. Never raises: a backend that is away is tried again. */
    async start(): Promise<void> {
      await refresh();
      schedule();
    },

    /** From what is known now; undefined for an unknown id. */
    find(agentId: string): FoundAgent | undefined {
      const entry = entries.get(agentId);
      return entry && { backend: entry.backend, agentId: entry.descriptor.agentId };
    },

    /**
     * The agent asked for, or the default one for undefined. An unknown id is looked for anew before it is
     * `agent_not_found`; while a backend has not answered yet it is `agent_unavailable`.
     */
    async resolve(agentId: string | undefined): Promise<CatalogueEntry> {
      let wanted = agentId ?? defaultAgentId();
      if (!entries.has(wanted) && performance.now() - lastRefreshMs > missRefreshMs) {
        await refresh();
        wanted = agentId ?? defaultAgentId();
      }
      const entry = entries.get(wanted);
      if (entry !== undefined) return entry;
      if (sources.some((source) => source.agents === null)) {
        throw new Problem("agent_unavailable", { agentId: wanted }, { retryAfterSeconds: 5 });
      }
      throw new Problem("agent_not_found", { agentId: wanted });
    },

    list: (): CatalogueEntry[] => [...entries.values()],

    /** What the backends last said, for health reports: one entry each. */
    sources: () =>
      sources.map((source) => ({ source: source.backend.source, isReachable: source.isReachable })),

    close(): void {
      closed = true;
      clearTimeout(timer);
    },
  };
}
