import type { FastifyInstance } from "fastify";
import { Problem } from "../problems/problem.ts";

/** Refuses requests for other host names than the configured ones (DNS rebinding, mis-routed proxies); `*` is all. */
export function installHostCheck(app: FastifyInstance, allowed: readonly string[]): void {
  if (allowed.includes("*")) return;
  const names = new Set(allowed.map((name) => name.toLowerCase()));
  /** `*.example.com` is any name below, not that name itself. */
  const suffixes = [...names].filter((name) => name.startsWith("*.")).map((name) => name.slice(1));
  app.addHook("onRequest", async (request) => {
    const host = request.hostname.toLowerCase();
    if (names.has(host) || suffixes.some((suffix) => host.endsWith(suffix))) return;
    throw new Problem("bad_request", {
      en: "This host name is not served here (security.allowed_hosts).",
      zh: "此主机名不在服务范围内（security.allowed_hosts）。",
    });
  });
}
