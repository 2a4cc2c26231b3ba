import type { JobHandlers } from "../jobs/job.ts";
import { Problem } from "../problems/problem.ts";
import type { AgentBackend, FoundAgent } from "./agent-backend.ts";
import type { Catalogue } from "./catalogue.ts";

/**
 * A run that is asked to stop, or ends at this moment, writes its session down once more: after its tool, its summary.
 * Until then nothing tells that it will, so it is looked at again, ever more seldom.
 */
const looksAgainMs = [3_000, 30_000, 5 * 60_000, 60 * 60_000, 6 * 60 * 60_000];

/** What agents are told about sessions and runs after the fact, however often that has to be tried. */
export function createUpstreamJobs(
  catalogue: Pick<Catalogue, "find" | "sources">,
): Pick<JobHandlers, "abandon-run" | "forget-session"> {
  /** Undefined: it is no longer configured, and there is nobody to be told. Raises while that is not known. */
  const find = (agentId: string): FoundAgent | undefined => {
    const agent = catalogue.find(agentId);
    if (agent === undefined && catalogue.sources().some(({ isReachable }) => !isReachable)) {
      throw new Problem("agent_unavailable", { agentId });
    }
    return agent;
  };

  return {
    async "abandon-run"(data) {
      const agent = find(data.agentId);
      if (agent?.backend.abandon === undefined) return;
      const { state, language, ...run } = data;
      await agent.backend.abandon(
        {
          ...run,
          agentId: agent.agentId,
          message: "",
          attachments: [],
          settings: {},
          language: language === "zh" ? "zh" : "en",
          seq: 0,
          after: 0,
          history: () => Promise.resolve([]),
        },
        state,
      );
    },

    async "forget-session"(data) {
      const { sessionId, userId, agentIds, looks } = data;
      const byBackend = new Map<AgentBackend, string[]>();
      for (const agent of agentIds.flatMap((agentId) => find(agentId) ?? [])) {
        byBackend.set(agent.backend, [...(byBackend.get(agent.backend) ?? []), agent.agentId]);
      }
      const outcomes = await Promise.allSettled(
        [...byBackend].map(async ([backend, known]) =>
          backend.forgetSession?.({ sessionId, userId, agentIds: known }),
        ),
      );
      const fault = outcomes.find((outcome) => outcome.status === "rejected");
      if (fault !== undefined) throw fault.reason;
      const inMs = looks === undefined ? undefined : looksAgainMs[looks];
      return looks === undefined || inMs === undefined
        ? undefined
        : { data: { ...data, looks: looks + 1 }, inMs };
    },
  };
}
