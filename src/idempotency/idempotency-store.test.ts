import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import {
  createIdempotencyStore,
  fingerprint,
  impliedKey,
  type IdempotencyKey,
} from "./idempotency-store.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

describe.each(databases.kinds)("idempotency keys on $kind", ({ kind, open }) => {
  let database: Database;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  const keepHours = 24;
  const createStore = () => createIdempotencyStore(database, keepHours);
  const newKey = (print = "f"): IdempotencyKey => ({ key: newId(), fingerprint: print });
  const result = () => ({ sessionId: newId(), messageId: newId() });
  const age = ({ key }: IdempotencyKey, hours: number) =>
    database.query(
      "UPDATE idempotency_keys SET created_at = now() - make_interval(secs => $2) WHERE key = $1",
      [key, hours * 3600],
    );

  test("what a key has led to is found again, by its user alone", async () => {
    const store = createStore();
    const [key, first] = [newKey(), result()];
    expect(await store.find("ann", key)).toBeNull();
    expect(await store.claim(database, "ann", key, first)).toBe(true);
    expect(await store.claim(database, "ann", key, result())).toBe(false);
    expect(await store.find("ann", key)).toMatchObject(first);
    expect(await store.find("bob", key)).toBeNull();
    const bobs = { ...result(), messageId: null };
    expect(await store.claim(database, "bob", key, bobs)).toBe(true);
    expect(await store.find("bob", key)).toMatchObject(bobs);
  });

  test("for another request is a conflict", async () => {
    const store = createStore();
    const key = newKey();
    await store.claim(database, "ann", key, result());
    await expect(store.find("ann", { ...key, fingerprint: "other" })).rejects.toMatchObject({
      type: "idempotency_conflict",
    });
  });

  test("whose transaction is rolled back was never used", async () => {
    const store = createStore();
    const key = newKey();
    const failing = database.transaction(async (tx) => {
      await store.claim(tx, "ann", key, result());
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await store.find("ann", key)).toBeNull();
    expect(await store.claim(database, "ann", key, result())).toBe(true);
  });

  test("that has expired is free for anything; a purge takes those alone", async () => {
    const store = createStore();
    const [expired, taken, kept] = [newKey(), newKey(), newKey()];
    for (const key of [expired, taken, kept]) await store.claim(database, "ann", key, result());
    await age(kept, keepHours - 0.1);
    await age(taken, keepHours + 0.1);
    await age(expired, keepHours + 0.1);
    expect(await store.find("ann", taken)).toBeNull();
    const again = result();
    expect(await store.claim(database, "ann", { ...taken, fingerprint: "other" }, again)).toBe(
      true,
    );
    await store.purge();
    expect(await store.find("ann", { ...taken, fingerprint: "other" })).toMatchObject(again);
    expect(await store.find("ann", kept)).not.toBeNull();
    const { rowCount } = await database.query("SELECT 1 FROM idempotency_keys WHERE key = $1", [
      expired.key,
    ]);
    expect(rowCount).toBe(0);
  });

  test("what nobody has heard of is taken up once, by its user, and for a short while", async () => {
    const store = createStore();
    const [key, first] = [impliedKey(newId(), false), result()];
    await store.claim(database, "ann", key, first);
    expect(await store.takeLost("ann", key)).toBeNull();
    // Another reply than the one that the key has led to.
    await store.lose("ann", key, newId(), 1);
    expect(await store.takeLost("ann", key)).toBeNull();
    await store.lose("ann", key, first.messageId, 1);
    expect(await store.takeLost("bob", key)).toBeNull();
    expect(await store.takeLost("ann", key)).toEqual(first);
    expect(await store.takeLost("ann", key)).toBeNull();
    await store.lose("ann", key, first.messageId, 1);
    await age(key, 0.05);
    expect(await store.takeLost("ann", key)).toBeNull();
    // What somebody has come back for is not lost, whether that comes before the loss is noticed or after it.
    for (const isNoticedFirst of [true, false]) {
      const [again, heard] = [impliedKey(newId(), false), result()];
      await store.claim(database, "ann", again, heard);
      if (isNoticedFirst) await store.lose("ann", again, heard.messageId, 1);
      expect(await store.join("ann", again, heard.messageId)).toBe(2);
      if (!isNoticedFirst) await store.lose("ann", again, heard.messageId, 1);
      expect(await store.takeLost("ann", again)).toBeNull();
      await store.lose("ann", again, heard.messageId, 2);
      expect(await store.takeLost("ann", again)).toEqual(heard);
    }
    // What an answer was kept of is not lost.
    const [kept, answered] = [impliedKey(newId(), false), result()];
    await store.claim(database, "ann", kept, answered, { after: 1 });
    await store.lose("ann", kept, answered.messageId, 1);
    expect(await store.takeLost("ann", kept)).toBeNull();
  });

  test("that is implied belongs to the last request that came first, for as long as clients try again", async () => {
    const store = createStore();
    const print = newId();
    const [first, again, repeat] = [
      impliedKey(print, false),
      impliedKey(print, false),
      impliedKey(print, true),
    ];
    const [one, two] = [result(), result()];
    expect(await store.claim(database, "ann", repeat, one)).toBe(true);
    expect(await store.claim(database, "ann", repeat, two)).toBe(false);
    expect(await store.claim(database, "ann", first, one)).toBe(true);
    expect(await store.claim(database, "ann", again, two)).toBe(true);
    expect(await store.find("ann", repeat)).toMatchObject(two);
    await age(repeat, 0.24);
    expect(await store.find("ann", repeat)).toMatchObject(two);
    await age(repeat, 0.26);
    expect(await store.find("ann", repeat)).toBeNull();
    expect(await store.claim(database, "ann", repeat, one)).toBe(true);
  });

  test("knows who has come for what it has led to since", async () => {
    const store = createStore();
    const [key, { sessionId, messageId }] = [newKey(), result()];
    await store.claim(database, "ann", key, { sessionId, messageId });
    expect(await store.isJoined("ann", key, messageId, 1)).toBe(false);
    expect(await store.join("ann", key, messageId)).toBe(2);
    expect(await store.isJoined("ann", key, messageId, 1)).toBe(true);
    expect(await store.isJoined("ann", key, messageId, 2)).toBe(false);
    expect(await store.join("ann", key, newId())).toBe(0);
  });

  // The embedded database has a single connection.
  test.skipIf(kind === "embedded")("has one holder, however many claim it at once", async () => {
    const store = createStore();
    const key = newKey();
    const claims = await Promise.all(
      Array.from({ length: 10 }, () =>
        database.transaction((tx) => store.claim(tx, "ann", key, result())),
      ),
    );
    expect(claims.filter(Boolean)).toHaveLength(1);
  });
});

describe("a fingerprint", () => {
  const of = (body: unknown) => fingerprint("POST /x", body);

  test.each([
    [
      { a: 1, b: [2, { c: 3, d: 4 }] },
      { b: [2, { d: 4, c: 3 }], a: 1 },
    ],
    [{ a: 1, b: undefined }, { a: 1 }],
    [undefined, null],
  ])("%j is that of %j", (left, right) => {
    expect(of(left)).toBe(of(right));
  });

  test.each([
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: "1" }],
    [
      [1, 2],
      [2, 1],
    ],
    [{ a: [] }, { a: {} }],
    [{ a: null }, {}],
    [["a,b"], ["a", "b"]],
  ])("%j is not that of %j", (left, right) => {
    expect(of(left)).not.toBe(of(right));
  });

  test("tells operations apart", () => {
    expect(fingerprint("POST /x", {})).not.toBe(fingerprint("POST /y", {}));
  });
});
