import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
import { outageOf, whyOf } from "../telemetry/outage.ts";

/** What a look at a dependency found; `details` goes to callers: no addresses, no credentials, no driver texts. */
export interface ProbeOutcome {
  readonly status: "healthy" | "unhealthy";
  readonly details: Readonly<Record<string, unknown>>;
}

/** Looks at one dependency. Gives up when `signal` aborts; what it throws counts as unhealthy and goes to the log. */
export type Probe = (signal: AbortSignal) => Promise<ProbeOutcome>;

export interface ProbeReport {
  readonly status: "healthy" | "unhealthy" | "disabled";
  /** Of the last look; null where there was none. */
  readonly latency_ms: number | null;
  readonly details: Readonly<Record<string, unknown>>;
}

interface WatchedProbeOptions {
  readonly name: string;
  /** Null: not configured. */
  readonly probe: Probe | null;
  readonly timeoutMs: number;
  /** A report is given again for so long. */
  readonly cacheMs?: number;
  /** The same for a healthy one, where that stays true for longer. */
  readonly healthyCacheMs?: number;
  /** Sources of agents tell their outages themselves, each of their servers for itself. */
  readonly isToldElsewhere?: boolean;
  readonly logger: Logger;
  readonly onReport?: (report: ProbeReport) => void;
  /** A monotonic clock, for tests. */
  readonly now?: () => number;
}

/** A look that ignores its signal is left alone for so long before another one starts. */
const abandonedMs = 60_000;

/**
 * A probe that cannot become a load: one look at a time for all who ask, its report kept for a second, an answer within
 * `timeoutMs` even when the look hangs. Changes between healthy and unhealthy go to the log. Never raises.
 */
export function createWatchedProbe(options: WatchedProbeOptions): () => Promise<ProbeReport> {
  const { name, probe, timeoutMs, logger } = options;
  const { cacheMs = 1_000, healthyCacheMs = cacheMs, now = () => performance.now() } = options;
  if (probe === null) {
    const disabled: ProbeReport = { status: "disabled", latency_ms: null, details: {} };
    return () => Promise.resolve(disabled);
  }
  const outage = outageOf(logger, name);
  let report: ProbeReport | null = null;
  let reportedMs = 0;
  let asking: Promise<ProbeReport> | null = null;
  /** When the look still under way was started. */
  let lookingSinceMs: number | null = null;

  const look = async (): Promise<ProbeReport> => {
    const askedMs = performance.now();
    const startedMs = now();
    lookingSinceMs = startedMs;
    const timeout = new AbortController();
    const timedOut = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const reason = new DOMException(`no answer in ${timeoutMs} ms`, "TimeoutError");
      timeout.abort(reason);
      timedOut.reject(reason);
    }, timeoutMs);
    let cause: unknown;
    let outcome: ProbeOutcome;
    try {
      const looking = probe(timeout.signal).finally(() => {
        if (lookingSinceMs === startedMs) lookingSinceMs = null;
      });
      outcome = await Promise.race([looking, timedOut.promise]);
    } catch (error) {
      cause = error;
      outcome = { status: "unhealthy", details: { reason: reasonOf(error) } };
    } finally {
      clearTimeout(timer);
    }
    const next = { ...outcome, latency_ms: Math.round((now() - startedMs) * 10) / 10 };
    if (next.status === "healthy") outage.back();
    else if (options.isToldElsewhere !== true) outage.lost(wordsOf(next, cause), cause, askedMs);
    report = next;
    reportedMs = now();
    options.onReport?.(next);
    return next;
  };

  return () => {
    const keptMs = report?.status === "healthy" ? healthyCacheMs : cacheMs;
    const isFresh = report !== null && now() - reportedMs < keptMs;
    const isHanging = lookingSinceMs !== null && now() - lookingSinceMs < abandonedMs;
    if (report !== null && (isFresh || (isHanging && asking === null))) {
      return Promise.resolve(report);
    }
    asking ??= look().finally(() => {
      asking = null;
    });
    return asking;
  };
}

/** For the log: what the look has found, with what mends it. */
function wordsOf({ details }: ProbeReport, cause: unknown): string {
  if (cause !== undefined) return whyOf(cause);
  const { reason, remedy, ...others } = details;
  const found = typeof reason === "string" ? reason : JSON.stringify(others);
  return typeof remedy === "string" ? `${found}. ${remedy}` : found;
}

/** A stable word for callers; the rest of the error is for the log. */
function reasonOf(error: unknown): string {
  if (error instanceof Problem) return error.type;
  return error instanceof DOMException && error.name === "TimeoutError" ? "timeout" : "failed";
}
