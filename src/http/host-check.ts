import { BlockList, isIP } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Config } from "../config/settings.ts";
import { valuesOf } from "../identity/credentials.ts";
import { Problem } from "../problems/problem.ts";
import { isApart } from "./monitoring-door.ts";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8);
loopback.addAddress("::1", "ipv6");

/**
 * The host names answered. Where they are not configured, all of them; but a service that lets everybody on its machine
 * in must not do so for a page whose name was made to mean this machine (DNS rebinding). A trusted proxy has its names.
 */
export function servedHosts({
  auth,
  security,
  service,
}: Pick<Config, "auth" | "security" | "service">): readonly string[] {
  if (security.allowed_hosts.length > 0) return security.allowed_hosts;
  const isLocal = service.host === "localhost" || isLoopback(service.host);
  if (auth.mode !== "open" || !isLocal || security.trusted_proxies.length > 0) return ["*"];
  return ["localhost", "*.localhost", "127.0.0.1", "::1", service.host];
}

/**
 * Refuses requests for other host names than these (DNS rebinding, mis-routed proxies); `*` is all. What watches over
 * nodes asks each by its address, and is told nothing of anybody's.
 */
export function installHostCheck(app: FastifyInstance, allowed: readonly string[]): void {
  app.addHook("onRequest", ({ raw }, _reply, done) => {
    const [host = "", ...others] = valuesOf(raw.rawHeaders, "host");
    if (others.length === 0 && isHost(host)) return done();
    const refusal = new Problem("bad_request", {
      en: "The request needs one Host header: a name or an address, and a port if there is one.",
      zh: "请求须有且只有一个 Host 标头：主机名或地址，可带端口。",
    });
    done(refusal);
  });
  if (allowed.includes("*")) return;
  const names = new Set(allowed.map((name) => name.toLowerCase()));
  /** `*.example.com` is any name below, not that name itself. */
  const suffixes = [...names].filter((name) => name.startsWith("*.")).map((name) => name.slice(1));
  app.addHook("onRequest", (request, _reply, done) => {
    if (isApart(request) || request.routeOptions.config.watched === "state") return done();
    // Of an IPv6 address the brackets are no part.
    const host = request.hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1");
    if (names.has(host) || suffixes.some((suffix) => host.endsWith(suffix))) return done();
    const refusal = new Problem("bad_request", {
      en: "This host name is not served here. If it should be, add it to security.allowed_hosts.",
      zh: "此主机名不在服务范围内。如需使用，请将其加入 security.allowed_hosts。",
    });
    done(refusal);
  });
}

/** What others read differently (`localhost:80@elsewhere`) would be one name to a proxy and another one here. */
export function isHost(text: string): boolean {
  return /^(?:(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?)?$/i.test(text);
}

function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family !== 0 && loopback.check(host, family === 6 ? "ipv6" : "ipv4");
}
