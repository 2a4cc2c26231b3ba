import { subscribe } from "node:diagnostics_channel";
import { appendFileSync } from "node:fs";
import type { FastifyInstance, RouteOptions } from "fastify";

/**
 * Loaded into a process of the service before it starts (`--import`): writes every route that is registered there,
 * documented or not, to the file ROUTES_FILE, one `METHOD /path` a line.
 */
subscribe("fastify.initialization", (message) => {
  const { fastify } = message as { fastify: FastifyInstance };
  fastify.addHook("onRoute", ({ method, url }: RouteOptions) => {
    const methods = Array.isArray(method) ? method : [method];
    const file = process.env["ROUTES_FILE"] ?? "";
    for (const name of methods) appendFileSync(file, `${name} ${url}\n`);
  });
});
