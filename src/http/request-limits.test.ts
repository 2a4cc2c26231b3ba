import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";
import Fastify from "fastify";
import { expect, test } from "vitest";
import { createMemoryRateLimiter } from "../cache/memory-rate-limiter.ts";
import { loadConfig } from "../config/load-config.ts";
import { Shares } from "../lib/shares.ts";
import { installRequestLimits, requestRate } from "./request-limits.ts";

test.each([
  [1, 1],
  [60, 60],
  [61, 60],
  [300, 60],
  [1_200, 200],
])("of %i requests a minute %i may come at once", (limit, burst) => {
  expect(requestRate(limit)).toEqual({ limit, periodMs: 60_000, burst });
});

test("of one user's speech four are made at a time, and nobody else's wait for them", async () => {
  const limiter = createMemoryRateLimiter();
  const loaded = loadConfig({ environment: {}, cwd: import.meta.dirname });
  if (!loaded.ok) throw new Error(loaded.faults.join("\n"));
  const app = Fastify();
  app.decorateRequest("identity", null);
  installRequestLimits(app, {
    costs: { "POST /speech": "speech", "GET /list": "list" },
    limits: loaded.config.limits,
    shared: limiter,
    local: limiter,
    room: new Shares({ total: 1, each: 1, maxWaiting: 0 }),
  });
  const running: { user: string; end: (text: string) => void }[] = [];
  app.post("/speech", ({ query }) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    running.push({ user: (query as { user_id: string }).user_id, end: resolve });
    return promise;
  });
  app.get("/list", () => "list");
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const speak = (user: string) => fetch(`${url}/speech?user_id=${user}`, { method: "POST" });
  const ofAnn = Array.from({ length: 6 }, () => speak("ann"));
  const users = () => running.map(({ user }) => user);
  await expect.poll(users).toEqual(["ann", "ann", "ann", "ann"]);
  const ofBob = speak("bob");
  await expect.poll(users).toEqual(["ann", "ann", "ann", "ann", "bob"]);
  expect(await (await fetch(`${url}/list?user_id=ann`)).text()).toBe("list");
  running[0]?.end("spoken");
  await expect.poll(users).toEqual(["ann", "ann", "ann", "ann", "bob", "ann"]);
  running[1]?.end("spoken");
  await expect.poll(() => running.length).toBe(7);
  for (const { end } of running) end("spoken");
  await Promise.all([...ofAnn, ofBob]);
  await app.close();
});

test("who takes nothing of an answer is cut off, and who has taken it keeps the connection", async () => {
  const limiter = createMemoryRateLimiter();
  const loaded = loadConfig({ environment: {}, cwd: import.meta.dirname });
  if (!loaded.ok) throw new Error(loaded.faults.join("\n"));
  const app = Fastify();
  app.decorateRequest("identity", null);
  installRequestLimits(app, {
    costs: { "GET /large": "read", "GET /small": "read" },
    limits: loaded.config.limits,
    shared: limiter,
    local: limiter,
    room: new Shares({ total: 1, each: 1, maxWaiting: 0 }),
    stallMs: 100,
  });
  // More than systems keep of what nobody takes.
  app.get("/large", () => "x".repeat(64 * 1024 * 1024));
  app.get("/small", () => "small");
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const ask = async (path: string) => {
    const arrived = once(app.server, "connection") as Promise<[Socket]>;
    const socket = connect(port, "127.0.0.1");
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    return { socket, served: (await arrived)[0] };
  };
  const taker = await ask("/small");
  await once(taker.socket, "data");
  const staller = await ask("/large");
  await once(staller.served, "close");
  expect(taker.served.destroyed).toBe(false);
  staller.socket.destroy();
  taker.socket.destroy();
  await app.close();
});
