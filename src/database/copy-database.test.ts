import { afterAll, describe, expect, test } from "vitest";
import { startDatabases } from "../../test/support/databases.ts";
import { contentOf, fillDatabase } from "../../test/support/filled-database.ts";
import { newId } from "../lib/ids.ts";
import { copyDatabase } from "./copy-database.ts";
import type { Database } from "./database.ts";

const databases = await startDatabases();
afterAll(() => databases.stop());

describe.each(databases.kinds)("to $kind", ({ open }) => {
  test("everything is copied as it is, into an empty one only", async () => {
    const from = (await databases.kinds[0]?.open()) as Database;
    const [to, other] = [await open(), await open()];
    await fillDatabase(from);
    const before = await contentOf(from);
    const copied = await copyDatabase(from, to);
    expect(copied).toMatchObject({ sessions: 1, messages: 120, attachments: 9, audio: 1 });
    expect(await contentOf(to)).toEqual(before);
    expect(await contentOf(from)).toEqual(before);
    await expect(copyDatabase(from, to)).rejects.toThrow("empty");
    await other.query(
      "INSERT INTO sessions (session_id, user_id, agent_id) VALUES ($1, 'b', 'a')",
      [newId()],
    );
    await expect(copyDatabase(from, other)).rejects.toThrow("empty");
    await Promise.all([from.close(), to.close(), other.close()]);
  });
});
