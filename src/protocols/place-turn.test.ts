import { afterAll, beforeAll, expect, it } from "vitest";
import { openEmbedded } from "../../test/support/databases.ts";
import type { Database } from "../database/database.ts";
import { newId } from "../lib/ids.ts";
import type { FoundSession } from "../sessions/session-store.ts";
import { readTree } from "../tree/tree.ts";
import { createPlaceTurn } from "./place-turn.ts";

let database: Database;
beforeAll(async () => {
  database = await openEmbedded();
});
afterAll(() => database.close());

const messages = 1_102;
/** The oldest reply among the newest thousand messages, and the one before it. */
const [oldest, older] = [104, 102];

it("looks for where a history ends among the newest thousand messages, and no further", async () => {
  const sessionId = newId();
  await database.query(
    "INSERT INTO sessions (session_id, user_id, agent_id, last_seq) VALUES ($1, 'ann', 'a', $2)",
    [sessionId, messages],
  );
  await database.query(
    `INSERT INTO messages (session_id, message_id, seq, role, status, agent_id, content)
     SELECT $1, gen_random_uuid(), seq, CASE WHEN seq % 2 = 1 THEN 'user' ELSE 'assistant' END, 'complete', 'a', 'said ' || seq
     FROM generate_series(1, $2::int) AS seq`,
    [sessionId, messages],
  );
  const tree = readTree({ lastSeq: messages, tree: null });
  const session = { sessionId, tree } as FoundSession;
  const place = createPlaceTurn(database);
  const behind = (seq: number) =>
    place(
      session,
      [seq - 3, seq - 2, seq - 1, seq].map((each) => ({
        role: each % 2 === 1 ? ("user" as const) : ("assistant" as const),
        text: `said ${each}`,
      })),
      "and now",
    );
  const { rows } = await database.query<{ messageId: string }>(
    `SELECT message_id AS "messageId" FROM messages WHERE session_id = $1 AND seq = $2`,
    [sessionId, oldest],
  );
  expect(await behind(messages)).toEqual({ at: { kind: "head" }, interrupts: false });
  expect(await behind(oldest)).toEqual({
    at: { kind: "below", messageId: rows[0]?.messageId },
    interrupts: false,
  });
  expect(await behind(older)).toBeNull();
});
