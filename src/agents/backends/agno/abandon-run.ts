import type { RunRequest } from "../../agent-backend.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import type { AgentOs } from "./agent-os.ts";
import { continuation } from "./decisions.ts";
import { pauseField } from "./requirements.ts";
import { knownRun } from "./queued-run.ts";
import { continued, sessionOf, type RunRef } from "./run-state.ts";
import { callerOf } from "./runs.ts";
import { asList } from "./wire.ts";

/** For everything that is asked of AgentOS, however much there is to store at the end of a run. */
const timeoutMs = 15_000;

/** Ends a run that nobody will go on with, wherever it is. Raises when it should be tried again. */
export async function abandonRun(
  server: AgentOs,
  asked: RunRef,
  request: RunRequest,
  log: Logger,
): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  const caller = callerOf(request);
  const sessionId = sessionOf(asked, request);
  try {
    const run = await knownRun(server, asked, request, signal);
    // It was never begun.
    if (run === null) return;
    await server.cancel(run, sessionId, caller, signal);
    const stored = await server.run(run, sessionId, caller, signal);
    if (stored?.["status"] !== "PAUSED") return;
    // A cancellation stops what runs; a run that waits is not looked at. Going on with it makes AgentOS see that it was
    // cancelled, before its model is asked: and should it not see that, everything is declined.
    const form = continuation(
      continued(run),
      { sessionId, userId: request.userId },
      asList(stored[pauseField[run.kind]]),
      [],
    );
    const events = server.continue(run, form, caller, signal);
    while ((await events.next()).done !== true);
  } catch (error) {
    const status = upstreamErrorOf(error)?.status;
    // It was not there to be asked; what it answers itself it would answer again.
    if (status === undefined || [429, 502, 503, 504].includes(status)) throw error;
    log.info({ server: server.name, runId: asked.runId, err: error }, "a run was left as it is");
  }
}
