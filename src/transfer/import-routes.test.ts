import { once } from "node:events";
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { AddressInfo } from "node:net";
import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chatGptConversation } from "../../test/support/foreign-exports.ts";
import { createOpenIdentity } from "../identity/open.ts";
import { Places, PlacesByOwner } from "../lib/places.ts";
import { Problem } from "../problems/problem.ts";
import { importRoutes } from "./import-routes.ts";

const file = JSON.stringify([chatGptConversation({ number: 1, turns: 2 })]);
let app: FastifyInstance;
let port: number;
/** Of those whose import has begun: what ends it. */
let begun: ((error: Error) => void)[];
let uploads: Places;
const sending = new Set<ClientRequest>();

beforeEach(async () => {
  begun = [];
  uploads = new Places(5);
  app = Fastify();
  app.setValidatorCompiler(() => () => true);
  app.setErrorHandler((error, _request, reply) => {
    const { status, type, message } = error as Problem;
    return reply.code(status).send(JSON.stringify({ type, message }));
  });
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.addSchema({ $id: "Problem" });
  app.decorateRequest("identity", null);
  app.decorateRequest("forgetBody", () => {});
  await app.register(
    importRoutes({
      identity: createOpenIdentity(),
      uploads,
      uploadsOfUser: new PlacesByOwner(2),
      places: new Places(1),
      limits: { maxImportBytes: 1e6, maxFileBytes: 1e6 },
      agents: () => new Promise((_resolve, reject) => void begun.push(reject)),
    } as unknown as Parameters<typeof importRoutes>[0]),
  );
  await app.listen({ port: 0, host: "127.0.0.1" });
  ({ port } = app.server.address() as AddressInfo);
});
afterEach(async () => {
  for (const each of sending) each.destroy();
  sending.clear();
  await app.close();
});

/** Sends a part of a file, or all of it. */
function send(user: string, part: string, isAll: boolean) {
  const sent = request({ port, path: `/import?user_id=${user}`, method: "POST" });
  sending.add(sent);
  const answer = (once(sent, "response") as Promise<[IncomingMessage]>).then(
    async ([response]) => ({
      status: response.statusCode,
      body: JSON.parse(await text(response)) as { type: string; message: string },
    }),
  );
  answer.catch(() => {});
  if (isAll) sent.end(part);
  else sent.write(part);
  return { sent, answer };
}

const haveBegun = (count: number) => expect.poll(() => begun.length).toBe(count);
const fullDisk = () => Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });

test("files that come slowly hold up nobody, and a full disk is called that", async () => {
  for (const user of ["ann", "ann", "bob", "bob"]) send(user, file.slice(0, 9), false);
  await expect.poll(() => uploads.taken).toBe(4);
  const { answer } = send("eve", file, true);
  await haveBegun(1);
  begun[0]?.(fullDisk());
  expect(await answer).toMatchObject({
    status: 503,
    body: { type: "storage_unavailable", message: expect.stringContaining("disk") },
  });
  expect(uploads.taken).toBe(4);
});

test("so many come in at a time, of one user and of all", async () => {
  for (const user of ["ann", "ann"]) send(user, file.slice(0, 9), false);
  await expect.poll(() => uploads.taken).toBe(2);
  const refused = { status: 503, body: { type: "overloaded" } };
  expect(await send("ann", file, true).answer).toMatchObject(refused);
  for (const user of ["bob", "bob", "eve"]) send(user, file.slice(0, 9), false);
  await expect.poll(() => uploads.taken).toBe(5);
  expect(await send("eve", file, true).answer).toMatchObject(refused);
  for (const each of sending) each.destroy();
  await expect.poll(() => uploads.taken).toBe(0);
});

test("a whole file waits for its turn, unless its caller goes", async () => {
  const first = send("ann", file, true);
  await haveBegun(1);
  const gone = send("bob", file, true);
  await expect.poll(() => uploads.taken).toBe(2);
  gone.sent.destroy();
  await expect.poll(() => uploads.taken).toBe(1);
  const second = send("eve", file, true);
  await expect.poll(() => uploads.taken).toBe(2);
  expect(begun).toHaveLength(1);
  const fault = new Problem("import_failed", { en: "no", zh: "no" });
  begun[0]?.(fault);
  await haveBegun(2);
  begun[1]?.(fault);
  expect([(await first.answer).status, (await second.answer).status]).toEqual([422, 422]);
  expect(uploads.taken).toBe(0);
});
