import cors from "@fastify/cors";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, { LogController, type FastifyBaseLogger } from "fastify";
import type { RateLimiter } from "../cache/rate-limiter.ts";
import type { Config } from "../config/settings.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Shares } from "../lib/shares.ts";
import { installTracing } from "../telemetry/install-tracing.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Tracer } from "../telemetry/tracer.ts";
import { installAddressLimit } from "./address-limit.ts";
import type { AuditTrail } from "./audit.ts";
import { refuseBrokenRequests } from "./broken-request.ts";
import { installAuthentication } from "./caller.ts";
import { endRefusedUpgrades } from "./close-connections.ts";
import {
  createRefusal,
  installErrorHandling,
  pathOf,
  refuseUndecodable,
  type ErrorShape,
} from "./errors.ts";
import { endSilentRequests } from "./end-silent-requests.ts";
import { installFairStart } from "./fair-start.ts";
import { installHostCheck, servedHosts } from "./host-check.ts";
import { installJsonBodies } from "./json-bodies.ts";
import { installLinger } from "./linger.ts";
import { installWatched } from "./monitoring-door.ts";
import { installOriginCheck } from "./origin-check.ts";
import { installRequestContext, requestId } from "./request-context.ts";
import { installRequestLimits, type Cost } from "./request-limits.ts";
import { installRouteTable } from "./route-table.ts";
import { installSecurityHeaders } from "./security-headers.ts";
import { compileValidator } from "./validation.ts";

export interface ServerOptions {
  readonly config: Config;
  readonly logger: FastifyBaseLogger;
  readonly identity: IdentityProvider;
  readonly audit: AuditTrail;
  readonly telemetry: Telemetry;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** Over all nodes. */
  readonly limiter: RateLimiter;
  /** Of this node alone. */
  readonly pace: RateLimiter;
  /** Of this node, for what is received. */
  readonly room: Shares;
  /** Of every route, by method and pattern. */
  readonly costs: Readonly<Record<string, Cost>>;
  /** Of protocols that have their own. */
  readonly errorShapes: readonly ErrorShape[];
}

export type Server = Awaited<ReturnType<typeof createServer>>;

/** A Fastify instance with everything that all routes share; routes are added in `app.ts`. */
export async function createServer(options: ServerOptions) {
  const { config, identity, telemetry, metrics } = options;
  const { server } = config;
  const isThere = (url: string) => routes.methodsOf(pathOf(url)).length > 0;
  const withoutPrefix = prefixStripper(server.prefixes, isThere);
  const refusal = createRefusal(options.errorShapes);
  const app = Fastify({
    loggerInstance: options.logger,
    // Requests are logged by the request context, one line each.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: (raw) => requestId(raw.headers["x-request-id"]),
    rewriteUrl: withoutPrefix,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 300 },
    bodyLimit: config.limits.max_body_size,
    keepAliveTimeout: server.keep_alive_timeout_seconds * 1000,
    trustProxy:
      config.security.trusted_proxies.length === 0 ? false : [...config.security.trusted_proxies],
    // A path that cannot be decoded never reaches the routes and their hooks.
    frameworkErrors: refuseUndecodable(config.service.name, telemetry, refusal),
    clientErrorHandler: refuseBrokenRequests(
      config.service.name,
      telemetry,
      (path) => routes.methodsOf(path),
      (url) => pathOf(withoutPrefix({ url })),
      refusal,
    ),
    return503OnClosing: false,
  }).withTypeProvider<TypeBoxTypeProvider>();

  endSilentRequests(app, server.request_timeout_seconds * 1000);
  installLinger(app);
  installJsonBodies(app, config.limits.max_body_size);
  app.setValidatorCompiler(compileValidator);
  // Response schemas document; what is sent is what the handlers made.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));

  const routes = installRouteTable(app);
  endRefusedUpgrades(app);
  installRequestContext(app, config.service.name, metrics);
  installFairStart(app);
  installTracing(app, options.tracer);
  const answerNothingThere = installErrorHandling(app, telemetry, routes, refusal);
  const origins = config.security.cors_origins;
  // Before whatever refuses: refusals have these headers too.
  installSecurityHeaders(app, origins.length > 0);
  // Before authentication: browsers ask without credentials whether they may send them.
  if (origins.length > 0) {
    await app.register(cors, {
      origin: origins.includes("*") ? "*" : [...origins],
      methods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
      exposedHeaders: [
        "X-Request-ID",
        "X-Session-ID",
        "X-Message-ID",
        "Retry-After",
        "Location",
        "Preference-Applied",
        "Mcp-Session-Id",
        "WWW-Authenticate",
      ],
      maxAge: 600,
    });
  }
  installWatched(app, config.monitoring);
  installHostCheck(app, servedHosts(config));
  installOriginCheck(app, origins);
  installAddressLimit(app, options.limiter, config.limits.address_rate_limit);
  // Before a body is read: nobody has said who that is.
  app.addHook("onRequest", (request, reply, done) => {
    // The router looks among the routes of this method alone: a session may be called "batch" there.
    const isParameter = request.routeOptions.url?.includes(":") === true;
    const isElsewhere = isParameter && routes.isSpelledOut(pathOf(request.url));
    if (request.is404 || isElsewhere) void answerNothingThere(request, reply);
    else done();
  });
  installAuthentication(app, identity, options.audit);
  installRequestLimits(app, {
    costs: options.costs,
    limits: config.limits,
    shared: options.limiter,
    local: options.pace,
    room: options.room,
  });
  return { app, routes };
}

/**
 * Every path is served below each prefix too. The longest that fits is taken off, unless there is something behind a
 * shorter one alone: `/api/v1/models` is `/v1/models` below `/api`.
 */
function prefixStripper(
  prefixes: readonly string[],
  isThere: (url: string) => boolean,
): (request: { url?: string | undefined }) => string {
  const sorted = prefixes
    .map((prefix) => `/${prefix.replaceAll(/^\/+|\/+$/g, "")}`)
    .filter((prefix) => prefix !== "/")
    .sort((left, right) => right.length - left.length);
  return ({ url = "/" }) => {
    const [longest, ...others] = sorted
      .filter(
        (prefix) => url.startsWith(prefix) && ["/", "?", undefined].includes(url[prefix.length]),
      )
      .map((prefix) => url.slice(prefix.length))
      .map((rest) => (rest.startsWith("/") ? rest : `/${rest}`));
    if (longest === undefined) return url;
    if (others.length === 0 || isThere(longest)) return longest;
    return others.find(isThere) ?? longest;
  };
}
