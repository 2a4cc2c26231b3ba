import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEmbedded, startDatabases } from "../../test/support/databases.ts";
import { contentOf, fillDatabase } from "../../test/support/filled-database.ts";
import { newId } from "../lib/ids.ts";
import type { Database } from "./database.ts";
import { checkWhole, importFile, importStream } from "./import-store.ts";
import { readStoreFile, storeLines } from "./store-file.ts";

const databases = await startDatabases();
const migration = 7;
let content: unknown;
/** Of a whole file, without their ends: the header, rows, and what it says at its end. */
let lines: string[];
beforeAll(async () => {
  const from = await openEmbedded();
  await fillDatabase(from);
  content = await contentOf(from);
  lines = (await exported(from)).trimEnd().split("\n");
  await from.close();
});
afterAll(() => databases.stop());

async function exported(from: Database): Promise<string> {
  const texts: string[] = [];
  await from.transaction(async (tx) => {
    for await (const text of storeLines(tx, migration, "1.2.3")) texts.push(text);
  });
  return texts.join("");
}

/** As it comes from a disk, in pieces that end anywhere. */
async function* pieces(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; from += 1_000) yield bytes.subarray(from, from + 1_000);
}

const whole = (of: readonly string[] = lines) => `${of.join("\n")}\n`;

/** With rows of one's own, and an end that tells of them. */
function withRows(change: (rows: string[]) => string[], more: object = {}): string {
  const [first = "", ...rest] = lines;
  const header = JSON.stringify({ ...(JSON.parse(first) as object), ...more });
  const rows = change(rest.slice(0, -1));
  const tables: Record<string, number> = {};
  for (const row of rows) {
    const [, table = ""] = /"table":"(\w+)"/.exec(row) ?? [];
    tables[table] = (tables[table] ?? 0) + 1;
  }
  const before = whole([header, ...rows]);
  const sha256 = createHash("sha256").update(before).digest("hex");
  return `${before}${JSON.stringify({ end: "chat-service-store", tables, sha256 })}\n`;
}

const rowOf = (table: string) => lines.findIndex((line) => line.includes(`{"table":"${table}"`));

/** What is wrong, the file, and what is said of it. */
const wrong: readonly (readonly [string, () => string, RegExp])[] = [
  ["nothing", () => "", /no file of chat-service export --all/],
  ["something else", () => '{"type":"export"}\n', /no file of chat-service export --all/],
  ["a list", () => "[]\n", /no file of chat-service export --all/],
  ["bytes", () => "\0\u{1F600}\n".repeat(9), /no file of chat-service export --all/],
  [
    "a later format",
    () => whole().replace('"version":1', '"version":2'),
    /version 2 of its format/,
  ],
  [
    "another migration",
    () => whole().replace(`"migration":7`, `"migration":8`),
    /migration 8.*1\.2\.3.*at 7/,
  ],
  ["cut off between lines", () => whole(lines.slice(0, 40)), /ends at line 40 and was cut off/],
  [
    "cut off in a line",
    () => whole(lines.slice(0, 20)).slice(0, -20),
    /line \d+ is no row of a table/,
  ],
  ["without its last line", () => whole(lines.slice(0, -1)), /was cut off/],
  [
    "a changed letter",
    () => whole().replace('"content":"x"', '"content":"y"'),
    /not those it was made of/,
  ],
  ["a row less", () => whole(lines.toSpliced(50, 1)), /not those it was made of/],
  [
    "other counts",
    () => whole().replace('"messages":120', '"messages":121'),
    /not have as many rows/,
  ],
  [
    "a count of a table that it does not have",
    () => whole().replace('"messages":120', '"messages":120,"others":1'),
    /not have as many rows/,
  ],
  ["more behind it", () => `${whole()}x`, /stands behind its last line/],
  ["no JSON in the middle", () => whole(lines.with(60, "{")), /line 61 is no row of a table/],
  ["two files", () => whole() + whole(), /stands behind its last line/],
];
/** What its end says, with the right sum of what is before it. */
const ending = (end: object) => {
  const before = whole(lines.slice(0, -1));
  const sha256 = createHash("sha256").update(before).digest("hex");
  return `${before}${JSON.stringify({ end: "chat-service-store", sha256, ...end })}\n`;
};
const withMember = (change: (row: Record<string, unknown>) => object) =>
  withRows((rows) => {
    const at = rowOf("messages") - 1;
    const { row } = JSON.parse(rows[at] ?? "") as { row: Record<string, unknown> };
    return rows.with(at, `{"table":"messages","row":${JSON.stringify(change(row))}}`);
  });

/** The same, where its end fits. */
const refused: readonly (readonly [string, () => string, RegExp])[] = [
  [
    "a table that is none",
    () => withRows((rows) => [...rows, '{"table":"pg_authid","row":{}}']),
    /no table of a store is called pg_authid/,
  ],
  [
    "what a database knows of itself",
    () => withRows((rows) => [...rows, '{"table":"schema_migrations","row":{"version":1}}']),
    /no table of a store is called schema_migrations/,
  ],
  ["a header without an id", () => withRows((rows) => rows, { id: undefined }), /which file it is/],
  ["a header with another id", () => withRows((rows) => rows, { id: "xx" }), /which file it is/],
  ["a header with an id of another kind", () => withRows((rows) => rows, { id: {} }), /which file/],
  ["no counts", () => ending({}), /not have as many rows/],
  ["counts that are none", () => ending({ tables: 7 }), /not have as many rows/],
  ["a column too many", () => withMember((row) => ({ ...row, odd: 1 })), /has no column odd/],
  [
    "a column too few",
    () => withMember(({ content: _, ...row }) => row),
    /messages\.content is missing/,
  ],
  [
    "no JSON in a row",
    () => withRows((rows) => [...rows, '{"table":"shares","row":{"a":}}']),
    /line 1\d\d is no JSON/,
  ],
  [
    "a row of nobody",
    () =>
      withRows((rows) => [
        ...rows,
        `{"table":"shares","row":{"share_id":"s","session_id":"${newId()}","title":"t","path":[],"include_files":true,"created_at":"2026-01-01","expires_at":"2026-01-01"}}`,
      ]),
    /does not take line 1\d\d .*foreign key/,
  ],
  [
    "the same row twice",
    () => withRows((rows) => [...rows, lines[rowOf("sessions")] ?? ""]),
    /does not take line 1\d\d .*sessions_pkey/,
  ],
  [
    "a row that is very deep",
    () =>
      withRows((rows) => [
        ...rows,
        `{"table":"shares","row":{"path":${"[".repeat(100_000)}${"]".repeat(100_000)}}}`,
      ]),
    /line 1\d\d has more than 2000 levels/,
  ],
];

test("a file has a header, a row a line, and counts at its end; readers need nothing else", async () => {
  const { header, rows } = await readStoreFile(pieces(whole()));
  expect(header).toMatchObject({ format: "chat-service-store", version: 1, migration });
  const seen: string[] = [];
  let end = await rows.next();
  for (; end.done !== true; end = await rows.next()) seen.push(end.value.table);
  expect(end.value).toMatchObject({ sessions: 1, messages: 120, attachments: 9, audio: 1 });
  expect(seen).toHaveLength(lines.length - 2);
  expect(seen.indexOf("sessions")).toBeLessThan(seen.indexOf("messages"));
  expect(lines.join()).toContain("0.1234567890123456789012345");
});

test("a running reply belongs to no node where it goes", async () => {
  const from = await openEmbedded();
  await fillDatabase(from);
  await from.query(
    `UPDATE messages SET status = 'streaming', role = 'assistant', lease_owner = 'node-1', lease_until = now() + interval '1 hour'
     WHERE seq = 120`,
  );
  const text = await exported(from);
  await from.close();
  const running = text.split("\n").find((line) => line.includes('"streaming"')) ?? "";
  const { row } = JSON.parse(running) as { row: { lease_owner: unknown; lease_until: string } };
  expect(row.lease_owner).toBeNull();
  expect(Date.parse(row.lease_until)).toBeLessThan(Date.now() + 60_000);
  expect(text.match(/"lease_until":"/g)).toHaveLength(1);
});

describe.each(databases.kinds)("into $kind", ({ open }) => {
  let to: Database;
  let nothing: unknown;
  beforeAll(async () => {
    to = await open();
    nothing = await contentOf(to);
  });
  afterAll(() => to.close());

  const left = async () => {
    await checkWhole(to);
    return contentOf(to);
  };

  test.each([...wrong, ...refused])("%s: refused, and nothing stays", async (_name, file, said) => {
    const text = file();
    await expect(importFile(to, migration, () => pieces(text))).rejects.toThrow(said);
    expect(await left()).toEqual(nothing);
    await expect(importStream(to, migration, pieces(text))).rejects.toThrow(said);
    expect(await left()).toEqual(nothing);
  });

  test("interrupted anywhere, it goes on there, and until then the database is of no use", async () => {
    const breaking = (at: number) => {
      let isFirst = true;
      return async function* broken() {
        const isWhole = isFirst;
        isFirst = false;
        yield* pieces(whole(isWhole ? lines : lines.slice(0, at)));
        if (!isWhole) throw new Error("the power is gone");
      };
    };
    for (const at of [130, 70, 135]) {
      await expect(importFile(to, migration, breaking(at))).rejects.toThrow("the power is gone");
      await expect(checkWhole(to)).rejects.toThrow(/interrupted behind line \d+/);
      const other = withRows((rows) => rows, { id: newId() });
      await expect(importFile(to, migration, () => pieces(other))).rejects.toThrow("another file");
    }
    const done = await importFile(to, migration, () => pieces(whole()));
    expect(done.resumedBehindLine).toBeGreaterThan(1);
    expect(done).toMatchObject({ verified: true, tables: { sessions: 1, messages: 120 } });
    expect(await left()).toEqual(content);
    await expect(importFile(to, migration, () => pieces(whole()))).rejects.toThrow("empty one");
    await expect(importStream(to, migration, pieces(whole()))).rejects.toThrow("empty one");
    expect(await left()).toEqual(content);
    // Back again, and what was said is found there.
    const back = (await exported(to)).trimEnd().split("\n");
    expect(back.slice(1, -1).toSorted()).toEqual(lines.slice(1, -1).toSorted());
    expect((await to.query("SELECT 1 FROM search_queue WHERE seq IS NOT NULL")).rows).toHaveLength(
      120,
    );
  });
});
