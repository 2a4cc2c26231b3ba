import type { Logger } from "../../../telemetry/logger.ts";
import type { AgentOs } from "./agent-os.ts";
import { answeringSteps } from "./components.ts";

/** Which steps of a workflow speak its answer, asked from AgentOS once in a while. */
export interface WorkflowSteps {
  of(server: AgentOs, workflowId: string, signal: AbortSignal): Promise<ReadonlySet<string>>;
  forget(server: string): void;
}

const maxKept = 1_000;

export function createWorkflowSteps(maxAgeMs: number, log: Logger): WorkflowSteps {
  const kept = new Map<string, { readonly steps: ReadonlySet<string>; readonly atMs: number }>();
  return {
    async of(server, workflowId, signal) {
      const key = `${server.name} ${workflowId}`;
      const known = kept.get(key);
      if (known && performance.now() - known.atMs < maxAgeMs) return known.steps;
      try {
        const steps = answeringSteps(await server.workflow(workflowId, signal));
        if (kept.size >= maxKept) kept.clear();
        kept.set(key, { steps, atMs: performance.now() });
        return steps;
      } catch (error) {
        signal.throwIfAborted();
        // Without them the answer comes in one piece, at its end.
        log.debug({ server: server.name, workflowId, err: error }, "workflow steps are not known");
        return known?.steps ?? new Set();
      }
    },
    forget(server) {
      for (const key of kept.keys()) if (key.startsWith(`${server} `)) kept.delete(key);
    },
  };
}
