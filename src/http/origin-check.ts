import type { FastifyInstance } from "fastify";
import { Problem } from "../problems/problem.ts";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Refuses whatever changes something, and WebSockets, to pages of other origins than this service's own and the `allowed`
 * ones: where nobody has to sign in, a page would use its visitor's place in the network. Programs name no origin.
 */
export function installOriginCheck(app: FastifyInstance, allowed: readonly string[]): void {
  if (allowed.includes("*")) return;
  const origins = new Set(allowed);
  app.addHook("onRequest", async (request) => {
    const { origin, upgrade, host = "", "sec-fetch-site": site } = request.headers;
    if (safeMethods.has(request.method) && upgrade === undefined) return;
    // No page can set this one. It also holds behind a proxy that changes Host.
    if (site === "same-origin" || site === "none") return;
    if (origin === undefined && site === undefined) return;
    if (origin !== undefined) {
      if (origins.has(origin) || [host, request.host].some((own) => isOf(origin, own))) return;
    }
    throw new Problem("forbidden", { page: origin ?? null });
  });
}

/** Whether an origin is that of a host. Some proxies pass on a host without its port; then that is not compared. */
function isOf(origin: string, host: string): boolean {
  const page = URL.parse(origin);
  if (page === null || page.host === "") return false;
  const own = URL.parse(`${page.protocol}//${host}`);
  return /:\d+$/.test(host) ? own?.host === page.host : own?.hostname === page.hostname;
}
