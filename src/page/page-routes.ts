import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import { missingPage } from "./missing-page.ts";
import { pagePolicy, workerPolicy } from "./page-policy.ts";
import { prefersPage } from "./prefers-page.ts";

interface PageRoutesOptions {
  /** Where the built page is (web/dist). It may be missing, also for now: it is looked for at each request. */
  readonly directory: string;
}

const workerFile = "service-worker.js";
/** Names of the other files below this contain a hash of their content. */
const assetsMaxAgeSeconds = 365 * 86_400;

/**
 * The chat page at `/` for those who accept text/html (everybody else gets what another route answers there), the
 * status page at `/status`, and their files below `/assets`.
 */
export function pageRoutes({ directory }: PageRoutesOptions): FastifyPluginAsyncTypebox {
  const send = (request: FastifyRequest, reply: FastifyReply) => {
    void reply.headers({
      "Content-Security-Policy": pagePolicy,
      "Cache-Control": "no-cache",
      Vary: "Accept, Accept-Encoding",
    });
    const canonical = relativeTo(request);
    if (canonical !== null) return reply.redirect(canonical, 308);
    if (!existsSync(join(directory, "index.html"))) {
      return reply.code(503).type("text/html; charset=utf-8").send(missingPage(request.language));
    }
    return reply.sendFile("index.html", directory, {
      cacheControl: false,
      acceptRanges: false,
    });
  };

  return async (app) => {
    // Those of the plugin below too: who has to sign in needs the page first.
    app.addHook("onRoute", (route) => {
      route.config = { ...route.config, isPublic: true };
    });
    await app.register(fastifyStatic, {
      root: join(directory, "assets"),
      prefix: "/assets/",
      preCompressed: true,
      index: false,
      immutable: true,
      maxAge: assetsMaxAgeSeconds * 1000,
      dotfiles: "ignore",
      setHeaders(reply, path) {
        // Compressed, it has another ending.
        if (!basename(path).startsWith(workerFile)) return;
        // Its name stays, its content does not; and the page it stands for is above it.
        void reply.headers({
          "Cache-Control": "no-cache",
          "Content-Security-Policy": workerPolicy,
          "Service-Worker-Allowed": "../",
        });
      },
    });
    app.addConstraintStrategy({
      name: "accepts",
      storage: () => {
        const handlers = new Map<unknown, never>();
        return {
          get: (accepts) => handlers.get(accepts) ?? null,
          set: (accepts, handler) => void handlers.set(accepts, handler as never),
        };
      },
      deriveConstraint: (request) => (prefersPage(request.headers.accept) ? "page" : undefined),
    });
    const shared = { schema: { hide: true } };
    app.get("/", { ...shared, constraints: { accepts: "page" } }, send);
    app.get("/status", shared, send);
  };
}

/**
 * Where the browser must go first: the page's files have addresses relative to it, so below a prefix `/` must end with
 * a slash, and `/status` must not. Null when the address is right.
 */
function relativeTo(request: FastifyRequest): string | null {
  const [path = "/", query] = request.originalUrl.split("?", 2);
  const wanted =
    request.routeOptions.url === "/" ? path.replace(/\/*$/, "/") : path.replace(/\/+$/, "");
  if (path === wanted) return null;
  const last = wanted.split("/").at(request.routeOptions.url === "/" ? -2 : -1) ?? "";
  // Relative, so that it also holds behind a proxy that takes a prefix off.
  const target = request.routeOptions.url === "/" ? `./${last}/` : `../${last}`;
  return query === undefined ? target : `${target}?${query}`;
}
