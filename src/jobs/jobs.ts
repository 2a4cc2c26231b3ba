import { setTimeout as pause } from "node:timers/promises";
import type { Database, Queryable } from "../database/database.ts";
import { createOutbox, type ClaimedEntry } from "../database/outbox.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Again, Job, JobHandlers, JobType, WritingData } from "./job.ts";

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
  /** Types without one stay for nodes that have one. */
  readonly handlers: Partial<JobHandlers>;
  readonly logger: Logger;
  /** How often is looked when nothing is heard of. */
  readonly pollMs?: number;
  /** Tries of one job; with the pauses between them about ten days. */
  readonly maxAttempts?: number;
}

/** What takes its time does not hold up what is soon done. */
interface LaneSettings {
  readonly types: readonly JobType[];
  readonly batchSize: number;
  /** A handler that takes longer has failed. */
  readonly handlerMs: number;
  /** When this node ends: its handlers are told to end at once, or waited for. */
  readonly atEnd: "cut" | "wait";
}

const lanes: readonly LaneSettings[] = [
  {
    types: ["abandon-run", "forget-session", "forget-memories"],
    batchSize: 8,
    handlerMs: 30_000,
    atEnd: "wait",
  },
  { types: ["summary", "title"], batchSize: 4, handlerMs: 15 * 60_000, atEnd: "cut" },
];

/** A claim lasts so long, and is renewed as long as its handler is at work: of a node that dies others take it over. */
const claimMs = 60_000;
const renewMs = 20_000;
const purgeEveryMs = 60 * 60_000;

export function createJobs(options: JobsOptions): Jobs {
  const entries = createOutbox("jobs");
  const counts = { done: 0, failed: 0, given_up: 0 };
  const working = lanes.flatMap((lane) => {
    const types = lane.types.filter((type) => options.handlers[type] !== undefined);
    return types.length === 0 ? [] : [createLane({ ...options, ...lane, types }, counts)];
  });
  return {
    insert: (tx, job) => entries.insert(tx, { type: job.type, data: { ...job.data } }),
    start() {
      for (const lane of working) lane.start();
    },
    nudge() {
      for (const lane of working) lane.nudge();
    },
    async stop() {
      await Promise.all(working.map((lane) => lane.stop()));
    },
    status: () => ({ ...counts }),
  };
}

function createLane(
  options: JobsOptions & LaneSettings,
  counts: { done: number; failed: number; given_up: number },
) {
  const { database, handlers, logger, pollMs = 5_000, maxAttempts = 250 } = options;
  const { types, batchSize, handlerMs, atEnd } = options;
  const jobs = createOutbox("jobs", undefined, types);
  const stopping = new AbortController();
  let waiting = new AbortController();
  let isNudged = false;
  let running: Promise<void> | null = null;
  let nextPurgeMs = 0;
  let isAway = false;

  const handle = async (entry: ClaimedEntry): Promise<Again | void> => {
    // Only types with a handler are claimed, with what `insert` has written for it.
    const handler = handlers[entry.type as JobType] as JobHandlers["title"] | undefined;
    if (handler === undefined) throw new Error(`no handler for ${entry.type}`);
    const tooLong = new AbortController();
    const signal =
      atEnd === "cut" ? AbortSignal.any([tooLong.signal, stopping.signal]) : tooLong.signal;
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const error = new Error("took too long");
      tooLong.abort(error);
      timeout.reject(error);
    }, handlerMs);
    const renewal = setInterval(() => {
      jobs.extend(database, entry, claimMs).catch((error: unknown) => {
        logger.debug({ job: entry.type, err: error }, "the claim of a job could not be renewed");
      });
    }, renewMs);
    try {
      const data = entry.data as unknown as WritingData;
      return await Promise.race([handler(data, signal), timeout.promise]);
    } finally {
      clearTimeout(timer);
      clearInterval(renewal);
    }
  };

  const work = async (entry: ClaimedEntry): Promise<void> => {
    const { type, attempt } = entry;
    let again: Again | void;
    try {
      again = await handle(entry);
    } catch (error) {
      // Nothing is wrong with it: another node does it, or this one when it is back.
      if (atEnd === "cut" && stopping.signal.aborted) return jobs.release(database, entry);
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
    if (again) await jobs.again(database, entry, { ...again.data }, again.inMs);
    else await jobs.remove(database, entry.entryId);
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
