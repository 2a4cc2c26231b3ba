import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/** How long a caller may take to fetch a refusal and to stop sending. */
const lingerMs = 1_000;

/**
 * An answer that ends its connection before all of the body has come: what still comes is read and dropped for a moment.
 * Closed at once, with something unread, the connection would be reset, and the answer lost with it.
 */
export function installLinger(app: FastifyInstance): void {
  app.addHook("onSend", ({ raw }, reply, _payload, done) => {
    const { socket } = raw;
    // (What is injected has no connection.)
    if (!raw.complete && reply.getHeader("connection") === "close" && socket instanceof Socket) {
      // What Node calls when such an answer has been sent.
      socket.destroySoon = () => linger(raw, socket);
    }
    done();
  });
}

function linger(request: IncomingMessage, socket: Socket): void {
  socket.end();
  if (request.complete) return void socket.destroy();
  request.once("end", () => socket.destroy());
  request.resume();
  destroySoon(socket);
}

/** Ends a connection on which the last answer is under way, whatever its caller still does. */
export function destroySoon(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once("close", () => clearTimeout(timer));
}
