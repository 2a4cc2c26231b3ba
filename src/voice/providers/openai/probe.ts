import type { SpeechHealth } from "../../speech-to-text.ts";
import type { SpeechServer } from "./speech-server.ts";

/** Whether the server answers at all: any status below 500 does, for not every server has the path. */
export async function probeServer(
  server: SpeechServer,
  signal: AbortSignal,
): Promise<SpeechHealth> {
  try {
    const answer = await server.call({ method: "GET", path: "/models", signal });
    await answer.body.return();
    const healthy = answer.status < 500 && answer.status !== 401 && answer.status !== 403;
    const details = { provider: "openai", status: answer.status };
    return { status: healthy ? "healthy" : "unhealthy", details };
  } catch {
    return { status: "unhealthy", details: { provider: "openai", reachable: false } };
  }
}
