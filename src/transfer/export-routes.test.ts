import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import Fastify from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { StoredMessage } from "../chat/message-store.ts";
import { newId } from "../lib/ids.ts";
import { Places } from "../lib/places.ts";
import type { Problem } from "../problems/problem.ts";
import { createOpenIdentity } from "../identity/open.ts";
import type { FoundSession } from "../sessions/session-store.ts";
import { readTree } from "../tree/tree.ts";
import { exportRoutes } from "./export-routes.ts";

const sessionId = newId();
const session = {
  sessionId,
  userId: "ann",
  createdAt: new Date(0),
  lastActivity: new Date(0),
  title: null,
  tree: readTree({ lastSeq: 1_000_000, tree: null }),
} as unknown as FoundSession;

const app = Fastify();
let pages = 0;
let port = 0;
let places: Places;

beforeEach(async () => {
  places = new Places(1);
  app.setValidatorCompiler(() => () => true);
  app.setErrorHandler((error, _request, reply) => reply.code((error as Problem).status).send(""));
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  for (const $id of ["SessionInfo", "Message", "Problem"]) app.addSchema({ $id });
  app.decorateRequest("identity", null);
  await app.register(
    exportRoutes({
      identity: createOpenIdentity(),
      places,
      attachments: { find: async () => null },
      sessions: { find: async () => session, idsOf: async () => [sessionId] },
      messages: {
        // It has no end: whoever reads ahead of the reader never comes to one.
        history: async () => {
          pages += 1;
          return { messages: [message(pages)], hasMore: true, last: pages };
        },
      },
    }),
  );
  await app.listen({ port: 0, host: "127.0.0.1" });
  ({ port } = app.server.address() as AddressInfo);
});
afterEach(() => app.close());

function message(seq: number): StoredMessage {
  return {
    messageId: newId(),
    sessionId,
    seq,
    role: "user",
    content: "x".repeat(64 * 1024),
    createdAt: new Date(0),
    status: "complete",
    metadata: {},
    error: null,
    attachments: null,
    answers: null,
    outputFormat: null,
  } as unknown as StoredMessage;
}

test("nothing is read ahead of who takes it; there are so many at a time, until they go", async () => {
  const reader = connect(port, "127.0.0.1");
  reader.write(`GET /sessions/${sessionId}/export?format=json HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await once(reader, "readable");
  const refused = await fetch(`http://127.0.0.1:${port}/export?user_id=ann`);
  expect(refused.status).toBe(503);
  await refused.text();
  expect(places.taken).toBe(1);
  reader.destroy();
  await expect.poll(() => places.taken).toBe(0);
  // What fits into the buffers in between.
  expect(pages).toBeLessThan(2_000);
});
