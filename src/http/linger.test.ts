import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import Fastify from "fastify";
import { expect, test } from "vitest";
import { installLinger } from "./linger.ts";

/** Sends a body that is refused for its length, a piece every few milliseconds, for as long as it is let. */
async function sendTooMuch(pieces: number) {
  const app = Fastify({ bodyLimit: 1_000 });
  installLinger(app);
  app.post("/", async () => "taken");
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let answer = "";
  let fault: string | null = null;
  socket.on("data", (data) => (answer += data.toString()));
  socket.on("error", (error: NodeJS.ErrnoException) => (fault = error.code ?? error.message));
  socket.write(
    `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${pieces * 1_024}\r\n\r\n`,
  );
  let sent = 0;
  for (; sent < pieces && !socket.destroyed && socket.writable; sent += 1) {
    socket.write("x".repeat(1_024));
    await delay(5);
  }
  socket.end();
  if (!socket.destroyed) await once(socket, "close");
  await app.close();
  return { answer, fault, isSent: sent === pieces };
}

test("who is refused while sending has the answer, and may end what is on its way", async () => {
  const { answer, fault, isSent } = await sendTooMuch(40);
  expect(answer).toMatch(/^HTTP\/1.1 413 [^]*FST_ERR_CTP_BODY_TOO_LARGE/);
  expect(fault).toBeNull();
  expect(isSent).toBe(true);
});

test("who goes on and on is cut off", async () => {
  const { answer, isSent } = await sendTooMuch(10_000);
  expect(answer).toMatch(/^HTTP\/1.1 413 /);
  expect(isSent).toBe(false);
});
