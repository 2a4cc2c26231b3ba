import pg from "pg";
import type { QueryResult, Row } from "./database.ts";

/** A statement that the server has parsed for this connection. */
export interface Named {
  readonly name: string;
  readonly values: unknown[];
}

const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): string } })
  .utils;

/**
 * Runs statements one after the other as one transaction, without BEGIN and COMMIT: the server takes everything up to one
 * Sync for that (in PostgreSQL's documentation: "Pipelining"). Each sees what was committed before it began. Where one
 * fails, nothing of them stays. At most `timeoutMs` for each; 0: no limit.
 */
export function runTogether(
  client: pg.ClientBase,
  statements: readonly Named[],
  timeoutMs: number,
): Promise<readonly QueryResult<Row>[]> {
  return new Promise((resolve, reject) => {
    const sequence = new Sequence(statements, timeoutMs * statements.length, (error, results) => {
      if (error) reject(error);
      else
        resolve([results].flat().map(({ rows, rowCount }) => ({ rows, rowCount: rowCount ?? 0 })));
    });
    client.query(sequence);
  });
}

/** To the driver it is one query that has several results. */
class Sequence extends pg.Query {
  readonly #statements: readonly Named[];
  readonly query_timeout: number | undefined;

  constructor(
    statements: readonly Named[],
    timeoutMs: number,
    callback: (error: Error | undefined, results: pg.QueryResult | pg.QueryResult[]) => void,
  ) {
    super({ text: "", values: [] }, callback as never);
    this.#statements = statements;
    this.query_timeout = timeoutMs > 0 ? timeoutMs + 1_000 : undefined;
  }

  override submit = (connection: pg.Connection): void => {
    for (const { name: statement, values } of this.#statements) {
      connection.bind({ statement, values, valueMapper: prepareValue } as never, true);
      connection.describe({ type: "P", name: "" }, true);
      connection.execute({}, true);
    }
    connection.sync();
  };
}
