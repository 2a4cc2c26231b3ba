import { setTimeout as pause } from "node:timers/promises";
import type { Database, Queryable } from "../database/database.ts";
import { createOutbox, type ClaimedEntry } from "../database/outbox.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Job, JobHandlers, JobType } from "./job.ts";

/** How the jobs of this node stand, for health reports. */
interface JobsStatus {
  readonly done: number;
  /** Tries that failed; each is repeated. */
  readonly failed: number;
  readonly given_up: number;
}

/** Does what the rows of `jobs` ask for, at least once each, from any number of nodes at the same time. */
export interface Jobs {
  /** Part of the caller's transaction; `nudge` after its commit saves the wait. */
  insert(tx: Queryable, job: Job): Promise<void>;
  start(): void;
  /** There may be something new. */
  nudge(): void;
  /** Ends within about `handlerMs`; what was not done stays for other nodes. May be called twice. */
  stop(): Promise<void>;
  status(): JobsStatus;
}

interface JobsOptions {
  readonly database: Database;
  readonly handlers: JobHandlers;
  readonly logger: Logger;
  /** How often is looked when nothing is heard of. */
  readonly pollMs?: number;
  /** Tries of one job; with the pauses between them about ten days. */
  readonly maxAttempts?: number;
}

const batchSize = 8;
/** A handler that takes longer has failed; the claim lasts longer than that. */
const handlerMs = 30_000;
const claimMs = 60_000;
const purgeEveryMs = 60 * 60_000;

export function createJobs(options: JobsOptions): Jobs {
  const { database, handlers, logger, pollMs = 5_000, maxAttempts = 250 } = options;
  const jobs = createOutbox("jobs");
  const stopping = new AbortController();
  let waiting = new AbortController();
  let isNudged = false;
  let running: Promise<void> | null = null;
  let nextPurgeMs = 0;
  let isAway = false;
  const counts = { done: 0, failed: 0, given_up: 0 };

  const handle = async (entry: ClaimedEntry): Promise<void> => {
    // Written by `insert`; an entry of a newer node's type waits for one that knows it.
    const handler = handlers[entry.type as JobType] as
      | ((data: unknown) => Promise<void>)
      | undefined;
    if (handler === undefined) throw new Error(`no handler for ${entry.type}`);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("took too long")), handlerMs);
    });
    try {
      await Promise.race([handler(entry.data), timeout]);
    } finally {
      clearTimeout(timer);
    }
  };

  const work = async (entry: ClaimedEntry): Promise<void> => {
    const { type, attempt } = entry;
    try {
      await handle(entry);
    } catch (error) {
      const fields = { job: type, ...idsOf(entry), attempt, err: error };
      if (attempt >= maxAttempts) {
        counts.given_up += 1;
        logger.error(fields, "a job is given up");
        return jobs.bury(database, entry, nameOf(error));
      }
      counts.failed += 1;
      // Once when it begins to fail, then only where somebody looks for it.
      if (attempt === 1) logger.warn(fields, "a job failed; it is tried again until it succeeds");
      else logger.debug(fields, "a job failed again");
      return jobs.retry(database, entry, retryDelayMs(attempt), nameOf(error));
    }
    counts.done += 1;
    await jobs.remove(database, entry.entryId);
  };

  const round = async (): Promise<number> => {
    const entries = await jobs.claim(database, batchSize, claimMs);
    const outcomes = await Promise.allSettled(entries.map(work));
    const fault = outcomes.find((outcome) => outcome.status === "rejected");
    if (fault !== undefined) throw fault.reason;
    if (performance.now() >= nextPurgeMs) {
      nextPurgeMs = performance.now() + purgeEveryMs;
      await jobs.purgeDead(database);
    }
    return entries.length;
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      isNudged = false;
      let claimed = 0;
      try {
        claimed = await round();
        isAway = false;
      } catch (error) {
        // The database is away: everything stays where it is.
        if (!isAway) logger.warn({ err: error }, "jobs cannot be looked for; trying again");
        isAway = true;
      }
      if (!isAway && (claimed === batchSize || isNudged)) continue;
      waiting = new AbortController();
      const signal = AbortSignal.any([waiting.signal, stopping.signal]);
      await pause(pollMs, undefined, { signal, ref: false }).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  };

  return {
    insert: (tx, job) => jobs.insert(tx, job),
    start() {
      if (!stopping.signal.aborted) running ??= run();
    },
    nudge() {
      isNudged = true;
      waiting.abort();
    },
    async stop() {
      stopping.abort();
      await running;
    },
    status: () => ({ ...counts }),
  };
}

/** Which rows it is about. */
function idsOf({ data }: ClaimedEntry): object {
  const { sessionId, replyId } = data;
  return { sessionId, ...(replyId !== undefined && { replyId }) };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}

/** Before the next try of a job that failed: 1 s, doubled each time up to an hour. */
export function retryDelayMs(attempt: number): number {
  return Math.min(60 * 60_000, 1_000 * 2 ** Math.min(attempt - 1, 20));
}
