import { Problem } from "../../../problems/problem.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";

/**
 * Whether a source of models answers: null, or what is wrong. One that has no such list answers 404 or 405, but it
 * answers.
 */
export async function probeList(
  upstream: Upstream,
  path: string,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    await upstream.json({ method: "GET", path, signal, agentId: "models", maxRetries: 0 });
    return null;
  } catch (error) {
    const { status, fault } = upstreamErrorOf(error) ?? {};
    if (status === 401 || status === 403) return "unauthorized";
    if (status === 404 || status === 405) return null;
    if (status !== undefined) return `status ${status}`;
    if (fault === "malformed" || fault === "too_large") return "not understood";
    const timedOut = error instanceof Problem && error.type === "agent_timeout";
    return signal.aborted || timedOut ? "timeout" : "unreachable";
  }
}
