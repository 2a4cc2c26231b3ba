import type { FastifyInstance, RouteOptions } from "fastify";

export interface RouteTable {
  /** Whether a path is spelled out by a route, whatever its methods: then no parameter stands for it. */
  isSpelledOut(path: string): boolean;
  /** Methods that a concrete path can be called with; empty when there is nothing there. */
  methodsOf(path: string): string[];
  /** Every route as registered: method and pattern. */
  list(): { method: string; pattern: string }[];
}

/** Collects the routes as they are registered; install it before any of them. */
export function installRouteTable(app: FastifyInstance): RouteTable {
  const routes: { method: string; pattern: string; matches: RegExp }[] = [];
  const spelledOut = new Set<string>();
  app.addHook("onRoute", ({ method, url }: RouteOptions) => {
    // The catch-all for preflight requests says nothing about what is there.
    if (url === "*") return;
    if (!/[:*]/.test(url)) spelledOut.add(url);
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
    isSpelledOut: (path) => spelledOut.has(path.replace(/(?<=.)\/$/, "")),
    methodsOf(path) {
      const matching = routes.filter((route) => route.matches.test(path));
      // As the router does: what is spelled out goes before what stands for anything.
      const pattern = matching.map((route) => route.pattern).sort(bySpecificity)[0];
      const methods = matching.filter((route) => route.pattern === pattern);
      return [...new Set(methods.map((route) => route.method))];
    },
    list: () => routes.map(({ method, pattern }) => ({ method, pattern })),
  };
}

/** Segment by segment: a name before a parameter before a wildcard. */
function bySpecificity(left: string, right: string): number {
  const rank = (segment = "") => (segment.includes("*") ? 2 : segment.startsWith(":") ? 1 : 0);
  const others = right.split("/");
  const differences = left.split("/").map((segment, index) => rank(segment) - rank(others[index]));
  return differences.find((difference) => difference !== 0) ?? 0;
}
