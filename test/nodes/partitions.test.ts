import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startStage } from "../support/stage.ts";

test("the documented split of messages by session changes nothing for the service", async () => {
  const stage = await startStage({ nodes: 1 });
  if (stage === null) return;
  const page = await readFile(join(import.meta.dirname, "../../docs/scaling.md"), "utf8");
  const sql = /```sql\n(BEGIN;[\s\S]*?COMMIT;)\n```/.exec(page)?.[1] ?? "";
  /** What hangs on the table, whatever a migration has made of it; what a key brings has names of its own. */
  const hanging = () =>
    stage.query<{ name: string }>(
      `SELECT indexname AS name FROM pg_indexes
       WHERE tablename = 'messages' AND indexname NOT LIKE '%key%'
       UNION ALL
       SELECT pg_get_triggerdef(oid) FROM pg_trigger
       WHERE tgrelid = 'messages'::regclass AND NOT tgisinternal
       UNION ALL
       SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
       WHERE contype IN ('f', 'c') AND conparentid = 0
         AND 'messages'::regclass IN (confrelid, conrelid) ORDER BY 1`,
    );
  const sessionId = await stage.client(0).session("ann");
  const talk = async (message: string) => {
    const stream = await stage.client(0).stream({ session_id: sessionId, message });
    return (await stream.all()).at(-1)?.type;
  };
  expect(await talk("before")).toBe("conversation_complete");
  const before = await hanging();
  expect(before.length).toBeGreaterThan(10);

  expect(await stage.node(0).stop()).toBe(0);
  await stage.query(sql);
  await stage.startNode(0);

  expect(await hanging()).toEqual(before);
  expect(await talk("after")).toBe("conversation_complete");
  const waiting = await Promise.all([1, 2, 3].map((index) => talk(`slow 3 5 #${index}`)));
  expect(waiting).toEqual(Array.from({ length: 3 }, () => "conversation_complete"));
  const history = await stage
    .client(0)
    .get<{ messages: unknown[] }>(`/chat/history/${sessionId}?user_id=ann`);
  expect(history.status).toBe(200);
  expect(history.body.messages).toHaveLength(10);
  const parts = await stage.query(
    "SELECT inhrelid FROM pg_inherits WHERE inhparent = 'messages'::regclass",
  );
  expect(parts).toHaveLength(16);
  await stage.client(0).send("DELETE", `/sessions/${sessionId}?user_id=ann`);
  expect(await stage.query("SELECT 1 FROM messages")).toEqual([]);
  await stage.stop();
}, 60_000);
