import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { FastifyInstance } from "fastify";

/** Requests that are still being answered when the server closes get this long. */
const defaultGraceMs = 5_000;
const sweepMs = 50;

/**
 * Watches a server's connections, so that it can close: it would wait for every one of them. Returns what to call when
 * it is to close. From then on connections end that carry no request, at once or when theirs is answered, and all
 * others after `graceMs`. Upgraded ones are left to who has them.
 */
export function prepareToClose(server: Server, graceMs = defaultGraceMs): () => void {
  // Browsers connect ahead of need. Node takes a connection that has not brought a request yet for a busy one.
  const unused = new Set<Socket>();
  // One for all of them: a connection may be open for hours.
  function forget(this: Socket): void {
    unused.delete(this);
  }
  server.on("connection", (socket: Socket) => {
    unused.add(socket);
    socket.on("close", forget);
  });
  const used = ({ socket }: IncomingMessage) => {
    unused.delete(socket);
  };
  server.on("request", used);
  server.on("upgrade", used);
  return () => {
    const sweep = setInterval(() => {
      for (const socket of unused) socket.destroy();
      server.closeIdleConnections();
    }, sweepMs);
    const grace = setTimeout(() => server.closeAllConnections(), graceMs);
    server.once("close", () => {
      clearInterval(sweep);
      clearTimeout(grace);
    });
  };
}

/**
 * Ends the connection of a request that wanted to speak another protocol and was answered instead: it is no longer the
 * server's, which would neither use it again nor close it.
 */
export function endRefusedUpgrades(app: FastifyInstance): void {
  app.addHook("onResponse", (request, _reply, done) => {
    if (request.headers.upgrade !== undefined) request.raw.socket.destroy();
    done();
  });
}

/** Of the event loop, which takes one waiting connection each. */
const maxRounds = 1_000;

/**
 * Takes no connections any more, so that whoever brings one goes to another node; open ones go on. The server is still
 * to be closed: that then waits for them.
 */
export async function stopListening(server: Server): Promise<void> {
  // Those that the system has taken and this process has not would be reset, maybe with a message already in them.
  let quietRounds = 0;
  const taken = () => {
    quietRounds = 0;
  };
  server.on("connection", taken);
  // The first may be the rest of the present one, which has looked for connections already.
  for (let round = 0; quietRounds < 2 && round < maxRounds; round++) {
    quietRounds += 1;
    await setImmediate();
  }
  server.off("connection", taken);
  server.close();
}
