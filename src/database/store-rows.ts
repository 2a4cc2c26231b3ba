import type { Queryable } from "./database.ts";

/** What nodes agree on among themselves, what each database knows of itself, and what is made anew of the rest. */
const ownTables = new Set([
  "api_key_changes",
  "rounds",
  "schema_migrations",
  "message_search",
  "session_events",
  "session_event_counters",
  "search_backfill",
  "search_queue",
  "session_counts",
  "session_search",
  "store_import",
  "stored_bytes",
]);
/**
 * A reply that is running belongs to a node: where its row goes there is none, and whoever comes first takes it over.
 */
const ofNobody: Readonly<Record<string, string>> = {
  "messages.lease_owner": "NULL::text",
  "messages.lease_until": "CASE WHEN t.lease_until IS NOT NULL THEN now() END",
};
const maxRows = 20;
/** About so much text at a time; a row of more comes alone. */
export const batchLength = 4 * 1024 * 1024;

export interface StoreTable {
  readonly name: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
  /** Files are of many mebibytes, and twice as long as text. */
  readonly hasFiles: boolean;
}

/** Rows of one table, each as PostgreSQL writes it as JSON: in one line, and no figure loses a digit. */
export interface StoreRows {
  readonly table: StoreTable;
  readonly rows: readonly string[];
}

/** All that a store is made of, each table after those that it refers to. */
export async function tablesOf(database: Queryable): Promise<readonly StoreTable[]> {
  const { rows } = await database.query<StoreTable & { readonly needs: readonly string[] }>(
    `SELECT c.relname AS name,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
       ARRAY(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
             WHERE i.indrelid = c.oid AND i.indisprimary) AS key,
       EXISTS (SELECT 1 FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.atttypid = 'bytea'::regtype AND NOT a.attisdropped) AS "hasFiles",
       ARRAY(SELECT p.relname::text FROM pg_constraint k JOIN pg_class p ON p.oid = k.confrelid
             WHERE k.contype = 'f' AND k.conrelid = c.oid AND p.oid <> c.oid) AS needs
     FROM pg_class c
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = current_schema()::regnamespace
     ORDER BY 1`,
  );
  const ordered: StoreTable[] = [];
  let left = rows.filter(({ name }) => !ownTables.has(name));
  while (left.length > 0) {
    const next = left.filter(({ needs }) => !left.some(({ name }) => needs.includes(name)));
    if (next.length === 0) throw new Error("tables refer to each other in a circle");
    ordered.push(...next);
    left = left.filter((table) => !next.includes(table));
  }
  return ordered;
}

/**
 * Everything, as of one moment. Has to be the first thing of its transaction, which nobody else may use meanwhile, and
 * takes as long as whoever reads it.
 */
export async function* readStore(tx: Queryable): AsyncGenerator<StoreRows> {
  await tx.execute(
    `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
     SET LOCAL statement_timeout = 0;
     SET LOCAL idle_in_transaction_session_timeout = 0`,
  );
  for (const table of await tablesOf(tx)) {
    const columns = table.columns.map((column) => {
      const given = ofNobody[`${table.name}.${column}`] ?? `t."${column}"`;
      return `${given} AS "${column}"`;
    });
    await tx.execute(
      `DECLARE store CURSOR FOR
       SELECT row_to_json(r)::text AS row FROM (SELECT ${columns.join(", ")} FROM "${table.name}" t) r`,
    );
    for (let count = table.hasFiles ? 1 : maxRows; ;) {
      const { rows } = await tx.query<{ row: string }>(`FETCH ${count} FROM store`);
      if (rows.length === 0) break;
      yield { table, rows: rows.map(({ row }) => row) };
      if (table.hasFiles) continue;
      const length = rows.reduce((sum, { row }) => sum + row.length, 0);
      const fitting = Math.floor((rows.length * batchLength) / length);
      count = Math.min(maxRows, Math.max(1, fitting));
    }
    await tx.execute("CLOSE store");
  }
}

/** For each transaction that writes what was read: nobody's devices are told, and it takes as long as it takes. */
export async function beginWriting(tx: Queryable): Promise<void> {
  await tx.execute("SET LOCAL statement_timeout = 0; SET LOCAL chat.quiet = 'on'");
}

export async function writeRows(tx: Queryable, { table: { name }, rows }: StoreRows) {
  await tx.query(
    `INSERT INTO "${name}" SELECT * FROM json_populate_recordset(NULL::"${name}", $1::json)`,
    [`[${rows.join(",")}]`],
  );
}

/** Those that are there, by their keys. */
export async function removeRows(tx: Queryable, { table: { name, key }, rows }: StoreRows) {
  const columns = key.map((column) => `"${column}"`).join(", ");
  await tx.query(
    `DELETE FROM "${name}"
     WHERE (${columns}) IN (SELECT ${columns} FROM json_populate_recordset(NULL::"${name}", $1::json))`,
    [`[${rows.join(",")}]`],
  );
}

export async function holdsAnything(tx: Queryable, tables: readonly StoreTable[]) {
  for (const { name } of tables) {
    const { rows } = await tx.query(`SELECT 1 FROM "${name}" LIMIT 1`);
    if (rows.length > 0) return true;
  }
  return false;
}
