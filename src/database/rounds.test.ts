import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { Database } from "./database.ts";
import { claimRound } from "./rounds.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

describe.each(databases.kinds)("rounds on $kind", ({ open }) => {
  let database: Database;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  test("one of all nodes does each, and again when its time has come", async () => {
    const claims = await Promise.all(
      Array.from({ length: 20 }, () => claimRound(database, "sweep", 60_000)),
    );
    expect(claims.filter(Boolean)).toHaveLength(1);
    expect(await claimRound(database, "sweep", 60_000)).toBe(false);
    expect(await claimRound(database, "another", 1)).toBe(true);
    await vi.waitFor(async () => expect(await claimRound(database, "another", 1)).toBe(true));
  });
});
