import type { ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import type { Rate, RateLimiter } from "../cache/rate-limiter.ts";
import type { Config } from "../config/settings.ts";
import { Shares } from "../lib/shares.ts";
import { Problem } from "../problems/problem.ts";
import { network } from "./address-limit.ts";
import { limitedUser } from "./caller.ts";
import { onceClosed } from "./gone-signal.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** To be called when the body has been dealt with, where its request goes on for long. */
    forgetBody: () => void;
    /** Its user is held to the share already. */
    isCounted: boolean;
    /**
     * Counts in the rates of its user what a request turns out to ask for, behind doors through which everything comes.
     * Raises `rate_limited`.
     */
    charge: (cost: Cost) => Promise<void>;
  }
}

type Kind = "read" | "search" | "write" | "speech";

/** What a request counts as in the rates of its user, and among what of its is worked on. */
interface Terms {
  readonly kind: (request: FastifyRequest) => Kind | null;
  readonly count: number;
  /** So many of the user's places it holds. None: what lives as long as a reply is bounded by the replies and viewers. */
  readonly places: number;
}

const terms = {
  read: { kind: () => "read", count: 1, places: 1 },
  /** Pages of up to a mebibyte; read, unless words are looked for. */
  list: { kind: ({ query }) => (isSearch(query) ? "search" : "read"), count: 1, places: 4 },
  search: { kind: () => "search", count: 1, places: 4 },
  write: { kind: () => "write", count: 1, places: 1 },
  /** Everything of a conversation, or of a user. */
  transfer: { kind: () => "search", count: 5, places: 4 },
  /** What is shared of a conversation, for anybody. */
  view: { kind: () => "read", count: 5, places: 4 },
  /** A file of conversations. */
  import: { kind: () => "write", count: 20, places: 4 },
  /** Up to a hundred sessions in one request. */
  bulk: { kind: () => "write", count: 20, places: 4 },
  steer: { kind: () => "write", count: 1, places: 0 },
  /** The text of an ended reply comes whole, twice. */
  follow: { kind: () => "read", count: 5, places: 0 },
  message: { kind: () => null, count: 1, places: 0 },
  /** What it asks for is charged when it is known. */
  call: { kind: () => "read", count: 1, places: 0 },
  speech: { kind: () => "speech", count: 1, places: 0 },
} satisfies Record<string, Terms>;

export type Cost = keyof typeof terms;

interface RequestLimitsOptions {
  /** Of every route that is not open to everybody, by method and pattern. */
  readonly costs: Readonly<Record<string, Cost>>;
  readonly limits: Config["limits"];
  /** Over all nodes: for what costs money. */
  readonly shared: RateLimiter;
  /** For what this node has to bear. */
  readonly local: RateLimiter;
  /** For what is received, over whatever door. */
  readonly room: Shares;
  /** A caller who takes nothing of an answer for this long is cut off. */
  readonly stallMs?: number;
}

/** A caller waits so long for a place or for room for a body. */
const patienceMs = 10_000;
/** Of one user's, on this node. Engines do a few sentences at a time, in the order in which they come. */
const speechAtOnce = 4;
/** More requests of one user than this do not even wait. */
const maxWaiting = 64;
/** Bodies below this are bounded by the connections there are. */
const smallBytes = 4 * 1024;
const minuteMs = 60_000;
/** So much of a minute's rate may come at once, and a sixth of it where that is more; the rest comes evenly. */
const leastBurst = 60;

/**
 * Holds each user to a share: of requests a minute by what they cost, of bytes sent a minute, of requests worked on at a
 * time, and of room for bodies. Callers who proved who they are, are held to it before their body is read; a name in a
 * body, once it is read. Nobody's name: the address. Administrators are held to it for the users whom they name only:
 * they are services that act for many.
 */
export function installRequestLimits(app: FastifyInstance, options: RequestLimitsOptions): void {
  const { costs, limits, shared, local, room, stallMs = 60_000 } = options;
  const rates: Readonly<Record<Kind, { limiter: RateLimiter; limit: number }>> = {
    read: { limiter: local, limit: limits.read_rate_limit },
    search: { limiter: local, limit: limits.search_rate_limit },
    write: { limiter: local, limit: limits.write_rate_limit },
    speech: { limiter: shared, limit: limits.speech_rate_limit },
  };
  const places = new Shares({
    total: Infinity,
    each: limits.max_concurrent_requests_per_user || Infinity,
    maxWaiting,
  });

  const speaking = new Shares({ total: Infinity, each: speechAtOnce, maxWaiting });

  requireCosts(app, costs);
  app.decorateRequest("forgetBody", function forgetNothing() {});
  app.decorateRequest("isCounted", false);

  const charge = async (request: FastifyRequest, who: string, cost: Cost) => {
    const { kind, count } = terms[cost];
    const rate = rates[kind(request) ?? "read"];
    if (kind(request) === null || rate.limit === 0) return;
    await take(rate.limiter, `${kind(request)}:${who}`, requestRate(rate.limit), count);
  };
  app.decorateRequest("charge", async function chargeUser(this: FastifyRequest, cost: Cost) {
    const who = provenUser(this) ?? namedUser(this);
    if (who !== null) await charge(this, who, cost);
  });

  const enter = async (request: FastifyRequest, reply: FastifyReply, who: string) => {
    const cost = costOf(request, costs) ?? "read";
    const { kind, places: held } = terms[cost];
    await charge(request, who, cost);
    const bytes = bodyBytes(request);
    if (bytes > 0 && limits.upload_rate_limit > 0) {
      const kibibytes = Math.ceil(limits.upload_rate_limit / 1024);
      const perMinute = { limit: kibibytes, periodMs: minuteMs };
      // A file of conversations may be larger than what there is a minute.
      const most = cost === "import" ? Math.ceil(kibibytes / 2) : Infinity;
      await take(local, `bytes:${who}`, perMinute, Math.min(most, Math.ceil(bytes / 1024)));
    }
    if (held > 0) await hold(places, who, held, reply, limited);
    if (kind(request) === "speech") await hold(speaking, who, 1, reply, limited);
  };

  // Before the body is read: that of a user who has sent enough is not.
  app.addHook("onRequest", async (request, reply) => {
    if (costOf(request, costs) === undefined) return;
    // Whose request it is may be said in its body.
    const who = request.identity?.actsForUsers === true ? null : provenUser(request);
    if (who !== null) await enter(request, reply, who);
    request.isCounted = who !== null;
    const bytes = bodyBytes(request);
    if (bytes > smallBytes) {
      // Whoever has proven nothing is held to what there is for all.
      request.forgetBody = await hold(room, who ?? request.id, bytes, reply, overloaded);
    }
  });
  app.addHook("preHandler", async (request, reply) => {
    if (costOf(request, costs) === undefined || request.isCounted) return;
    const who = provenUser(request) ?? namedUser(request);
    if (who !== null) await enter(request, reply, who);
  });
  app.addHook("onSend", ({ raw: { socket } }, reply, _payload, done) => {
    // What is injected has no connection.
    if (socket instanceof Socket) {
      socket.setTimeout(stallMs);
      // Before Node gives the connection its time to wait for the next request.
      reply.raw.prependOnceListener("finish", () => socket.setTimeout(0));
    }
    done();
  });
}

/** Takes a share until the answer is complete or its caller has gone; returns what gives it back before. */
async function hold(
  shares: Shares,
  who: string,
  amount: number,
  { raw }: FastifyReply,
  refusal: () => Problem,
): Promise<() => void> {
  const giveBack = shares.takeNow(who, amount) ?? (await takeLater(shares, who, amount, raw));
  if (giveBack === null) throw refusal();
  onceClosed(raw, giveBack);
  return giveBack;
}

/** Null: its caller has gone, or has waited long enough. */
async function takeLater(
  shares: Shares,
  who: string,
  amount: number,
  raw: ServerResponse,
): Promise<(() => void) | null> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), patienceMs);
  const leave = () => patience.abort();
  onceClosed(raw, leave);
  const giveBack = await shares.take(who, amount, patience.signal);
  clearTimeout(timer);
  raw.off("close", leave);
  return giveBack;
}

/** Of so many a minute. */
export function requestRate(limit: number): Rate {
  const burst = Math.max(Math.min(limit, leastBurst), Math.ceil(limit / 6));
  return { limit, periodMs: minuteMs, burst };
}

async function take(limiter: RateLimiter, key: string, rate: Rate, count: number): Promise<void> {
  const decision = await limiter.take(key, rate, count);
  if (!decision.allowed) throw limited(decision.retryAfterMs);
}

function limited(retryAfterMs = 1_000): Problem {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  return new Problem("rate_limited", { seconds }, { retryAfterSeconds: seconds });
}

function overloaded(): Problem {
  return new Problem("overloaded", {}, { retryAfterSeconds: 2 });
}

/** Fails the start when a route has no cost. */
function requireCosts(app: FastifyInstance, costs: Readonly<Record<string, Cost>>): void {
  const registered: RouteOptions[] = [];
  app.addHook("onRoute", (route) => void registered.push(route));
  app.addHook("onReady", async () => {
    const without = registered
      .filter(({ url, config }) => url !== "*" && config?.isPublic !== true)
      .flatMap(({ method, url }) =>
        (Array.isArray(method) ? method : [method]).map((name) => `${name} ${url}`),
      )
      .filter((route) => !(route.replace(/^HEAD /, "GET ") in costs));
    if (without.length > 0)
      throw new Error(`these routes say not what they cost: ${without.join(", ")}`);
  });
}

function costOf(
  { method, routeOptions }: FastifyRequest,
  costs: Readonly<Record<string, Cost>>,
): Cost | undefined {
  return costs[`${method === "HEAD" ? "GET" : method} ${routeOptions.url}`];
}

/** Null for one who has proven nothing, and for administrators. */
function provenUser({ identity }: FastifyRequest): string | null {
  const user = limitedUser(identity);
  return user === null ? null : `user ${user}`;
}

/** Null for an administrator who names nobody. What is open to everybody is nobody's, whoever is named. */
function namedUser(request: FastifyRequest): string | null {
  const { identity, body, query, params, ip, routeOptions } = request;
  const isOpen = routeOptions.config.isPublic === true;
  for (const part of isOpen ? [] : [body, query, params]) {
    const named = (part as { user_id?: unknown } | null | undefined)?.user_id;
    if (typeof named === "string") return `user ${named}`;
  }
  return identity === null ? `address ${network(ip)}` : null;
}

/** What a request says it will bring; as much as it may where it does not say. */
function bodyBytes({ headers, routeOptions }: FastifyRequest): number {
  if (headers["content-length"] !== undefined) return Number(headers["content-length"]);
  return headers["transfer-encoding"] === undefined ? 0 : (routeOptions.bodyLimit ?? 0);
}

function isSearch(query: unknown): boolean {
  return typeof (query as { q?: unknown }).q === "string";
}
