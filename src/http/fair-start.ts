import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply } from "fastify";
import { FairTurns } from "../lib/fair-turns.ts";
import { network } from "./address-limit.ts";
import { onceClosed } from "./gone-signal.ts";

/** A connection that brings more than this before it has its answers is no client's. */
const maxWaiting = 100;
/** Requests that begin between two looks at the network. */
const atOnce = 4;

/**
 * Keeps one caller's flood from everybody else before anything is known of who calls and what is asked for: a connection
 * is answered one request after the other, and of what waits to begin, each address's first is next in turn.
 */
export function installFairStart(app: FastifyInstance): void {
  const turns = new FairTurns(atOnce);
  /** What each connection that is being answered has brought beyond that. */
  const lines = new WeakMap<Socket, (() => void)[]>();

  const beginNext = (socket: Socket) => {
    const next = lines.get(socket)?.shift();
    if (next === undefined) lines.delete(socket);
    else if (!socket.destroyed) next();
  };
  // (Apart from what is begun: an answer may last for hours, and would keep that.)
  const beginNextAfter = ({ raw }: FastifyReply, socket: Socket) =>
    onceClosed(raw, () => beginNext(socket));

  // Answers go out in the order of the requests anyway; Node would hand on all that have arrived at once.
  app.addHook("onRequest", ({ raw: { socket } }, reply, done) => {
    if (socket.destroyed) return;
    const begin = () => {
      beginNextAfter(reply, socket);
      done();
    };
    const line = lines.get(socket);
    if (line === undefined) {
      lines.set(socket, []);
      begin();
    } else if (line.push(begin) > maxWaiting) {
      socket.destroy();
    }
  });
  app.addHook("onRequest", (request, _reply, done) => {
    turns.take(network(request.ip), done);
  });
}
