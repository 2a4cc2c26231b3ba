import { Problem } from "../problems/problem.ts";
import { StartFault } from "../problems/start-fault.ts";
import { sqlState, type Database, type Queryable } from "./database.ts";
import {
  readStoreFile,
  StoreFileFault,
  type StoreCounts,
  type StoreHeader,
  type StoreRow,
} from "./store-file.ts";
import {
  batchLength,
  beginWriting,
  holdsAnything,
  removeRows,
  tablesOf,
  writeRows,
  type StoreRows,
  type StoreTable,
} from "./store-rows.ts";

const batchRows = 200;

export interface ImportedStore {
  readonly id: string;
  readonly tables: StoreCounts;
  /** An earlier run had come so far; 1: there was none. */
  readonly resumedBehindLine: number;
  /** What is there was counted, and is what the file has. */
  readonly verified: boolean;
}

/**
 * A file of a store into an empty database, in one transaction: for what comes once and cannot be read again. Raises
 * StartFault, with nothing left behind.
 */
export async function importStream(
  database: Database,
  migration: number,
  source: AsyncIterable<Buffer>,
): Promise<ImportedStore> {
  const { header, rows } = await readStoreFile(source);
  checkMigration(header, migration);
  let at: Batch | null = null;
  try {
    return await database.transaction(async (tx) => {
      const tables = await tablesOf(tx);
      await beginWriting(tx);
      await checkEmpty(tx, tables);
      const batches = batchesOf(rows, tables, 1);
      for (;;) {
        const { done, value } = await batches.next();
        if (done === true) {
          return {
            id: header.id,
            tables: value,
            resumedBehindLine: 1,
            ...(await verify(tx, value)),
          };
        }
        at = value;
        await writeRows(tx, value);
      }
    });
  } catch (error) {
    throw isOfData(error) ? notTaken(at, error) : error;
  }
}

/**
 * The same in steps, of a file that `open` opens from its beginning each time: it is read through before anything is
 * written, and whoever stops in the middle goes on there the next time. Until it is finished `checkWhole` says so. Raises
 * StartFault; a file that the database does not take leaves nothing behind.
 */
export async function importFile(
  database: Database,
  migration: number,
  open: () => AsyncIterable<Buffer>,
): Promise<ImportedStore> {
  const { header, rows: all } = await readStoreFile(open());
  checkMigration(header, migration);
  const tables = await tablesOf(database);
  for await (const row of all) tableOf(tables, row);
  const { id } = header;
  const resumedBehindLine = await begin(database, id, tables);
  let stored = resumedBehindLine;
  let at: Batch | null = null;
  try {
    const { rows } = await readStoreFile(open());
    const batches = batchesOf(rows, tables, stored);
    for (;;) {
      const { done, value } = await batches.next();
      if (done === true) {
        return await database.transaction(async (tx) => {
          await tx.query("DELETE FROM store_import WHERE file_id = $1", [id]);
          return { id, tables: value, resumedBehindLine, ...(await verify(tx, value)) };
        });
      }
      at = value;
      await database.transaction(async (tx) => {
        await beginWriting(tx);
        const { rowCount } = await tx.query(
          "UPDATE store_import SET line = $3 WHERE file_id = $1 AND line = $2",
          [id, stored, value.line],
        );
        if (rowCount === 0) throw new StartFault("Another process is importing into this database");
        await writeRows(tx, value);
      });
      stored = value.line;
    }
  } catch (error) {
    if (isOfData(error)) {
      const { rows } = await readStoreFile(open());
      await removeAll(database, id, batchesOf(rows, tables, 1), stored);
      throw notTaken(at, error);
    }
    if (!(error instanceof Problem)) throw error;
    throw new StartFault(
      {
        found: `The database cannot be written behind line ${stored} of the file (${String(error.cause ?? error.message)})`,
        remedy: "When it can, run the command again: it goes on there",
      },
      { cause: error },
    );
  }
}

/** Raises StartFault while only a part of a store is in the database. */
export async function checkWhole(database: Queryable): Promise<void> {
  const { rows } = await database.query<{ line: number }>("SELECT line FROM store_import");
  const [unfinished] = rows;
  if (unfinished === undefined) return;
  throw new StartFault({
    found: `The database holds part of a store: an import of it was interrupted behind line ${unfinished.line}`,
    remedy:
      "Run chat-service import with the same file again: it goes on there. Or take an empty database",
  });
}

/** Returns the line that is stored already. */
async function begin(
  database: Database,
  id: string,
  tables: readonly StoreTable[],
): Promise<number> {
  return database.transaction(async (tx) => {
    const { rowCount } = await tx.query(
      "INSERT INTO store_import (file_id, line) VALUES ($1, 1) ON CONFLICT DO NOTHING",
      [id],
    );
    if (rowCount > 0) {
      await checkEmpty(tx, tables);
      return 1;
    }
    const { rows } = await tx.query<{ file_id: string; line: number }>(
      "SELECT * FROM store_import",
    );
    if (rows[0]?.file_id !== id) {
      throw new StartFault(
        "The database holds part of another file: import that one to its end, or take an empty database",
      );
    }
    return rows[0].line;
  });
}

/** What has been stored of a file goes again, and nothing else. */
async function removeAll(
  database: Database,
  id: string,
  batches: AsyncGenerator<Batch>,
  stored: number,
): Promise<void> {
  for await (const batch of batches) {
    if (batch.firstLine > stored) break;
    await database.transaction(async (tx) => {
      await beginWriting(tx);
      await removeRows(tx, batch);
    });
  }
  await database.query("DELETE FROM store_import WHERE file_id = $1", [id]);
}

interface Batch extends StoreRows {
  readonly firstLine: number;
  /** The last one. */
  readonly line: number;
}

/** The rows behind a line, those of a table together. Returns how many there are of each in all. */
async function* batchesOf(
  rows: AsyncGenerator<StoreRow, StoreCounts>,
  tables: readonly StoreTable[],
  behindLine: number,
): AsyncGenerator<Batch, StoreCounts> {
  let batch: { table: StoreTable; rows: string[]; firstLine: number; line: number } | null = null;
  let length = 0;
  for (;;) {
    const { done, value } = await rows.next();
    if (done === true) {
      if (batch !== null) yield batch;
      return value;
    }
    if (value.line <= behindLine) continue;
    const isFull = length + value.row.length > batchLength || batch?.rows.length === batchRows;
    const table = tableOf(tables, value);
    if (batch !== null && (isFull || batch.table.name !== value.table)) {
      yield batch;
      batch = null;
    }
    if (batch === null) {
      batch = { table, rows: [], firstLine: value.line, line: value.line };
      length = 0;
    }
    batch.rows.push(value.row);
    batch.line = value.line;
    length += value.row.length;
  }
}

/** Where a row belongs. The database would pass over columns that it does not have, and leave out what is not there. */
function tableOf(
  tables: readonly StoreTable[],
  { table: name, columns, line }: StoreRow,
): StoreTable {
  const table = tables.find((each) => each.name === name);
  if (table === undefined) throw faulty(line, `no table of a store is called ${name}`);
  const unknown = columns.find((column) => !table.columns.includes(column));
  if (unknown !== undefined) throw faulty(line, `${name} has no column ${unknown}`);
  const missing = table.columns.find((column) => !columns.includes(column));
  if (missing !== undefined) throw faulty(line, `${name}.${missing} is missing`);
  return table;
}

function faulty(line: number, how: string): StoreFileFault {
  return new StoreFileFault(`Line ${line}: ${how}. Nothing of the file was kept`);
}

function checkMigration({ migration, service_version }: StoreHeader, here: number): void {
  if (migration === here) return;
  throw new StartFault(
    `The file was made at migration ${migration}, by version ${service_version} of the service, and this database is at ` +
      `${here}. Import it with the version that made it; a newer one then brings the database up to date`,
  );
}

async function checkEmpty(tx: Queryable, tables: readonly StoreTable[]): Promise<void> {
  if (!(await holdsAnything(tx, tables))) return;
  throw new StartFault("The database holds something already: import into an empty one");
}

async function verify(tx: Queryable, counts: StoreCounts): Promise<{ readonly verified: boolean }> {
  for (const [table, count] of Object.entries(counts)) {
    const { rows } = await tx.query<{ count: number }>(`SELECT count(*) AS count FROM "${table}"`);
    if (rows[0]?.count !== count) return { verified: false };
  }
  return { verified: true };
}

/** The file's fault, and not that of a database which is away. */
function isOfData(error: unknown): boolean {
  return error instanceof StoreFileFault || /^(2[0-9A-Z]|42|54|P0)/.test(sqlState(error) ?? "");
}

function notTaken(batch: Batch | null, error: unknown): unknown {
  if (error instanceof StoreFileFault || batch === null) return error;
  const { firstLine, line } = batch;
  const where = firstLine === line ? `line ${line}` : `one of the lines ${firstLine} to ${line}`;
  return new StoreFileFault(
    `The database does not take ${where} (${(error as Error).message}). Nothing of the file was kept`,
    { cause: error },
  );
}
