import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { startService, type TestService } from "../support/start-service.ts";

const socketPath = join(tmpdir(), `chat-service-memory-${process.pid}.sock`);
let service: TestService;

beforeAll(async () => {
  const watch = join(import.meta.dirname, "../support/watch-memory.ts");
  service = await startService({
    env: { NODE_OPTIONS: `--import=${watch}`, MEMORY_SOCKET: socketPath },
  });
});
afterAll(() => service.stop());

async function memory(): Promise<{ heapBytes: number; compiled: number }> {
  const asked = request({ socketPath }).end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return (await json(response)) as { heapBytes: number; compiled: number };
}

/** Opens so many WebSockets, ten at a time; each is told who it is and leaves. */
async function connect(times: number): Promise<void> {
  const url = `${service.url.replace("http", "ws")}/chat/ws?user_id=alice`;
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      for (let each = 0; each < times / 10; each++) {
        const socket = new WebSocket(url);
        await once(socket, "message");
        socket.close();
        await once(socket, "close");
      }
    }),
  );
}

it("keeps nothing of connections that have been, and compiles nothing for them", async () => {
  await connect(500);
  const before = await memory();
  await connect(5_000);
  const after = await memory();
  expect(after.compiled).toBe(before.compiled);
  expect(after.heapBytes - before.heapBytes).toBeLessThan(2 * 1024 * 1024);
});
