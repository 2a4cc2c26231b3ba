import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startService, type TestService } from "../support/start-service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;

async function send(piece: string) {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  socket.setEncoding("utf8");
  await once(socket, "connect");
  socket.write(piece);
  return socket;
}

it("answers what a connection brings in one piece, in its order, one after the other", async () => {
  const session = JSON.stringify({ user_id: "alice" });
  const post = `POST /chat/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${session.length}\r\n\r\n${session}`;
  const list = get("/sessions?user_id=alice");
  // Each list sees the sessions that were made before it, and not those behind it.
  const last = get("/nowhere").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
  const socket = await send(list + post + list + post + post + list + last);
  let answers = "";
  for await (const piece of socket) answers += piece as string;
  const totals = [...answers.matchAll(/"total":(\d+)/g)].map(([, total]) => Number(total));
  expect(totals).toEqual([0, 1, 3]);
  expect(answers.match(/HTTP\/1\.1 \d+/g)?.at(-1)).toBe("HTTP/1.1 404");
});

it("ends a connection that brings far more than it fetches, and serves others meanwhile", async () => {
  const socket = await send(get("/health/liveness").repeat(2_000));
  socket.on("error", () => {}); // reset, with requests unread
  socket.resume();
  await new Promise((resolve) => void socket.once("close", resolve));
  expect((await fetch(`${service.url}/health/liveness`)).status).toBe(200);
});
