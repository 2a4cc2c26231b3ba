import {
  sqlState,
  type Queryable,
  type QueryResult,
  type Row,
  type Transaction,
} from "./database.ts";

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

/** SQLSTATE of all that is asked behind what failed. */
const inFailedTransaction = "25P02";

type Statement = Parameters<Queryable["query"]>;

/** Several statements that are a transaction by themselves. Null: they cannot be sent like that. */
export type Together = (
  statements: readonly Statement[],
) => Promise<readonly QueryResult<Row>[]> | null;

/** Asked before anything was sent. */
interface Held {
  readonly statement: Statement;
  readonly answer: (result: Promise<QueryResult<Row>>) => void;
}

/**
 * Runs `work` between BEGIN and COMMIT, or `together` where it asks for everything and commits before it waits. Statements
 * go out as they are asked, without waiting for the answers of those before them; one that nobody waits for fails the
 * transaction all the same. Raises TransactionFailed, with what went wrong as its cause; rolling back is left to the caller.
 */
export async function inTransaction<T>(
  on: Queryable,
  work: (tx: Transaction) => Promise<T>,
  together: Together = () => null,
): Promise<T> {
  const unanswered = new Set<Promise<unknown>>();
  /** In order: whatever is asked behind the first fails because of it. */
  const failures: unknown[] = [];
  const tracked = <A>(answer: Promise<A>): Promise<A> => {
    unanswered.add(answer);
    // What has failed stays.
    answer.then(
      () => unanswered.delete(answer),
      (error: unknown) => failures.push(error),
    );
    return answer;
  };
  let isOver = false;
  /** Null: BEGIN was sent. */
  let held: Held[] | null = [];
  const begin = () => {
    if (held === null) return;
    const before = held;
    held = null;
    ask("BEGIN");
    for (const { statement, answer } of before) answer(on.query(...statement));
  };
  const query = (...statement: Statement): Promise<QueryResult<Row>> => {
    if (held === null) return tracked(on.query(...statement));
    const { promise, resolve } = Promise.withResolvers<QueryResult<Row>>();
    held.push({ statement, answer: resolve });
    return tracked(promise);
  };
  const ask = (...statement: Statement): void => {
    // Whoever fails the transaction has kept it.
    query(...statement).catch(() => undefined);
  };
  const commit = () => {
    if (isOver) return;
    const all = held ?? [];
    const answers = all.length > 0 ? together(all.map(({ statement }) => statement)) : null;
    if (answers === null) {
      begin();
      ask("COMMIT");
    } else {
      held = null;
      for (const [index, { answer }] of all.entries()) {
        answer(answers.then((results) => results[index] as QueryResult<Row>));
      }
    }
    isOver = true;
  };
  try {
    const working = work({
      query: query as Transaction["query"],
      ask,
      execute(sql) {
        begin();
        return tracked(on.execute(sql));
      },
      commit,
    });
    // It waits for something, or will not ask anything.
    begin();
    const result = await working;
    commit();
    // A COMMIT behind something that has failed rolls back, and says nothing of it.
    await Promise.all(unanswered);
    return result;
  } catch (error) {
    const cause = sqlState(error) === inFailedTransaction ? failures[0] : error;
    throw new TransactionFailed(cause, isOver);
  }
}
