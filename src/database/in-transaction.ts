import type { Queryable, Transaction } from "./database.ts";

/** How far a transaction had come when it failed. */
export class TransactionFailed extends Error {
  override readonly name = "TransactionFailed";
  /** COMMIT was sent: whatever it did, the transaction is over. */
  readonly isOver: boolean;

  constructor(cause: unknown, isOver: boolean) {
    super("transaction failed", { cause });
    this.isOver = isOver;
  }
}

/**
 * Runs `work` between BEGIN and COMMIT. Statements go out as they are asked, without waiting for the answers of those
 * before them; one that nobody waits for fails the transaction all the same. Raises TransactionFailed, with what went
 * wrong as its cause; rolling back is left to the caller.
 */
export async function inTransaction<T>(
  on: Queryable,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const unanswered = new Set<Promise<unknown>>();
  const tracked = <A>(answer: Promise<A>): Promise<A> => {
    unanswered.add(answer);
    // What has failed stays.
    answer.then(
      () => unanswered.delete(answer),
      () => undefined,
    );
    return answer;
  };
  let isOver = false;
  try {
    void tracked(on.query("BEGIN"));
    const commit = () => {
      if (!isOver) void tracked(on.query("COMMIT"));
      isOver = true;
    };
    const result = await work({
      query: (...statement) => tracked(on.query(...statement)),
      execute: (sql) => tracked(on.execute(sql)),
      commit,
    });
    commit();
    // A COMMIT behind something that has failed rolls back, and says nothing of it.
    await Promise.all(unanswered);
    return result;
  } catch (error) {
    throw new TransactionFailed(error, isOver);
  }
}
