import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Config } from "../config/settings.ts";
import { bearerToken, readCredentials } from "../identity/credentials.ts";
import { unauthorized } from "../identity/refusals.ts";
import { Problem } from "../problems/problem.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /**
     * For whoever watches over the service. `state`, whether it runs, is told at every door; `details` at the door apart
     * alone where there is one (`monitoring.port`), and to those alone who know `monitoring.token`.
     */
    watched?: "state" | "details";
  }
}

/** Where requests come from that only watch. */
export interface MonitoringDoor {
  /** Resolves with where it listens; raises what listening raises. */
  listen(): Promise<AddressInfo>;
  close(): void;
}

/** Requests that came through the door apart. */
const cameApart = new WeakSet<IncomingMessage>();

/** Whether a request came to `monitoring.port`, which has names of its own and serves nothing of anybody's. */
export function isApart({ raw }: FastifyRequest): boolean {
  return cameApart.has(raw);
}

/** Lets each request only to what its door serves; what is served elsewhere is not there. */
export function installWatched(
  app: FastifyInstance,
  { port, token }: Pick<Config["monitoring"], "port" | "token">,
): void {
  const expected = token === null ? null : hash(token);
  app.addHook("onRequest", async (request) => {
    if (request.is404) return;
    const { watched } = request.routeOptions.config;
    const isThere = isApart(request)
      ? watched !== undefined
      : watched !== "details" || port === null;
    if (!isThere) {
      const path = request.url.split("?", 1)[0] ?? "/";
      throw new Problem("not_found", { method: request.method, path });
    }
    if (watched !== "details" || expected === null) return;
    const credentials = readCredentials(request.raw.rawHeaders);
    const given = bearerToken(credentials);
    if (given !== null && timingSafeEqual(hash(given), expected)) return;
    throw unauthorized(credentials.authorization === undefined ? "missing" : "invalid");
  });
}

/** The door apart, in front of the same routes; null where none is configured. */
export function createMonitoringDoor(
  app: FastifyInstance,
  { monitoring, service }: Pick<Config, "monitoring" | "service">,
): MonitoringDoor | null {
  const { port } = monitoring;
  if (port === null) return null;
  const server = createServer((request, response) => {
    cameApart.add(request);
    app.routing(request, response);
  });
  return {
    async listen() {
      server.listen(port, monitoring.host ?? service.host);
      await once(server, "listening");
      return server.address() as AddressInfo;
    },
    close() {
      if (server.listening) server.close();
      server.closeAllConnections();
    },
  };
}

function hash(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
