import type { FastifyInstance, RouteOptions } from "fastify";

export interface RouteTable {
  /** Methods that a concrete path can be called with; empty when there is nothing there. */
  methodsOf(path: string): string[];
  /** Every route as registered: method and pattern. */
  list(): { method: string; pattern: string }[];
}

/** Collects the routes as they are registered; install it before any of them. */
export function installRouteTable(app: FastifyInstance): RouteTable {
  const routes: { method: string; pattern: string; matches: RegExp }[] = [];
  app.addHook("onRoute", ({ method, url }: RouteOptions) => {
    // The catch-all for preflight requests says nothing about what is there.
    if (url === "*") return;
    const source = url
      .replaceAll(/[.*+?^${}()|[\]\\]/g, (character) =>
        character === "*" ? ".*" : `\\${character}`,
      )
      .replaceAll(/:[^/]+/g, "[^/]+");
    for (const name of Array.isArray(method) ? method : [method]) {
      routes.push({ method: name, pattern: url, matches: new RegExp(`^${source}/?$`) });
    }
  });
  return {
    methodsOf: (path) => [
      ...new Set(routes.filter((route) => route.matches.test(path)).map((route) => route.method)),
    ],
    list: () => routes.map(({ method, pattern }) => ({ method, pattern })),
  };
}
