import type { RunRequest } from "../../agent-backend.ts";
import type { AgentOs } from "./agent-os.ts";
import { sessionOf, withId, type RunRef } from "./run-state.ts";

/** A run under the id that its queue has given it; null: the queue has none, or does not tell. */
export async function knownRun(
  server: Pick<AgentOs, "runOfKey">,
  run: RunRef,
  request: Pick<RunRequest, "sessionId">,
  signal: AbortSignal,
): Promise<RunRef | null> {
  if (run.key === undefined) return run;
  const runId = await server.runOfKey(run.key, sessionOf(run, request), signal);
  return runId === null ? null : withId(run, runId);
}
