import type { WebSocket } from "@fastify/websocket";

/** A client that is told to leave gets this long to say goodbye. */
const patienceMs = 2_000;

/** Closes a socket; some clients do not answer, and would hold it. */
export function dismiss(socket: WebSocket, code: number, reason: string): void {
  // Its goodbye must be read.
  socket.resume();
  socket.close(code, reason);
  const patience = setTimeout(() => socket.terminate(), patienceMs);
  socket.once("close", () => clearTimeout(patience));
}
