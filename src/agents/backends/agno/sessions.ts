import type { Logger } from "../../../telemetry/logger.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import type { AgentOs, SessionRef } from "./agent-os.ts";
import type { Entry } from "./directory.ts";

/** Where sessions with these agents may be; everywhere when one of them is no longer known. */
export function sessionPlaces(
  entries: readonly Entry[],
  agentIds: readonly string[],
): readonly { readonly server: AgentOs; readonly databaseId: string }[] {
  const mine = entries.filter((entry) => agentIds.includes(entry.agentId));
  const relevant = mine.length === new Set(agentIds).size ? mine : entries;
  const places = new Map<string, { server: AgentOs; databaseId: string }>();
  for (const { server, component } of relevant) {
    const { databaseId } = component;
    if (databaseId !== null) places.set(`${server.name} ${databaseId}`, { server, databaseId });
  }
  return [...places.values()];
}

/** Raises when it should be tried again. */
export async function forgetSession(
  server: AgentOs,
  session: SessionRef,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  try {
    await server.deleteSession(session, signal);
  } catch (error) {
    const status = upstreamErrorOf(error)?.status;
    if (status === undefined || status >= 500 || status === 429) throw error;
    // Not allowed, or nothing to delete there: asking again would not change that.
    if (status !== 404) log.warn({ server: server.name, status }, "AgentOS kept a deleted session");
  }
}
