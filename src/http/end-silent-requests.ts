import type { FastifyInstance } from "fastify";

/** A line of 35 kbit/s brings as much in the 30 seconds of the default. */
export const leastBytes = 128 * 1024;

/**
 * Bounds how long callers may take to send a request: `timeoutMs` for its head, as long for its body, and as long again
 * each time that at least `leastBytes` of a larger one have come meanwhile. Node's own limit counts from the beginning: it
 * would cut an upload off for its length alone. Who is too slow is told so by the server's handler of broken requests.
 */
export function endSilentRequests(app: FastifyInstance, timeoutMs: number): void {
  app.server.headersTimeout = timeoutMs;
  app.addHook("onRequest", ({ raw }, _reply, done) => {
    done();
    if (raw.complete) return;
    const { socket } = raw;
    let seen = socket.bytesRead;
    const look = () => {
      if (raw.complete || socket.destroyed) return;
      // What is not taken from it yet says nothing of the caller.
      const isHeld = raw.readableLength >= raw.readableHighWaterMark;
      if (isHeld || socket.bytesRead - seen >= leastBytes) {
        seen = socket.bytesRead;
        timer.refresh();
        return;
      }
      const late = Object.assign(new Error("The request did not arrive in time."), {
        code: "ERR_HTTP_REQUEST_TIMEOUT",
      });
      app.server.emit("clientError", late, socket);
    };
    // Also when it has been answered meanwhile: the next request on the connection waits for its end.
    const timer = setTimeout(look, timeoutMs).unref();
    raw.once("end", () => clearTimeout(timer));
  });
}
