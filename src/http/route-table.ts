import type { FastifyInstance, RouteOptions } from "fastify";

export interface RouteTable {
  /** Whether a path is spelled out by a route, whatever its methods: then no parameter stands for it. */
  isSpelledOut(path: string): boolean;
  /** Methods that a concrete path can be called with; empty when there is nothing there. */
  methodsOf(path: string): string[];
  /** Every route as registered: method and pattern. */
  list(): { method: string; pattern: string }[];
}

interface Route {
  readonly method: string;
  readonly pattern: string;
  readonly matches: RegExp;
}

/** Collects the routes as they are registered; install it before any of them. */
export function installRouteTable(app: FastifyInstance): RouteTable {
  const routes: Route[] = [];
  /** By the first segment, so that a path is held against a few of them; those that begin with a parameter or wildcard are in none. */
  const byBeginning = new Map<string, Route[]>();
  const anywhere: Route[] = [];
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
      const route = { method: name, pattern: url, matches: new RegExp(`^${source}/?$`) };
      routes.push(route);
      const beginning = firstSegment(url);
      if (/[:*]/.test(beginning)) anywhere.push(route);
      else byBeginning.set(beginning, [...(byBeginning.get(beginning) ?? []), route]);
    }
  });
  const matching = (path: string) =>
    [...(byBeginning.get(firstSegment(path)) ?? []), ...anywhere].filter((route) =>
      route.matches.test(path),
    );
  return {
    isSpelledOut: (path) => spelledOut.has(path.replace(/(?<=.)\/$/, "")),
    methodsOf(path) {
      const found = matching(path);
      // As the router does: what is spelled out goes before what stands for anything.
      const pattern = found.map((route) => route.pattern).sort(bySpecificity)[0];
      const methods = found.filter((route) => route.pattern === pattern);
      return [...new Set(methods.map((route) => route.method))];
    },
    list: () => routes.map(({ method, pattern }) => ({ method, pattern })),
  };
}

function firstSegment(path: string): string {
  const end = path.indexOf("/", 1);
  return end === -1 ? path : path.slice(0, end);
}

/** Segment by segment: a name before a parameter before a wildcard. */
function bySpecificity(left: string, right: string): number {
  const rank = (segment = "") => (segment.includes("*") ? 2 : segment.startsWith(":") ? 1 : 0);
  const others = right.split("/");
  const differences = left.split("/").map((segment, index) => rank(segment) - rank(others[index]));
  return differences.find((difference) => difference !== 0) ?? 0;
}
