import { Agent } from "undici";
import type { Logger } from "../../telemetry/logger.ts";
import {
  createCircuitBreaker,
  type CircuitBreaker,
  type CircuitState,
  type Permit,
} from "../../lib/circuit-breaker.ts";
import { createConnector } from "./connector.ts";
import { readBody } from "./body-reader.ts";
import { abortReason, type ExchangeOptions } from "./exchange.ts";
import {
  createServerSentEventParser,
  openEventReader,
  type CreateParser,
  type EventReader,
  type ServerSentEvent,
} from "./event-reader.ts";
import {
  encodeBody,
  lowerCased,
  parseBase,
  queryString,
  type QueryParameters,
  type RequestBody,
} from "./request-encoding.ts";
import { createRedirects } from "./redirects.ts";
import { retryDelayMs, sleep } from "./retry.ts";
import { isTransient, toProblem, UpstreamError } from "./upstream-error.ts";

export interface UpstreamOptions {
  /** Names the peer in the log. */
  readonly name: string;
  /** `http:` or `https:`; a path is put before every request's; a user and password are sent as Basic. */
  readonly baseUrl: string;
  /** Asked before each request, such as for a key. */
  readonly headers?: () => Readonly<Record<string, string>>;
  /**
   * The peer has answered 401 to a request with these headers and none of its own: true when they are others by now, and
   * it is worth asking once more.
   */
  readonly onUnauthorized?: () => boolean;
  readonly connectTimeoutMs?: number;
  readonly headersTimeoutMs?: number;
  /** From the start of a request to its first event. */
  readonly firstEventTimeoutMs?: number;
  /** Between one event or comment and the next. */
  readonly idleTimeoutMs: number;
  /** After the first try. */
  readonly maxRetries?: number;
  readonly log: Logger;
  /** Limit of one event; longer ones end the exchange in `agent_failed`. Default 1 MiB. */
  readonly maxEventBytes?: number;
  /** Limit of a body that `json` reads. Default 8 MiB. */
  readonly maxBodyBytes?: number;
  /** For tests: a monotonic clock in milliseconds, a number in [0, 1), a wait. */
  readonly now?: () => number;
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

interface UpstreamRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Begins with a slash; its parts are encoded by the caller. */
  readonly path: string;
  readonly query?: QueryParameters;
  readonly body?: RequestBody;
  /** Besides `content-type` (JSON for a string) and `accept`, which are set unless given. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** For the problem that callers see. */
  readonly agentId: string;
  /** Whether 429, 502, 503 and 504 may be answered by sending it again. Requests that never left are always retried. */
  readonly retryable?: boolean;
  /** Instead of the upstream's own; 0 for a probe. */
  readonly maxRetries?: number;
}

interface JsonRequest extends UpstreamRequest {
  /** For one try, from its start to the end of the body; default `headersTimeoutMs`. */
  readonly timeoutMs?: number;
  /** Default: true for GET. */
  readonly retryable?: boolean;
}

/** An answer that has begun. */
export interface EventStream<Event> {
  /** The events that have arrived first; null when it has ended without any. */
  readonly first: readonly Event[] | null;
  /** To be closed in any case. What it raises is not translated (`toProblem`). */
  readonly rest: Pick<EventReader<Event>, "next" | "close">;
}

/**
 * One HTTP peer: a pool of kept-alive connections, time-outs, safe retries, bounded memory and a circuit breaker.
 * Faults are raised as `agent_failed`, `agent_unavailable` or `agent_timeout` problems with an `UpstreamError`
 * (`upstreamErrorOf`) as cause, or as `AgentInterrupted` when the connection broke after the first event. An abort
 * closes the socket at once and raises the signal's reason.
 */
export interface Upstream {
  readonly name: string;
  readonly circuit: CircuitState;
  /** The parsed body; undefined when it is empty. */
  json<T = unknown>(request: JsonRequest): Promise<T>;
  /** Events until the peer ends the answer. Media types do not matter. Never retried once an event has arrived. */
  stream(request: UpstreamRequest): AsyncGenerator<ServerSentEvent, void, void>;
  /**
   * The same for who does without a generator, which costs time for each token, and reads the answer in a way of its
   * own. Resolves with the first events' arrival.
   */
  open<Event>(
    request: UpstreamRequest,
    createParser: CreateParser<Event>,
  ): Promise<EventStream<Event>>;
  /** Ends what is running and closes the connections. May be called twice. */
  close(): Promise<void>;
}

/** Redirects that are followed and dead connections that are passed over by one request; each of the latter closes one. */
const maxHops = 6;

export function createUpstream(options: UpstreamOptions): Upstream {
  const {
    name,
    connectTimeoutMs = 3_000,
    headersTimeoutMs = 15_000,
    firstEventTimeoutMs = 60_000,
    idleTimeoutMs,
    maxRetries = 2,
    log,
    maxEventBytes = 1024 * 1024,
    maxBodyBytes = 8 * 1024 * 1024,
    random = Math.random,
  } = options;
  const wait = options.sleep ?? sleep;
  const base = parseBase(name, options.baseUrl);
  const pool = new Agent({
    connect: createConnector(connectTimeoutMs),
    // The client's own time-outs are coarse (half a second); the exchange and its reader keep better ones.
    headersTimeout: 0,
    bodyTimeout: 0,
    // One socket per exchange: closing it stops the peer's work, and one exchange cannot hold up another.
    allowH2: false,
    pipelining: 1,
  });
  const redirects = createRedirects(name, log);
  const breaker: CircuitBreaker = createCircuitBreaker({
    ...(options.now ? { now: options.now } : {}),
    onStateChange(circuit, previous) {
      log.debug({ upstream: name, circuit, previous }, "circuit breaker changed");
    },
  });

  async function dispatchOptions(
    request: UpstreamRequest,
    accept: string,
  ): Promise<ExchangeOptions> {
    const encoded = await encodeBody(request.body);
    return {
      origin: base.origin,
      path: base.path + request.path + queryString(request.query),
      method: request.method,
      headers: {
        accept,
        ...base.headers,
        ...encoded.headers,
        ...lowerCased(options.headers?.()),
        ...lowerCased(request.headers),
      },
      body: encoded.body,
      headersTimeoutMs,
    };
  }

  /** Whether a refused request is to be sent again with a key that was changed meanwhile: nothing has come of it. */
  function hasNewKey(error: unknown, request: UpstreamRequest, hops: number): boolean {
    if (!(error instanceof UpstreamError) || error.status !== 401 || hops >= maxHops) return false;
    if ("authorization" in lowerCased(request.headers)) return false;
    return options.onUnauthorized?.() === true;
  }

  /**
   * Where the next try goes when this one was none: to the target of a redirect, or to another connection where the
   * peer had closed a kept one just when it was used again. Null: it has failed.
   */
  function elsewhere(
    error: unknown,
    current: ExchangeOptions,
    hops: number,
    request: JsonRequest,
  ): Partial<ExchangeOptions> | null {
    if (hops >= maxHops || request.signal.aborted) return null;
    const mayRepeat = request.retryable === true || request.method === "GET";
    if (mayRepeat && error instanceof UpstreamError && error.wasStale) return {};
    return redirects.targetOf(error, current);
  }

  /** Waits before the next try, or raises what this try ended with. */
  async function beforeRetry(
    error: unknown,
    tries: number,
    sent: boolean,
    request: JsonRequest,
  ): Promise<void> {
    if (request.signal.aborted) throw abortReason(request.signal);
    const limit = request.maxRetries ?? maxRetries;
    const safe =
      error instanceof UpstreamError &&
      (!sent ||
        (request.retryable === true && isTransient(error)) ||
        // A kept connection may be closed by the peer just when it is used again; asking twice changes nothing.
        (request.method === "GET" && error.fault === "broken"));
    const delayMs =
      safe && tries < limit ? retryDelayMs(tries, error.retryAfterSeconds, random) : null;
    if (delayMs === null) throw toProblem(error, request.agentId, false);
    const reason = error instanceof Error ? error.message : "";
    log.debug({ upstream: name, tries: tries + 1, delayMs, reason }, "upstream call is repeated");
    await wait(delayMs, request.signal);
  }

  async function json<T>(request: JsonRequest): Promise<T> {
    const retryable = request.retryable ?? request.method === "GET";
    const prepared = await dispatchOptions(request, "application/json");
    const timeoutMs = request.timeoutMs ?? headersTimeoutMs;
    for (let tries = 0, hops = 0; ;) {
      if (request.signal.aborted) throw abortReason(request.signal);
      const permit = enter(breaker, request.agentId);
      const body = readBody(pool, prepared, { timeoutMs, maxBodyBytes }, request.signal);
      try {
        const text = await body.text;
        permit.settle("success");
        return (text === "" ? undefined : parseJson(text)) as T;
      } catch (error) {
        settle(permit, error);
        const repeatable = { ...request, retryable };
        const target = hasNewKey(error, request, hops)
          ? await dispatchOptions(request, "application/json")
          : elsewhere(error, prepared, hops, repeatable);
        if (target) {
          Object.assign(prepared, target);
          hops += 1;
        } else {
          await beforeRetry(error, tries, body.sent(), repeatable);
          tries += 1;
        }
      }
    }
  }

  async function open<Event>(
    request: UpstreamRequest,
    createParser: CreateParser<Event>,
  ): Promise<EventStream<Event>> {
    const prepared = await dispatchOptions(request, "text/event-stream");
    const limits = { firstEventTimeoutMs, idleTimeoutMs, maxEventLength: maxEventBytes };
    for (let tries = 0, hops = 0; ;) {
      if (request.signal.aborted) throw abortReason(request.signal);
      const permit = enter(breaker, request.agentId);
      const reader = openEventReader(pool, prepared, limits, createParser, request.signal);
      let first: readonly Event[] | null;
      try {
        first = await reader.next();
      } catch (error) {
        reader.close();
        settle(permit, error);
        const target = hasNewKey(error, request, hops)
          ? await dispatchOptions(request, "text/event-stream")
          : elsewhere(error, prepared, hops, request);
        if (target) {
          Object.assign(prepared, target);
          hops += 1;
        } else {
          await beforeRetry(error, tries, reader.sent, request);
          tries += 1;
        }
        continue;
      }
      permit.settle("success");
      return { first, rest: reader };
    }
  }

  async function* stream(request: UpstreamRequest): AsyncGenerator<ServerSentEvent, void, void> {
    const { first, rest } = await open(request, createServerSentEventParser);
    try {
      for (let batch = first; batch; batch = await rest.next())
        for (const event of batch) yield event;
    } catch (error) {
      throw toProblem(error, request.agentId, true);
    } finally {
      rest.close();
    }
  }

  return {
    name,
    get circuit() {
      return breaker.state;
    },
    json,
    open,
    stream,
    async close() {
      if (!pool.destroyed) await pool.destroy();
    },
  };
}

function enter(breaker: CircuitBreaker, agentId: string): Permit {
  try {
    return breaker.enter();
  } catch (error) {
    throw toProblem(error, agentId, false);
  }
}

/** A peer that answers 4xx is at work; an abort says nothing about it. */
function settle(permit: Permit, error: unknown): void {
  if (!(error instanceof UpstreamError) || error.wasStale) permit.settle("neutral");
  else if (error.status !== undefined && error.status < 500) permit.settle("success");
  else permit.settle("failure");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which must not reach the log.
    throw new UpstreamError("malformed", "the answer is not JSON");
  }
}
