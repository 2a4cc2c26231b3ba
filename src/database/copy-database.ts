import { StartFault } from "../problems/start-fault.ts";
import type { Database, Queryable } from "./database.ts";

/** What nodes agree on among themselves, what each database knows of itself, and what is made anew of the rest. */
const ownTables = new Set([
  "rounds",
  "schema_migrations",
  "message_search",
  "session_events",
  "session_event_counters",
  "search_backfill",
  "search_queue",
  "session_search",
  "stored_bytes",
]);
/** Files are of many mebibytes, and twice as long as text. */
const batchOfFiles = 4;
const batch = 50;

interface Table {
  readonly name: string;
  readonly hasFiles: boolean;
}

/**
 * Everything of one database into another that has the same migrations and nothing in it; all or nothing. Returns how many
 * rows of which table. Raises StartFault where something is there already.
 */
export async function copyDatabase(
  from: Database,
  to: Database,
): Promise<Readonly<Record<string, number>>> {
  return from.transaction((source) =>
    to.transaction(async (target) => {
      await target.execute("SET LOCAL statement_timeout = 0");
      await target.execute("SET LOCAL chat.quiet = 'on'");
      const tables = await tablesOf(source);
      for (const { name } of tables) {
        const { rows } = await target.query(`SELECT 1 FROM "${name}" LIMIT 1`);
        if (rows.length > 0) {
          throw new StartFault(
            "The database to move to holds conversations already: name an empty one in DATABASE_URL",
          );
        }
      }
      const copied: Record<string, number> = {};
      for (const table of tables) copied[table.name] = await copyTable(source, target, table);
      return copied;
    }),
  );
}

/** Each after those that it refers to. */
async function tablesOf(source: Queryable): Promise<readonly Table[]> {
  const { rows } = await source.query<Table & { readonly needs: readonly string[] }>(
    `SELECT c.relname AS name,
       EXISTS (SELECT 1 FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.atttypid = 'bytea'::regtype AND NOT a.attisdropped) AS "hasFiles",
       ARRAY(SELECT p.relname::text FROM pg_constraint k JOIN pg_class p ON p.oid = k.confrelid
             WHERE k.contype = 'f' AND k.conrelid = c.oid AND p.oid <> c.oid) AS needs
     FROM pg_class c
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = current_schema()::regnamespace
     ORDER BY 1`,
  );
  const ordered: Table[] = [];
  let left = rows.filter(({ name }) => !ownTables.has(name));
  while (left.length > 0) {
    const next = left.filter(({ needs }) => !left.some(({ name }) => needs.includes(name)));
    if (next.length === 0) throw new Error("tables refer to each other in a circle");
    ordered.push(...next);
    left = left.filter((table) => !next.includes(table));
  }
  return ordered;
}

async function copyTable(
  source: Queryable,
  target: Queryable,
  { name, hasFiles }: Table,
): Promise<number> {
  await source.execute(`DECLARE moved CURSOR FOR SELECT to_jsonb(t)::text AS row FROM "${name}" t`);
  let count = 0;
  for (;;) {
    const { rows } = await source.query<{ row: string }>(
      `FETCH ${hasFiles ? batchOfFiles : batch} FROM moved`,
    );
    if (rows.length === 0) break;
    await target.query(
      `INSERT INTO "${name}" SELECT * FROM jsonb_populate_recordset(NULL::"${name}", $1::jsonb)`,
      [`[${rows.map(({ row }) => row).join(",")}]`],
    );
    count += rows.length;
  }
  await source.execute("CLOSE moved");
  return count;
}
