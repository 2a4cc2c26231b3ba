import { createHash } from "node:crypto";
import { StartFault } from "../problems/start-fault.ts";
import { isId, newId } from "../lib/ids.ts";
import type { Queryable } from "./database.ts";
import { readStore } from "./store-rows.ts";

const format = "chat-service-store";
const version = 1;
/** What a text can hold at all. */
const maxLineBytes = 2 ** 29 - 1024;
/** An embedded database does not survive some thousands of them. */
const maxLevels = 2_000;

/** The first line. */
export interface StoreHeader {
  readonly format: typeof format;
  readonly version: number;
  readonly id: string;
  /** The newest one of the database that it was made of. */
  readonly migration: number;
  readonly service_version: string;
  readonly exported_at: string;
}

/** The last line: of each table how many rows, and the SHA-256 of all lines before it. */
interface StoreEnd {
  readonly end: typeof format;
  readonly tables: StoreCounts;
  readonly sha256: string;
}

export type StoreCounts = Readonly<Record<string, number>>;

export interface StoreRow {
  /** From 1; the header is the first. */
  readonly line: number;
  readonly table: string;
  /** JSON, as it stands there: an object. */
  readonly row: string;
  readonly columns: readonly string[];
}

/** What is read is no whole file of a store. */
export class StoreFileFault extends StartFault {
  override readonly name = "StoreFileFault";
}

export interface ExportedStore {
  readonly id: string;
  readonly migration: number;
  readonly tables: StoreCounts;
}

/** A database as a file, while it is read: JSON Lines, some at a time. `tx` as for `readStore`. */
export async function* storeLines(
  tx: Queryable,
  migration: number,
  serviceVersion: string,
): AsyncGenerator<string, ExportedStore> {
  const hash = createHash("sha256");
  const hashed = (lines: string) => {
    hash.update(lines);
    return lines;
  };
  const id = newId();
  const header: StoreHeader = {
    format,
    version,
    id,
    migration,
    service_version: serviceVersion,
    exported_at: new Date().toISOString(),
  };
  yield hashed(`${JSON.stringify(header)}\n`);
  const tables: Record<string, number> = {};
  for await (const { table, rows } of readStore(tx)) {
    tables[table.name] = (tables[table.name] ?? 0) + rows.length;
    yield hashed(rows.map((row) => `{"table":"${table.name}","row":${row}}\n`).join(""));
  }
  const end: StoreEnd = { end: format, tables, sha256: hash.digest("hex") };
  yield `${JSON.stringify(end)}\n`;
  return { id, migration, tables };
}

/**
 * Reads such a file: its header at once, then the rows. Raises StoreFileFault at what is none, and at the end of the rows
 * when it is not whole: until then a row may be anything.
 */
export async function readStoreFile(source: AsyncIterable<Buffer>): Promise<{
  readonly header: StoreHeader;
  readonly rows: AsyncGenerator<StoreRow, StoreCounts>;
}> {
  const lines = linesOf(source);
  const first = await lines.next();
  const header = first.done ? null : (parsed(first.value.toString()) as StoreHeader | null);
  if (first.done || header?.format !== format) {
    throw new StoreFileFault("This is no file of chat-service export --all");
  }
  if (!isId(header.id) || !Number.isInteger(header.migration)) {
    throw damaged("its first line does not say which file it is");
  }
  if (header.version !== version) {
    throw new StoreFileFault(
      `The file is of version ${header.version} of its format, and this version of the service knows ${version}`,
    );
  }
  const hash = createHash("sha256").update(first.value);
  return { header, rows: rowsOf(lines, hash) };
}

async function* rowsOf(
  lines: AsyncGenerator<Buffer>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<StoreRow, StoreCounts> {
  const counts: Record<string, number> = {};
  let line = 1;
  for await (const bytes of lines) {
    line += 1;
    const text = bytes.toString();
    const [, table, row] = /^\{"table":"(\w+)","row":(\{.*\})\}\n$/s.exec(text) ?? [];
    if (table === undefined || row === undefined) {
      const end = parsed(text) as StoreEnd | null;
      if (end?.end !== format) throw damaged(`line ${line} is no row of a table`);
      if (end.sha256 !== hash.digest("hex"))
        throw damaged("its lines are not those it was made of");
      const said = new Map(Object.entries(end.tables ?? {}));
      const isCounted = (name: string) => said.get(name) === counts[name];
      if (![...said.keys(), ...Object.keys(counts)].every(isCounted)) {
        throw damaged("it does not have as many rows as it says");
      }
      if ((await lines.next()).done !== true)
        throw damaged("something stands behind its last line");
      return counts;
    }
    const value = parsed(row);
    if (value === null) throw damaged(`line ${line} is no JSON`);
    if (isDeep(value)) throw damaged(`line ${line} has more than ${maxLevels} levels`);
    hash.update(bytes);
    counts[table] = (counts[table] ?? 0) + 1;
    yield { line, table, row, columns: Object.keys(value) };
  }
  throw damaged(`it ends at line ${line} and was cut off`);
}

function damaged(how: string): StoreFileFault {
  return new StoreFileFault(`The file is damaged: ${how}. Nothing of it was kept`);
}

function parsed(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/** Level by level, so that it needs no stack. */
function isDeep(value: object): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxLevels) return true;
    level = level.flatMap((each) =>
      typeof each === "object" && each !== null ? Object.values(each) : [],
    );
  }
  return false;
}

/** With their ends. What stands behind the last one comes too. */
async function* linesOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let length = 0;
  let line = 1;
  for await (const chunk of source) {
    for (let from = 0; from < chunk.length;) {
      const end = chunk.indexOf(10, from);
      const piece = chunk.subarray(from, end === -1 ? chunk.length : end + 1);
      from += piece.length;
      pieces.push(piece);
      length += piece.length;
      if (length > maxLineBytes) throw damaged(`line ${line} is longer than any that is written`);
      if (end === -1) continue;
      yield pieces.length === 1 ? piece : Buffer.concat(pieces);
      pieces = [];
      length = 0;
      line += 1;
    }
  }
  if (length > 0) yield Buffer.concat(pieces);
}
