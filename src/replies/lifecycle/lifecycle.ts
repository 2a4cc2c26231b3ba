import { CommitUnanswered, sqlState, type Database } from "../../database/database.ts";
import { ignoreEvent, type RecordEvent } from "../../events/business-event.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { Problem } from "../../problems/problem.ts";
import type { Change, Transition } from "./transition.ts";

export type Lifecycle = ReturnType<typeof createLifecycle>;

interface LifecycleOptions {
  readonly database: Database;
  readonly jobs: Pick<Jobs, "insert" | "nudge">;
  readonly recordEvent: RecordEvent;
  /** Something was written: whoever looks for what is new need not wait. */
  readonly onCommitted?: () => void;
}

/** Deadlocks and the like: the transaction gave way to another one, and nothing of it has happened. */
const gaveWay = /^40/;
const maxRepeats = 2;

/**
 * The one way in which replies change their state: a transaction that locks the session, changes the rows and writes
 * down what must not be lost. When it resolves, that is committed and the effects may be performed; nothing is told,
 * counted or logged before.
 */
export function createLifecycle(options: LifecycleOptions) {
  const { database, jobs, recordEvent, onCommitted } = options;
  return {
    /**
     * Raises what the transition refuses, and `storage_unavailable`. A commit whose answer was lost is tried again, and
     * then has the result and the effects of the first; a transaction that gave way to another one is tried again too.
     * `isRepeat`: the caller has tried it before himself.
     */
    async run<Input, Result>(
      transition: Transition<Input, Result>,
      input: Input,
      isRepeat = false,
    ): Promise<Change<Result>> {
      /** What a try came to that may have been committed, with jobs of its own. */
      let unanswered: Change<Result> | null = null;
      let tried: Change<Result> | null = null;
      const once = (again: boolean) =>
        database.transaction(async (tx) => {
          const change = await transition.apply(tx, input, again, unanswered);
          tried = change;
          await Promise.all([
            ...(change.jobs ?? []).map((job) => jobs.insert(tx, job)),
            ...(change.events ?? []).map((event) => recordEvent(tx, event)),
          ]);
          return change;
        });
      // What other services are told needs a statement more.
      const simple = recordEvent === ignoreEvent ? transition.atOnce?.(input) : null;
      const atOnce = async () => {
        if (!simple) return null;
        try {
          return await database.transaction((tx) => {
            const change = simple(tx);
            tx.commit();
            return change;
          });
        } catch (error) {
          const refusal = error instanceof Problem ? undefined : sqlState(error);
          if (refusal === undefined || gaveWay.test(refusal)) throw error;
          // By the database, and nothing of it has happened: it may be what only the short form does.
          return null;
        }
      };
      const attempt = async (again: boolean, triesLeft: number): Promise<Change<Result>> => {
        try {
          return (again ? null : await atOnce()) ?? (await once(again));
        } catch (error) {
          if (triesLeft === 0) throw error;
          if (error instanceof Problem && error.cause instanceof CommitUnanswered) {
            unanswered = tried;
            return attempt(true, triesLeft - 1);
          }
          if (gaveWay.test(sqlState(error) ?? "")) return attempt(again, triesLeft - 1);
          throw error;
        }
      };
      const change = await attempt(isRepeat, maxRepeats);
      if (unanswered !== null || (change.jobs ?? []).length > 0) jobs.nudge();
      onCommitted?.();
      return change;
    },
  };
}
