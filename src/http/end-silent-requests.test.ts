import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import Fastify from "fastify";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { refuseBrokenRequests } from "./broken-request.ts";
import { endSilentRequests, leastBytes } from "./end-silent-requests.ts";

const timeoutMs = 30_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** A service that counts what it receives, and a caller who has sent a head with these lines. */
async function begin(head: string, isRead = true) {
  const app = Fastify({
    clientErrorHandler: refuseBrokenRequests("test", { problem() {} }, () => []),
  });
  const received = { bytes: 0, more: Promise.withResolvers<void>() };
  endSilentRequests(app, timeoutMs);
  app.addContentTypeParser("*", (_request, payload, done) => {
    if (!isRead) return done(null, 0);
    payload.on("data", (chunk: Buffer) => {
      received.bytes += chunk.length;
      received.more.resolve();
      received.more = Promise.withResolvers<void>();
    });
    payload.on("end", () => done(null, received.bytes));
  });
  app.post("/", async (request) => ({ bytes: request.body }));
  await app.listen({ port: 0, host: "127.0.0.1" });
  const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
  const request = once(app.server, "request");
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\n${head}\r\n\r\n`);
  await request;
  return {
    socket,
    answer: text(socket),
    async send(bytes: number) {
      const goal = received.bytes + bytes;
      socket.write(Buffer.alloc(bytes));
      while (received.bytes < goal) await received.more.promise;
    },
    close: () => {
      socket.destroy();
      return app.close();
    },
  };
}

test("an upload may take as long as it likes while it comes on", async () => {
  const length = 10 * leastBytes;
  const { send, answer, close } = await begin(`Content-Length: ${length}\r\nConnection: close`);
  for (let sent = 0; sent < length; sent += leastBytes) {
    vi.advanceTimersByTime(timeoutMs - 1);
    await send(leastBytes);
    vi.advanceTimersByTime(1);
  }
  expect(await answer).toContain(`{"bytes":${length}}`);
  await close();
});

test.each([
  ["nothing comes of it", "Content-Length: 1000000", 0],
  ["it trickles", "Content-Length: 1000000", 1_000],
  ["nobody says how long it is", "Transfer-Encoding: chunked", 0],
])("a body is cut off where %s", async (_what, head, bytes) => {
  const { send, answer, close } = await begin(head);
  if (bytes > 0) await send(bytes);
  vi.advanceTimersByTime(timeoutMs - 1);
  if (bytes > 0) await send(bytes);
  vi.advanceTimersByTime(1);
  expect(await answer).toContain("The request did not arrive in time.");
  await close();
});

test("what came before says nothing of the next stretch", async () => {
  const { send, answer, close } = await begin(`Content-Length: ${leastBytes * 4}`);
  await send(leastBytes);
  vi.advanceTimersByTime(timeoutMs);
  await send(leastBytes - 1);
  vi.advanceTimersByTime(timeoutMs);
  expect(await answer).toContain("400 Bad Request");
  await close();
});

test("a body that nobody reads keeps its connection no longer, though it is answered", async () => {
  const { socket, answer, close } = await begin("Content-Length: 1000", false);
  await once(socket, "readable");
  vi.advanceTimersByTime(timeoutMs);
  // It ends, and what is here is all.
  expect(await answer).toContain("200 OK");
  await close();
});
