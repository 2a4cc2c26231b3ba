import { CommitUnanswered, type Database } from "../../database/database.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { Problem } from "../../problems/problem.ts";
import type { Change, Transition } from "./transition.ts";

export type Lifecycle = ReturnType<typeof createLifecycle>;

interface LifecycleOptions {
  readonly database: Database;
  readonly jobs: Pick<Jobs, "insert" | "nudge">;
}

/**
 * The one way in which replies change their state: a transaction that locks the session, changes the rows and writes
 * down what must not be lost. When it resolves, that is committed and the effects may be performed; nothing is told,
 * counted or logged before.
 */
export function createLifecycle({ database, jobs }: LifecycleOptions) {
  return {
    /**
     * Raises what the transition refuses, and `storage_unavailable`. A commit whose answer was lost is tried once more,
     * and then has the result and the effects of the first. `isRepeat`: the caller has tried it before himself.
     */
    async run<Input, Result>(
      transition: Transition<Input, Result>,
      input: Input,
      isRepeat = false,
    ): Promise<Change<Result>> {
      const once = (again: boolean) =>
        database.transaction(async (tx) => {
          const change = await transition.apply(tx, input, again);
          for (const job of change.jobs ?? []) await jobs.insert(tx, job);
          return change;
        });
      const change = await once(isRepeat).catch((error: unknown) => {
        if (error instanceof Problem && error.cause instanceof CommitUnanswered) return once(true);
        throw error;
      });
      if (change.jobs !== undefined && change.jobs.length > 0) jobs.nudge();
      return change;
    },
  };
}
