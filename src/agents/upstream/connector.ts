import type { Socket } from "node:net";
import { buildConnector, errors } from "undici";
import { shownCertificate } from "../../lib/certificates.ts";

/** Errors of sockets that had brought an answer before. */
const ofUsedSockets = new WeakSet<Error>();

/** Opens connections as the client itself would, and notes which of those that break had been used. */
export function createConnector(timeoutMs: number): buildConnector.connector {
  const connect = buildConnector({
    timeout: timeoutMs,
    allowH2: false,
    ...shownCertificate(),
  });
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

/** How a peer's closing looks; what it sends that is no HTTP is another matter. */
const closings: ReadonlySet<string | undefined> = new Set([
  "ECONNRESET",
  "EPIPE",
  "UND_ERR_SOCKET",
]);

/** Whether an error is the closing of a connection that had brought an answer before. */
export function hadAnsweredBefore(error: Error): boolean {
  if (!closings.has((error as NodeJS.ErrnoException).code)) return false;
  if (error instanceof errors.SocketError) return (error.socket?.bytesRead ?? 0) > 0;
  return ofUsedSockets.has(error);
}
