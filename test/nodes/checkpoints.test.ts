import { randomBytes } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { createClient } from "../support/client.ts";
import { startOpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService } from "../support/start-service.ts";

const postgres = await startPostgres({ own: true });
afterAll(() => postgres?.stop());

/** Text that nothing compresses, in pieces. */
function noise(length: number): string[] {
  return Array.from({ length: length / 512 }, () =>
    Array.from({ length: 8 }, () => `${randomBytes(48).toString("base64").slice(1)} `).join(""),
  );
}

describe.skipIf(postgres === null)("what a reply writes to the database", () => {
  it("grows with its length and with the time it takes, not with the square of its length", async () => {
    if (postgres === null) return;
    const model = await startOpenAiServer();
    const databaseUrl = await postgres.freshDatabase();
    const service = await startService({
      env: { OPENAI_BASE_URL: model.url, DATABASE_URL: databaseUrl },
    });
    const client = createClient(service.url);
    const position = async () => {
      const rows = await postgres.query<{ bytes: string }>(
        "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes",
      );
      return Number(rows[0]?.bytes);
    };
    /** What is made of earlier replies for search, behind them, counts with none. */
    const searchIsMade = () =>
      expect
        .poll(() => postgres.query("SELECT 1 FROM search_queue LIMIT 1", [], databaseUrl))
        .toEqual([]);
    const written = async (length: number) => {
      const sessionId = await client.session("alice");
      model.enqueue({ tokens: noise(length), delayMs: 1 });
      await searchIsMade();
      const before = await position();
      const startedMs = performance.now();
      const stream = await client.stream({ session_id: sessionId, message: "noise" });
      const end = (await stream.all()).at(-1);
      expect(end).toMatchObject({ type: "conversation_complete" });
      expect(String(end?.["full_response"])).toHaveLength(length);
      return { bytes: (await position()) - before, tookMs: performance.now() - startedMs };
    };
    await written(64 * 1024);
    const short = await written(64 * 1024);
    const length = 1024 * 1024;
    const long = await written(length);
    // At each beat all there is may be written, so that it outlives a crash: on a slow machine there are more of them.
    const beats = Math.ceil(long.tookMs / 750);
    expect(long.bytes).toBeLessThanOrEqual(20 * short.bytes + beats * length);
    await service.stop();
    await model.close();
  });
});
