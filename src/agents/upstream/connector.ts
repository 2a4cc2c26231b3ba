import type { Socket } from "node:net";
import { buildConnector, errors } from "undici";

/** Errors of sockets that had brought an answer before. */
const ofUsedSockets = new WeakSet<Error>();

/** Opens connections as the client itself would, and notes which of those that break had been used. */
export function createConnector(timeoutMs: number): buildConnector.connector {
  const connect = buildConnector({ timeout: timeoutMs, allowH2: false });
  return (options, callback) => {
    connect(options, (...outcome) => {
      const [, socket] = outcome;
      if (socket) noteErrors(socket);
      callback(...outcome);
    });
  };
}

function noteErrors(socket: Socket): void {
  socket.prependListener("error", (error: Error) => {
    if (socket.bytesRead > 0) ofUsedSockets.add(error);
  });
}

/** Whether an error came with a connection that had brought an answer before. */
export function hadAnsweredBefore(error: Error): boolean {
  if (error instanceof errors.SocketError) return (error.socket?.bytesRead ?? 0) > 0;
  return ofUsedSockets.has(error);
}
