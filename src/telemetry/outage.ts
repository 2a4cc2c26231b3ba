import { rootOf } from "../lib/root-of.ts";
import type { Logger } from "./logger.ts";

/** Whether something that the service depends on is there, told to the log: one line when it goes, one when it is back. */
export interface Outage {
  readonly name: string;
  /**
   * It cannot be used; `error` is its cause, told in full at DEBUG. However often: one line an outage. `askedMs`: when that
   * was asked of it (`performance.now()`); what failed because it was away before is no news once it is back.
   */
  lost(why: string, error?: unknown, askedMs?: number): void;
  /** It can be used. Cheap while nothing is wrong. */
  back(): void;
  readonly isAway: boolean;
}

/** It has been back for so long before that is said; longer for one that comes and goes. */
const settleMs = 1_000;
const maxSettleMs = 60_000;
/** One that was back for so long begins anew. */
const steadyMs = 60_000;

/** By log and name: whoever notices first tells it, and what others notice is no news. */
const outages = new WeakMap<Logger, Map<string, Outage>>();

/** The outage of this name in this log, the same for all who ask for it. */
export function outageOf(logger: Logger, name: string): Outage {
  const known = outages.get(logger) ?? new Map<string, Outage>();
  outages.set(logger, known);
  const outage = known.get(name) ?? createOutage(logger, name);
  known.set(name, outage);
  return outage;
}

function createOutage(logger: Logger, dependency: string): Outage {
  let sinceMs: number | null = null;
  let backMs = Number.NEGATIVE_INFINITY;
  /** When it could be used again, for the first time after an outage. */
  let usableMs = Number.NEGATIVE_INFINITY;
  let waitMs = settleMs;
  let settling: NodeJS.Timeout | undefined;

  const tellBack = (endedMs: number) => {
    settling = undefined;
    if (sinceMs === null) return;
    const seconds = Math.round((endedMs - sinceMs) / 100) / 10;
    sinceMs = null;
    backMs = performance.now();
    logger.info({ dependency, seconds }, `${dependency} is back`);
  };

  return {
    name: dependency,
    get isAway() {
      return sinceMs !== null;
    },
    lost(why, error, askedMs = Number.POSITIVE_INFINITY) {
      if (error !== undefined) logger.debug({ dependency, err: error }, `${dependency}: ${why}`);
      if (askedMs <= usableMs) return;
      clearTimeout(settling);
      settling = undefined;
      if (sinceMs !== null) return;
      const nowMs = performance.now();
      const isRelapse = nowMs - backMs < steadyMs;
      waitMs = isRelapse ? Math.min(maxSettleMs, waitMs * 2) : settleMs;
      sinceMs = nowMs;
      logger.warn({ dependency }, `${dependency} is away: ${why}; trying again`);
    },
    back() {
      if (sinceMs === null || settling !== undefined) return;
      usableMs = performance.now();
      settling = setTimeout(tellBack, waitMs, usableMs);
      settling.unref();
    },
  };
}

/** The innermost reason of an error, for `lost`: the system's code where there is one. */
export function whyOf(error: unknown): string {
  const { code, message } = rootOf(error);
  return code === "" || message.includes(code) ? message : `${message} (${code})`;
}
