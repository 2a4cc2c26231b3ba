import { afterAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import type { AuditEntry } from "../http/audit.ts";
import { createAuditLog } from "./audit-log.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

const entry: AuditEntry = {
  actor: "root",
  keyName: null,
  action: "GET /sessions/:session_id",
  subject: "alice",
  target: { session_id: "s" },
  requestId: "r",
  address: "::1",
  outcome: "allowed",
  status: null,
};
const everything = { before: undefined, limit: 100 };

describe.each(databases.kinds)("the audit log on $kind", ({ open }) => {
  test("is added to, and nothing of it is changed or deleted before its time", async () => {
    const database = await open();
    const log = createAuditLog(database);
    await log.record(entry, false);
    for (const sql of ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"]) {
      await expect(database.query(sql)).rejects.toThrow("only added to");
    }
    await log.purge(1);
    expect(await log.page({}, everything)).toMatchObject([entry]);
    await database.query(
      `INSERT INTO audit_log (entry_id, at, actor, action, target, request_id, address, outcome)
       VALUES ('01900000-0000-7000-8000-000000000000', now() - interval '25 hours', 'old', 'x', '{}', 'r', 'a', 'allowed')`,
    );
    await log.purge(0);
    expect(await log.page({ actor: "old" }, everything)).toHaveLength(1);
    await log.purge(1);
    expect(await log.page({}, everything)).toMatchObject([entry]);
    await database.close();
  });

  test("the same again within a minute is one entry, where that is asked for", async () => {
    const database = await open();
    let now = 0;
    const log = createAuditLog(database, () => now);
    const count = async () => (await log.page({}, everything)).length;
    await log.record(entry, true);
    now = 59_999;
    await log.record({ ...entry, requestId: "another" }, true);
    expect(await count()).toBe(1);
    for (const other of [
      { actor: "other" },
      { keyName: "k" },
      { subject: "bob" },
      { target: { session_id: "t" } },
      { address: "::2" },
      { action: "POST /chat/message" },
    ]) {
      await log.record({ ...entry, ...other }, true);
    }
    expect(await count()).toBe(7);
    await log.record(entry, false);
    now = 60_000;
    await log.record(entry, true);
    expect(await count()).toBe(9);
    await database.close();
  });
});
