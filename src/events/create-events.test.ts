import { createHmac } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startJsonServer, type JsonServer } from "../../test/support/json-server.ts";
import type { Config } from "../config/settings.ts";
import type { Database } from "../database/database.ts";
import { createOutbox } from "../database/outbox.ts";
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
    status: "complete",
    finish_reason: "stop",
    processing_time: 0.5,
    timestamp: "2026-11-22T10:00:00.000Z",
  },
} as const;

const settings = (given: Partial<Config["events"]>): Pick<Config, "events"> => ({
  events: { url: null, secret: null, receivers: [], ...given },
});

let database: Database;
beforeAll(async () => {
  database = await openEmbedded();
});
afterAll(() => database.close());

test("with a receiver events are kept, sent and signed; without one nothing is written", async () => {
  const server = await startJsonServer(() => ({ status: 200 }));
  const lines: string[] = [];
  const log = { ...silentLogger, warn: (_fields: object, message: string) => lines.push(message) };

  const none = createEvents(settings({}), { database, log });
  expect(none.dispatchers).toEqual([]);
  await none.record(database, event);
  expect((await database.query("SELECT 1 FROM outbox")).rowCount).toBe(0);

  const signed = createEvents(settings({ url: server.url, secret: "s" }), { database, log });
  expect(lines).toEqual([]);
  await signed.record(database, event);
  const asked = server.nextRequest();
  for (const dispatcher of signed.dispatchers) dispatcher.start();
  const { body, headers } = await asked;
  expect(body).toMatchObject({ event_type: "chat_message.processed", data: event.data });
  expect(headers["webhook-signature"]).toMatch(/^v1,/);
  await Promise.all(signed.dispatchers.map((dispatcher) => dispatcher.stop()));

  createEvents(settings({ url: server.url }), { database, log });
  expect(lines).toEqual([expect.stringContaining("events.secret")]);
  await server.stop();
});

test("several receivers get what they asked for, signed with their own key; one that is away holds up none", async () => {
  const [first, alerts, away] = await Promise.all(
    Array.from({ length: 3 }, () => startJsonServer(() => ({ status: 204 }))),
  );
  if (first === undefined || alerts === undefined || away === undefined) throw new Error("none");
  away.fail("error");
  const failed = {
    type: "chat_message.failed",
    data: { ...event.data, status: "failed", finish_reason: "error" },
  } as const;
  const { record, dispatchers } = createEvents(
    settings({
      url: first.url,
      secret: "one",
      receivers: [
        { url: alerts.url, secret: "two", events: ["chat_message.failed"] },
        { url: away.url, secret: "three" },
      ],
    }),
    { database, log: silentLogger },
  );
  await record(database, event);
  await record(database, failed);
  const arrived = Promise.all([
    first.nextRequest(() => first.requests.length === 2),
    alerts.nextRequest(),
    away.nextRequest(),
  ]);
  for (const dispatcher of dispatchers) dispatcher.start();
  await arrived;
  await expect.poll(() => dispatchers.map((each) => each.status().delivered)).toEqual([2, 1, 0]);
  await Promise.all(dispatchers.map((dispatcher) => dispatcher.stop()));
  const typesAt = (server: JsonServer) =>
    server.requests.map(({ body }) => (body as { event_type: string }).event_type).toSorted();
  expect(typesAt(first)).toEqual([failed.type, event.type]);
  expect(typesAt(alerts)).toEqual([failed.type]);
  for (const [server, key] of [
    [first, "one"],
    [alerts, "two"],
  ] as const) {
    const { rawBody, headers } = server.requests[0]!;
    const expected = createHmac("sha256", key).update(rawBody).digest("hex");
    expect(headers["x-signature-256"]).toBe(`sha256=${expected}`);
  }
  // What waits for the one that is away waits on; nothing is left for the others.
  const { rows } = await database.query<{ receiver: string }>("SELECT receiver FROM outbox");
  expect(rows).toHaveLength(2);
  expect(rows.every(({ receiver }) => receiver !== "")).toBe(true);
  expect(JSON.stringify(rows)).not.toContain(away.url);

  // It is taken out of the configuration: in a week nobody will be told any more.
  const outbox = createOutbox("outbox", { mine: "", known: [""] });
  expect(await outbox.purgeDead(database)).toBe(0);
  // Its id begins with its time.
  await database.query(
    `UPDATE outbox SET created_at = now() - interval '8 days',
       event_id = ('00000000-0000-7' || substr(event_id::text, 16))::uuid`,
  );
  expect(await outbox.purgeDead(database)).toBe(2);
  await Promise.all([first.stop(), alerts.stop(), away.stop()]);
});
