import { AgentInterrupted } from "../agent-backend.ts";
import { CircuitOpen } from "../../lib/circuit-breaker.ts";
import { Problem } from "../../problems/problem.ts";

export type UpstreamFault =
  /** Nothing was sent: refused, no such host, TLS, connect time-out. */
  | "unreachable"
  /** An answer with a status outside 200..299; see `status`. */
  | "status"
  | "headers_timeout"
  | "first_event_timeout"
  | "idle_timeout"
  | "total_timeout"
  /** The connection ended in the middle of an exchange. */
  | "broken"
  /** More than is taken of one event or one body. */
  | "too_large"
  /** Not the format that was asked for. */
  | "malformed"
  /** It says itself, in its own format, that it failed. */
  | "failed";

interface UpstreamErrorOptions {
  readonly status?: number;
  /** At most 4 KiB of the answer. */
  readonly bodyExcerpt?: string;
  readonly retryAfterSeconds?: number;
  /** For time-outs: the limit that was reached. */
  readonly limitMs?: number;
  /** Where the answer sends to, such as with a redirect. */
  readonly location?: string;
  /** The connection had been used before and broke before any byte of this answer. */
  readonly wasStale?: boolean;
  readonly cause?: unknown;
}

/**
 * A fault of an exchange with a peer. It is the `cause` of the Problem that callers see and goes to the log: so its
 * message never repeats what the peer wrote, which may echo a key or a user's message. Adapters that must look closer
 * read `bodyExcerpt`.
 */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";
  readonly fault: UpstreamFault;
  readonly status: number | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly limitMs: number | undefined;
  readonly wasStale: boolean;
  /** Private, so that no serializer prints it. */
  readonly #bodyExcerpt: string;
  readonly #location: string | undefined;

  constructor(fault: UpstreamFault, message: string, options: UpstreamErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.fault = fault;
    this.status = options.status;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.limitMs = options.limitMs;
    this.wasStale = options.wasStale ?? false;
    this.#bodyExcerpt = options.bodyExcerpt ?? "";
    this.#location = options.location;
  }

  /** What follows from something being away, which whoever watches it tells the log. */
  get isOutage(): boolean {
    return this.fault === "unreachable";
  }

  get location(): string | undefined {
    return this.#location;
  }

  /** The first 4 KiB of an error answer. For decisions only: neither for callers nor for the log. */
  get bodyExcerpt(): string {
    return this.#bodyExcerpt;
  }
}

/** The `UpstreamError` behind what an upstream raised, if there is one. */
export function upstreamErrorOf(error: unknown): UpstreamError | null {
  if (error instanceof UpstreamError) return error;
  if (error instanceof Error && error.cause instanceof UpstreamError) return error.cause;
  return null;
}

/** Said with 429 by who has run out of money: no wait will help. */
const outOfCredit =
  /insufficient[_ ](quota|balance|credits?|funds)|exceeded your current quota|billing|credit balance/i;

/** Worth another try: overloaded or restarting, as opposed to broken or unpaid. */
export function isTransient(fault: UpstreamError): boolean {
  return isTransientStatus(fault.status) && !outOfCredit.test(fault.bodyExcerpt);
}

/** Overloaded or restarting, as opposed to broken: worth another try. */
function isTransientStatus(status: number | undefined): boolean {
  return status === 429 || status === 502 || status === 503 || status === 504 || status === 529;
}

/**
 * What callers are told about a fault. Anything that is no fault of a peer (a bug, an abort reason) is returned as it
 * is. With `begun` a broken connection is an `AgentInterrupted`: what had arrived stays valid.
 */
export function toProblem(error: unknown, agentId: string, begun: boolean): unknown {
  if (error instanceof CircuitOpen) {
    return new Problem(
      "agent_unavailable",
      { agentId },
      { retryAfterSeconds: Math.max(1, Math.ceil(error.retryAfterMs / 1000)), cause: error },
    );
  }
  if (!(error instanceof UpstreamError)) return error;
  switch (error.fault) {
    case "unreachable":
      return new Problem("agent_unavailable", { agentId }, { retryAfterSeconds: 5, cause: error });
    case "headers_timeout":
    case "first_event_timeout":
    case "idle_timeout":
    case "total_timeout":
      return new Problem(
        "agent_timeout",
        { agentId, seconds: Math.round((error.limitMs ?? 0) / 100) / 10 },
        { cause: error },
      );
    case "broken":
      return begun
        ? new AgentInterrupted("the connection to the agent broke", { cause: error })
        : new Problem("agent_failed", { agentId }, { cause: error });
    case "status":
      return isTransient(error)
        ? new Problem(
            "agent_unavailable",
            { agentId },
            { retryAfterSeconds: error.retryAfterSeconds ?? 5, cause: error },
          )
        : new Problem("agent_failed", { agentId }, { cause: error });
    case "too_large":
    case "malformed":
    case "failed":
      return new Problem("agent_failed", { agentId }, { cause: error });
  }
}
