import { expect, test } from "vitest";
import { startJsonServer } from "../../test/support/json-server.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createEvents } from "./create-events.ts";
import { openEmbedded } from "../../test/support/databases.ts";

const event = {
  type: "chat_message.processed",
  data: {
    session_id: "s",
    message_id: "m",
    user_id: "u",
    agent_id: "a",
    message_type: "text",
    processing_time: 0.5,
    timestamp: "2026-11-22T10:00:00.000Z",
  },
} as const;

test("with a receiver events are kept, sent and signed; without one nothing is written", async () => {
  const server = await startJsonServer(() => ({ status: 200 }));
  const database = await openEmbedded();
  const lines: string[] = [];
  const log = { ...silentLogger, warn: (_fields: object, message: string) => lines.push(message) };

  const none = createEvents({ events: { url: null, secret: null } }, { database, log });
  expect(none.dispatcher).toBeNull();
  await none.record(database, event);
  expect((await database.query("SELECT 1 FROM outbox")).rowCount).toBe(0);

  const signed = createEvents({ events: { url: server.url, secret: "s" } }, { database, log });
  expect(lines).toEqual([]);
  await signed.record(database, event);
  const asked = server.nextRequest();
  signed.dispatcher?.start();
  const { body, headers } = await asked;
  expect(body).toMatchObject({ event_type: "chat_message.processed", data: event.data });
  expect(headers["webhook-signature"]).toMatch(/^v1,/);
  await signed.dispatcher?.stop();

  createEvents({ events: { url: server.url, secret: null } }, { database, log });
  expect(lines).toEqual([expect.stringContaining("events.secret")]);
  await database.close();
  await server.stop();
});
