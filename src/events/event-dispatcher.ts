import { setTimeout as pause } from "node:timers/promises";
import type { Database } from "../database/database.ts";
import type { Logger } from "../telemetry/logger.ts";
import { outageOf } from "../telemetry/outage.ts";
import type { ClaimedEntry, Outbox } from "../database/outbox.ts";
import type { Webhook } from "./webhook.ts";

/** How the deliveries of this node stand, for `/health/detailed`. */
interface EventsStatus {
  readonly delivered: number;
  readonly given_up: number;
  /** Looks at the outbox, not deliveries. */
  readonly failures_in_a_row: number;
  readonly last_success_at: string | null;
  /** Why the last delivery failed; nothing that the receiver sent. */
  readonly problem: string | null;
}

/**
 * Delivers what the outbox holds, at least once each, from any number of nodes at the same time. Receivers tell
 * repetitions by the event's id; the order is about that of the happenings, without promise.
 */
export interface EventDispatcher {
  start(): void;
  /** There may be something new. Only makes the next look sooner. */
  nudge(): void;
  /** Ends within about 2 s plus a statement; what was not delivered stays for other nodes. May be called twice. */
  stop(): Promise<void>;
  status(): EventsStatus;
}

interface EventDispatcherOptions {
  readonly database: Database;
  readonly outbox: Outbox;
  readonly webhook: Webhook;
  readonly log: Logger;
  /** What the receiver is called in the log. */
  readonly name?: string;
  /** How often the outbox is looked into when nothing is heard of. */
  readonly pollMs?: number;
  /** Deliveries of one event before it is given up; with the pauses between them about half a day. */
  readonly maxAttempts?: number;
  /** 0..1, for the jitter. */
  readonly random?: () => number;
}

const batchSize = 32;
const concurrency = 8;
/** Longer than a whole batch can take: 4 rounds of the webhook's 10 s. */
const claimMs = 60_000;
const stopGraceMs = 2_000;
const purgeEveryMs = 60 * 60_000;

export function createEventDispatcher({
  database,
  outbox,
  webhook,
  log,
  name = "the receiver of events",
  pollMs = 2_000,
  maxAttempts = 20,
  random = Math.random,
}: EventDispatcherOptions): EventDispatcher {
  const abandoning = new AbortController();
  let running: Promise<void> | null = null;
  const stopping = new AbortController();
  let waiting = new AbortController();
  let nudged = false;
  let delivered = 0;
  let givenUp = 0;
  let failuresInRow = 0;
  let lastSuccessAt: string | null = null;
  let problem: string | null = null;
  let databaseAway = false;
  const outage = outageOf(log, name);
  let nextPurgeAtMs = 0;

  /** After each round that did something: the pauses grow with rounds, not with what went wrong in one of them. */
  function settle(fault: string | null, someArrived: boolean): void {
    if (fault === null) outage.back();
    // Without the database nothing is known of the receiver.
    else if (!databaseAway) outage.lost(fault);
    problem = fault;
    // Where some arrived the receiver is there, and only one event is not to its taste.
    failuresInRow = fault === null ? 0 : someArrived ? 1 : failuresInRow + 1;
  }

  /** Null when it was delivered, else why not. */
  async function deliver(event: ClaimedEntry): Promise<string | null> {
    const { entryId: eventId, type: eventType, attempt } = event;
    const delivery = await webhook.deliver(event, abandoning.signal);
    if (delivery.outcome === "delivered") {
      await outbox.remove(database, eventId);
      delivered++;
      lastSuccessAt = new Date().toISOString();
      return null;
    }
    if (delivery.final || attempt >= maxAttempts) {
      await outbox.bury(database, event, delivery.problem);
      givenUp++;
      log.error({ eventId, eventType, attempt, problem: delivery.problem }, "event given up");
    } else {
      const delayMs = Math.max(retryDelayMs(attempt, random()), delivery.retryAfterMs ?? 0);
      await outbox.retry(database, event, delayMs, delivery.problem);
    }
    return delivery.problem;
  }

  /** How many were claimed. The first failure ends the round: the rest goes back without having counted. */
  async function round(): Promise<number> {
    // While the receiver is away a single event finds out when it is back.
    const events = await outbox.claim(database, failuresInRow > 0 ? 1 : batchSize, claimMs);
    const left = [...events];
    const before = delivered;
    let fault: string | null = null;
    const work = async (): Promise<void> => {
      while (fault === null && !stopping.signal.aborted) {
        const event = left.shift();
        if (event === undefined) return;
        try {
          fault = (await deliver(event)) ?? fault;
        } catch (error) {
          fault ??= nameOf(error);
          left.push(event);
          throw error;
        }
      }
    };
    const outcomes = await Promise.allSettled(Array.from({ length: concurrency }, work));
    for (const event of left) await outbox.release(database, event);
    const thrown = outcomes.find((outcome) => outcome.status === "rejected");
    if (thrown !== undefined && !stopping.signal.aborted) throw thrown.reason;
    // An empty round tells nothing about the receiver, but that the database is there.
    if (events.length > 0 || databaseAway) settle(fault, delivered > before);
    databaseAway = false;
    return events.length;
  }

  async function purge(): Promise<void> {
    if (performance.now() < nextPurgeAtMs) return;
    nextPurgeAtMs = performance.now() + purgeEveryMs;
    await outbox.purgeDead(database);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let claimed = 0;
      nudged = false;
      try {
        claimed = await round();
        await purge();
      } catch (error) {
        // The database is away: everything stays where it is.
        databaseAway = true;
        settle(nameOf(error), false);
        log.debug({ err: error }, "outbox cannot be used");
      }
      if (failuresInRow === 0 && (claimed === batchSize || nudged)) continue;
      await rest(failuresInRow === 0 ? pollMs : outagePauseMs(failuresInRow, pollMs, random()));
    }
  }

  async function rest(milliseconds: number): Promise<void> {
    waiting = new AbortController();
    const signal = AbortSignal.any([waiting.signal, stopping.signal]);
    try {
      await pause(milliseconds, undefined, { signal, ref: false });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async function end(): Promise<void> {
    stopping.abort();
    if (running === null) return;
    const patience = setTimeout(() => abandoning.abort(), stopGraceMs);
    await running;
    clearTimeout(patience);
  }

  let ended: Promise<void> | null = null;
  return {
    start() {
      if (!stopping.signal.aborted) running ??= run();
    },
    nudge() {
      if (failuresInRow > 0) return;
      nudged = true;
      waiting.abort();
    },
    stop() {
      ended ??= end();
      return ended;
    },
    status: () => ({
      delivered,
      given_up: givenUp,
      failures_in_a_row: failuresInRow,
      last_success_at: lastSuccessAt,
      problem,
    }),
  };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}

/** Before the next delivery of an event that failed: 5 s, doubled each time up to an hour, a quarter of it jitter. */
export function retryDelayMs(attempt: number, random: number): number {
  return Math.min(60 * 60_000, 5_000 * 2 ** Math.min(attempt - 1, 20)) * (0.75 + 0.25 * random);
}

/** Between looks while nothing can be delivered: `pollMs`, doubled each time up to a minute. */
export function outagePauseMs(failuresInRow: number, pollMs: number, random: number): number {
  return Math.min(60_000, pollMs * 2 ** Math.min(failuresInRow - 1, 20)) * (0.75 + 0.25 * random);
}
