import { isIPv6 } from "node:net";
import type { FastifyInstance } from "fastify";
import type { RateLimiter } from "../cache/rate-limiter.ts";
import { Problem } from "../problems/problem.ts";

/** Asked every few seconds by what watches over the service, often from one address. */
const unlimited = /^\/health(?:\/|$)/;

/**
 * Refuses more than so many requests a minute from one address, over all nodes, before anybody's credentials are looked
 * at: so it slows down guessing too. The address is the one that `security.trusted_proxies` lets through. 0: no limit.
 */
export function installAddressLimit(
  app: FastifyInstance,
  limiter: RateLimiter,
  requestsAMinute: number,
): void {
  if (requestsAMinute === 0) return;
  app.addHook("onRequest", async (request) => {
    if (unlimited.test(request.routeOptions.url ?? "")) return;
    const decision = await limiter.take(`address:${network(request.ip)}`, {
      limit: requestsAMinute,
      periodMs: 60_000,
    });
    if (decision.allowed) return;
    const seconds = Math.max(1, Math.ceil(decision.retryAfterMs / 1000));
    throw new Problem("rate_limited", { seconds }, { retryAfterSeconds: seconds });
  });
}

/** One customer has a /64 of IPv6 addresses, and could come from another of them each time. */
export function network(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    // An IPv4 address at the end stands for two groups.
    const length = rest.length + (rest.at(-1)?.includes(".") === true ? 1 : 0);
    while (groups.length + length < 8) groups.push("0");
    groups.push(...rest);
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
