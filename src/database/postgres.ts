import { Socket } from "node:net";
import pg from "pg";
import { ownCertificate, type OwnCertificate } from "../lib/certificates.ts";
import type { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
import {
  CommitUnanswered,
  sqlState,
  type Database,
  type Queryable,
  type QueryResult,
  type Row,
} from "./database.ts";
import { inTransaction, TransactionFailed, type Together } from "./in-transaction.ts";
import { runTogether, type Named } from "./run-together.ts";
import { hasUnavailableState, storageUnavailable } from "./unavailable.ts";

interface PostgresOptions {
  readonly url: string;
  /** Upper bound of connections: `pool_size` + `max_overflow`; idle ones above none are closed after 30 s. */
  readonly maxConnections: number;
  readonly poolTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  /** PgBouncer in transaction mode keeps no session state: no named statements, no session parameters. */
  readonly pooler: "none" | "pgbouncer";
  readonly log: Logger;
}

type Query = (
  sql: string,
  params?: readonly unknown[],
  timeoutMs?: number,
) => Promise<pg.QueryResult>;

/** A connection of the pool that somebody has for a while. */
interface Lent {
  readonly query: Query;
  readonly together: Together;
  isLost: boolean;
}

interface Prepared {
  /** Absent: it is parsed anew each time. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
}

/**
 * Whatever is the rule in this database or for this login: what waits for a lock sees what was committed meanwhile. With
 * any other level it fails, because of what it has waited for.
 */
const seeingCommitted = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";

const int8 = 20;
/** The longest that a timer can be set to; zero would be the pool's own. */
const noTimeoutMs = 2 ** 31 - 1;

/** A PostgreSQL server (14 or newer). Connections are opened lazily; an unreachable server shows at the first query. */
export function createPostgresDatabase(options: PostgresOptions): Database {
  const { log, pooler, statementTimeoutMs } = options;
  const pool = new pg.Pool({
    connectionString: withCertificate(options.url, ownCertificate()),
    max: options.maxConnections,
    // One limit for both waits: for a free connection and for opening one.
    connectionTimeoutMillis: Math.max(options.poolTimeoutMs, options.connectTimeoutMs),
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: "chat-service",
    // Statements that do not wait for each other are one round trip, and one write.
    pipeline: true,
    stream: () => writingAtOnce(new Socket()),
    ...(statementTimeoutMs > 0 && {
      // The client's own limit also covers a server that has gone silent; the server's is sent as a start-up parameter,
      // which PgBouncer refuses.
      query_timeout: statementTimeoutMs + 1_000,
      ...(pooler === "none" && { statement_timeout: statementTimeoutMs }),
    }),
    types: {
      getTypeParser: ((oid: number, format?: "text") =>
        oid === int8 ? Number : pg.types.getTypeParser(oid, format)) as never,
    },
  });
  // Whether that means anything shows when the next one is opened.
  pool.on("error", (error) => log.debug({ err: error }, "idle database connection lost"));
  pool.on("connect", (client) => {
    // A checked-out connection that breaks between two queries emits on the client itself.
    client.on("error", () => {});
    // Goes out with what is asked first, which fails where this does. (A pooler would keep it for others.)
    if (pooler === "none") client.query(seeingCommitted).catch(() => undefined);
  });

  const names = new Map<string, string>();
  /** Named statements are parsed once a connection (3 × the throughput); SQL texts are constants, so the map stays small. */
  const prepare = (sql: string, params: readonly unknown[]): Prepared => {
    if (pooler !== "none" || params.length === 0) return { text: sql, values: [...params] };
    let name = names.get(sql);
    if (name === undefined) {
      name = `s${names.size}`;
      names.set(sql, name);
    }
    return { name, text: sql, values: [...params] };
  };

  /** Names of statements that a connection's server has parsed. */
  const known = new WeakMap<pg.PoolClient, Set<string>>();
  const knownOf = (client: pg.PoolClient): Set<string> => {
    const names = known.get(client) ?? new Set();
    known.set(client, names);
    return names;
  };

  /** A connection for as long as `work` takes. One that is of no use any more is closed instead of given back. */
  const lend = async <T>(work: (lent: Lent) => Promise<T>): Promise<T> => {
    const client = await pool.connect().catch((error: unknown) => {
      // The pool tells in the same words that a server does not answer.
      const isFull = pool.totalCount >= options.maxConnections && poolTimeout.test(String(error));
      throw isFull ? storageUnavailable(allInUse(), "connections") : translate(error);
    });
    const fail = (error: unknown): never => {
      lent.isLost ||= endsConnection(error);
      throw translate(error);
    };
    const lent: Lent = {
      isLost: false,
      async query(text, params = [], timeoutMs) {
        const statement = prepare(text, params);
        const result = await client
          .query({ ...statement, ...(timeoutMs !== undefined && { query_timeout: timeoutMs }) })
          .catch(fail);
        if (statement.name !== undefined) knownOf(client).add(statement.name);
        return result;
      },
      together(statements) {
        const prepared = statements.map(([text, params = []]) => prepare(text, params));
        // One that is parsed for the first time could be refused: then nobody knows which of them the server has parsed.
        const isKnown = ({ name }: Prepared) => name !== undefined && knownOf(client).has(name);
        if (!prepared.every(isKnown)) return null;
        return runTogether(client, prepared as Named[], statementTimeoutMs).catch(fail);
      },
    };
    try {
      return await work(lent);
    } finally {
      client.release(lent.isLost);
    }
  };

  const queryable = (query: Query): Queryable => ({
    async query<R = Row>(sql: string, params?: readonly unknown[]): Promise<QueryResult<R>> {
      const { rows, rowCount } = await query(sql, params);
      return { rows: rows as R[], rowCount: rowCount ?? 0 };
    },
    async execute(sql) {
      await query(sql, [], noTimeoutMs);
    },
  });

  let closing: Promise<void> | undefined;
  return {
    kind: "postgres",
    ...queryable((...statement) => lend((lent) => lent.query(...statement))),
    transaction: (work) =>
      lend(async (lent) => {
        try {
          return await inTransaction(queryable(lent.query), work, lent.together);
        } catch (failure) {
          if (!(failure instanceof TransactionFailed)) throw failure;
          const { cause, isOver } = failure;
          if (lent.isLost) throw isOver ? commitUnanswered(cause) : cause;
          if (!isOver) {
            await lent.query("ROLLBACK").catch(() => {
              lent.isLost = true;
            });
          }
          throw cause;
        }
      }),
    executeAlone: (sql) =>
      lend(async (lent) => {
        // A pooler keeps it for no one, and is sent no limit that would have to be lifted.
        if (pooler === "none") await lent.query("SET statement_timeout = 0");
        try {
          await lent.query(sql, [], noTimeoutMs);
        } finally {
          // Nobody else gets a connection without a limit.
          lent.isLost = true;
        }
      }),
    async ping() {
      const { rows } = await lend((lent) =>
        lent.query(
          "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS refuses",
        ),
      );
      // After a fail-over, or switched off by whoever watches its disk: it answers, and nothing can be stored.
      if (rows[0]?.["refuses"] === true) {
        throw storageUnavailable(new Error("the server is read-only"));
      }
    },
    describe: () => ({
      driver: "PostgreSQL",
      pool: { open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount },
    }),
    close() {
      closing ??= pool.end();
      return closing;
    },
  };
}

/** What is written to it in one turn of the event loop goes out together. */
function writingAtOnce(socket: Socket): Socket {
  // Connecting gives a socket the `write` of its class.
  return socket.once("connect", () => {
    const write = socket.write.bind(socket) as (...given: unknown[]) => boolean;
    let isHeld = false;
    socket.write = (...given: unknown[]) => {
      if (!isHeld) {
        isHeld = true;
        socket.cork();
        process.nextTick(() => {
          isHeld = false;
          socket.uncork();
        });
      }
      return write(...given);
    };
  });
}

/**
 * The URL with this process's certificate where it names none itself. The driver verifies servers in all modes but
 * `no-verify`, and would write a warning past the log about those in which libpq does not.
 */
export function withCertificate(text: string, own: OwnCertificate | null): string {
  const url = new URL(text);
  const parameters = url.searchParams;
  const isOn = /^(true|1)$/.test(parameters.get("ssl") ?? "");
  const mode = parameters.get("sslmode") ?? (isOn ? "verify-full" : "disable");
  if (mode === "disable") return text;
  if (mode !== "no-verify" && parameters.get("uselibpqcompat") !== "true") {
    parameters.set("sslmode", "verify-full");
  }
  if (own !== null && !parameters.has("sslcert")) {
    parameters.set("sslcert", own.certFile);
    parameters.set("sslkey", own.keyFile);
  }
  return url.href;
}

function commitUnanswered(error: unknown): Problem {
  const cause = new CommitUnanswered("the connection was lost after COMMIT", { cause: error });
  return storageUnavailable(cause);
}

const unavailableCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
]);
const poolTimeout = /timeout exceeded/i;
/** Instead of the pool's own error, whose words are what is logged of an outage. */
const allInUse = () =>
  new Error("all connections of the pool are in use (database.pool_size, database.max_overflow)");

const unavailableMessages =
  /connection terminated|timeout exceeded|query read timeout|not queryable|client was closed/i;

function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (hasUnavailableState(error)) return true;
  if ("code" in error && unavailableCodes.has(String(error.code))) return true;
  // Node raises an AggregateError for a host name with several dead addresses.
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  return unavailableMessages.test(error.message);
}

/**
 * Of a connection that has failed, that the server closes, that leads to a server which has become a stand-by, or on which
 * the server has forgotten a statement that it had parsed: only on a new one is it parsed again.
 */
const lostStates = /^(08|57P|25006|26000)/;

/**
 * Whether the connection is of no use after this error. What the server answers to a statement leaves it as it was; to
 * open another one for each would be a storm of connections when the server is busiest.
 */
function endsConnection(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || lostStates.test(state) || isStale(error);
}

/** A table has changed under a statement that was parsed before. By its state alone it could be much else. */
function isStale(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.routine === "RevalidateCachedQuery";
}

function translate(error: unknown): unknown {
  return isUnavailable(error) ? storageUnavailable(error) : error;
}
