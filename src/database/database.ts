/** A row as the drivers return it; each query names the shape it selects. */
export type Row = Record<string, unknown>;

export interface QueryResult<R> {
  readonly rows: R[];
  /** Rows returned, or for a statement without RETURNING the rows affected. */
  readonly rowCount: number;
}

/**
 * Something SQL can be sent to: the database, or a transaction on it. PostgreSQL's dialect with `$1`
 * parameters in both drivers. JSON parameters are passed as strings and cast (`$1::jsonb`); `timestamptz`
 * comes back as Date, `jsonb` parsed, `bigint` as number (the service stores none above 2^53).
 *
 * Raises `storage_unavailable` when the server cannot be reached or is out of connections; SQL faults
 * (constraint violations and the like) keep the driver's error with its `code` (SQLSTATE).
 */
export interface Queryable {
  query<R = Row>(sql: string, params?: readonly unknown[]): Promise<QueryResult<R>>;
  /** Runs several statements without parameters, for as long as they take, as migrations need. */
  execute(sql: string): Promise<void>;
}

/** A transaction, for those who do not end it. */
export interface OpenTransaction extends Queryable {
  /** The same as `query` for a statement whose answer nobody needs; its failure is that of the transaction. */
  ask(sql: string, params?: readonly unknown[]): void;
}

export interface Transaction extends OpenTransaction {
  /**
   * What was asked so far is all of it: the COMMIT goes out behind it, in the same round trip, and nothing may be asked any
   * more. For statements that are to be kept whatever they come to; what one of them raises rolls back all the same.
   */
  commit(): void;
}

export interface Database extends Queryable {
  readonly kind: "embedded" | "postgres";
  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it throws. Keep it short and
   * never await anything but `tx` inside: embedded storage has a single connection, and a server's pool is small.
   * Statements are sent as they are asked, in that order: those whose answers do not depend on each other may be asked
   * together. That saves round trips. Where the answer to the COMMIT was lost, the problem's cause is CommitUnanswered.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** One statement that must be in no transaction, for as long as it takes. */
  executeAlone(sql: string): Promise<void>;
  /** A round trip, for health probes. Raises storage_unavailable, also where nothing may be written. */
  ping(): Promise<void>;
  /** What a probe may show: driver, server version, pool figures. No addresses, no credentials. */
  describe(): Record<string, unknown>;
  /** Waits for running queries, then releases everything. May be called twice. */
  close(): Promise<void>;
}

/** SQLSTATE of a driver error, or undefined. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code)
    ? error.code
    : undefined;
}

/**
 * The cause of a `storage_unavailable` that a transaction raises when its COMMIT was sent and never answered: it may be
 * committed, or not.
 */
export class CommitUnanswered extends Error {
  override readonly name = "CommitUnanswered";
}
