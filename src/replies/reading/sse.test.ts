import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import Fastify from "fastify";
import { afterEach, expect, it, vi } from "vitest";
import type { IdentityProvider } from "../../identity/identity.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import type { FollowReply } from "./follow-reply.ts";
import { PlacesByOwner } from "../../lib/places.ts";
import { pagesOf, type OpenPages, type Reader } from "./pages.ts";
import { createSseView, type FramedEvent } from "./sse.ts";

const ended: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

/** A server whose one route shows a reply without end, after `before`. */
async function stage(
  before: (closed: Promise<unknown>, raw: ServerResponse) => Promise<unknown>,
  follow: FollowReply = async function* silent(_replyId, _after, signal) {
    if (!signal.aborted) await once(signal, "abort");
    yield* [];
  },
  stallMs = 30_000,
  /** What is shown in place of a reply. */
  show: "stream" | "show" | OpenPages<FramedEvent> = "stream",
  heartbeatMs = 15_000,
) {
  let viewers = 0;
  const handled = Promise.withResolvers<void>();
  const sse = createSseView({
    stallMs,
    heartbeatMs,
    open: (replyId, after) => pagesOf((signal) => follow(replyId, after, signal)),
    isThere: () => Promise.resolve(false),
    maxViewers: 1,
    placesOfUsers: new PlacesByOwner(0),
    telemetry: {
      viewers(change: number) {
        viewers += change;
        if (viewers === 0) handled.resolve();
      },
    } as unknown as Telemetry,
    identity: {} as IdentityProvider,
  });
  const app = Fastify({ forceCloseConnections: true });
  app.decorateRequest("identity", null);
  app.decorateRequest("startedMs", 0);
  const arrived = Promise.withResolvers<void>();
  app.get("/", async (request, reply) => {
    using viewer = sse.admit({ identity: null });
    arrived.resolve();
    const closed = new Promise((resolve) => reply.raw.once("close", resolve));
    await before(closed, reply.raw);
    if (show === "stream") {
      viewer.stream(request, reply, { replyId: "r", sessionId: "s", after: 0 });
    } else {
      viewer.show(request, reply, {
        fields: {},
        open: show === "show" ? pagesOf((signal) => follow("r", 0, signal)) : show,
      });
    }
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  ended.push(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const asked = httpRequest({ port, agent: false }).end();
  asked.on("error", () => undefined);
  return {
    sse,
    asked,
    /** The request has come in. */
    arrived: arrived.promise,
    /** The viewer is gone, as far as the server is concerned. */
    handled: handled.promise,
    viewers: () => viewers,
  };
}

it("notices a viewer that leaves", async () => {
  const { sse, asked, handled, viewers } = await stage(async () => undefined);
  await once(asked, "response");
  expect(viewers()).toBe(1);
  expect(() => sse.admit({ identity: null })).toThrow(/limit/);
  asked.destroy();
  await handled;
  expect(viewers()).toBe(0);
});

it("notices a viewer that had left before the stream began", async () => {
  const { sse, asked, arrived, handled, viewers } = await stage((closed) => closed);
  await arrived;
  asked.destroy();
  await handled;
  expect(viewers()).toBe(0);
  sse.admit({ identity: null });
});

it("ends with a response that breaks", async () => {
  let response: ServerResponse | undefined;
  const { asked, handled, viewers } = await stage(async (_closed, raw) => (response = raw));
  await once(asked, "response");
  response?.emit("error", new Error("broken"));
  await handled;
  expect(viewers()).toBe(0);
});

it("keeps nothing that only its beginning has needed", async () => {
  let response: ServerResponse | undefined;
  const { asked } = await stage(async (_closed, raw) => {
    raw.setHeader("X-Frame-Options", "DENY");
    raw.req.headers = { ...raw.req.headers, upgrade: "h2c" };
    response = raw;
  });
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  expect(answer.headers["x-frame-options"]).toBe("DENY");
  expect(response?.headersSent).toBe(true);
  expect(response?.getHeaderNames()).toEqual([]);
  expect(JSON.stringify(response, ["_header"])).not.toContain("DENY");
  expect(response?.req.rawHeaders).toEqual([]);
  // The end of the connection asks for it.
  expect(response?.req.headers).toEqual({ upgrade: "h2c" });
  await expect.poll(() => response?.req.readableEnded).toBe(true);
});

it("writes what is here before whoever has woken it goes on, and asks for no more than two that are not taken", async () => {
  let response: ServerResponse | undefined;
  const waiting: FramedEvent[][] = [];
  let asked = 0;
  const reader = Promise.withResolvers<Reader>();
  const { asked: request } = await stage(
    async (_closed, raw) => (response = raw),
    undefined,
    undefined,
    (woken) => {
      reader.resolve(woken);
      return {
        next() {
          asked += 1;
          return waiting.shift() ?? "later";
        },
        close() {},
      };
    },
  );
  await once(request, "response");
  const { wake } = await reader.promise.then((woken) => ({ wake: () => woken.wake() }));
  const write = vi.spyOn(response as ServerResponse, "write");
  const before = asked;
  waiting.push(...[1, 2, 3].map((seq) => [{ seq, json: "{}" }]));
  wake();
  wake();
  expect(write).toHaveBeenCalledTimes(2);
  expect(asked).toBe(before + 2);
  await expect.poll(() => waiting).toEqual([]);
  expect(write).toHaveBeenCalledTimes(3);
});

it("is one of so many of a user and of all, and gives back what it has taken of either", () => {
  const admission = (maxViewers: number, ofUser: number) => {
    const { admit } = createSseView({
      open: () => pagesOf(async function* none() {}),
      isThere: () => Promise.resolve(false),
      maxViewers,
      heartbeatMs: 15_000,
      placesOfUsers: new PlacesByOwner(ofUser),
      telemetry: {} as Telemetry,
      identity: {} as IdentityProvider,
    });
    return (userId: string) => admit({ identity: { userId, roles: [], kind: "token" } });
  };
  const admit = admission(2, 1);
  const first = admit("ann");
  expect(() => admit("ann")).toThrow(expect.objectContaining({ type: "rate_limited" }));
  admit("bob");
  expect(() => admit("eve")).toThrow(expect.objectContaining({ type: "overloaded" }));
  first[Symbol.dispose]();
  const second = admit("eve");
  second[Symbol.dispose]();
  admit("ann");
});

it("cuts a viewer that does not read, and has not fetched much more than that viewer has taken", async () => {
  const page = [
    { seq: 1, type: "snapshot", json: JSON.stringify("x".repeat(1024 * 1024)) },
  ] as const;
  let pages = 0;
  const endless: FollowReply = async function* endless(_replyId, _after, signal) {
    while (!signal.aborted && pages < 1_000) {
      pages += 1;
      yield [{ ...page[0], seq: pages }];
    }
  };
  const { asked, handled, viewers } = await stage(async () => undefined, endless, 200);
  const [response] = await once(asked, "response");
  response.on("error", () => undefined);
  response.pause();
  await handled;
  expect(viewers()).toBe(0);
  // Its socket takes some; after that two writes may be under way.
  expect(pages).toBeLessThan(40);
});

it.each([
  ["browsers", "stream", "retry: 1000\n\nid: 1\ndata: {}\n\n: heartbeat\n\n"],
  ["readers that take each block for an event", "show", "id: 1\ndata: {}\n\n: heartbeat\n"],
] as const)("gives a sign of life to %s", async (_name, show, expected) => {
  const goOn = Promise.withResolvers<void>();
  const paused: FollowReply = async function* paused() {
    yield [{ seq: 1, type: "assistant_chunk", json: "{}" }];
    // That nothing happens is no sign of itself.
    yield null;
    await goOn.promise;
    yield [{ seq: 2, type: "cancelled", json: "{}" }];
  };
  const { asked, handled } = await stage(async () => undefined, paused, 30_000, show, 100);
  const [response] = await once(asked, "response");
  let text = "";
  for await (const chunk of response) {
    text += String(chunk);
    if (text.includes("heartbeat")) goOn.resolve();
  }
  await handled;
  expect(text).toBe(`${expected}id: 2\ndata: {}\n\ndata: [DONE]\n\n`);
});

it("gives signs of life again and again, and none where something happens", async () => {
  const busy: FollowReply = async function* busy(_replyId, _after, signal) {
    for (let seq = 1; seq <= 40 && !signal.aborted; seq += 1) {
      yield [{ seq, type: "assistant_chunk", json: "{}" }];
      await delay(10);
    }
    await seen.promise;
  };
  const seen = Promise.withResolvers<void>();
  const { asked, handled } = await stage(async () => undefined, busy, 30_000, "show", 200);
  const [response] = await once(asked, "response");
  let text = "";
  for await (const chunk of response) {
    text += String(chunk);
    if (text.split(": heartbeat\n").length > 2) seen.resolve();
  }
  await handled;
  const [during = "", after = ""] = text.split("id: 40\n");
  expect(during).not.toContain("heartbeat");
  expect(after.split(": heartbeat\n").length).toBeGreaterThan(2);
});

it("says when a reply has ended, and gives the place back", async () => {
  const short: FollowReply = async function* short() {
    yield [{ seq: 1, type: "cancelled", json: "{}" }];
  };
  const { sse, asked, handled, viewers } = await stage(async () => undefined, short);
  const [response] = await once(asked, "response");
  let text = "";
  for await (const chunk of response) text += String(chunk);
  expect(text).toBe("retry: 1000\n\nid: 1\ndata: {}\n\ndata: [DONE]\n\n");
  await handled;
  expect(viewers()).toBe(0);
  sse.admit({ identity: null });
});

it("sends its head and what is there already in one write", async () => {
  const short: FollowReply = async function* short() {
    yield [{ seq: 1, type: "user_message", json: "{}" }];
    await Promise.resolve();
    yield [{ seq: 2, type: "assistant_chunk", json: "{}" }];
    await delay(50);
    yield [{ seq: 3, type: "cancelled", json: "{}" }];
  };
  let writes = 0;
  const count = async (_closed: unknown, { socket }: ServerResponse) => {
    if (socket === null) return;
    for (const way of ["_write", "_writev"] as const) {
      const write = socket[way]?.bind(socket) as (...given: unknown[]) => void;
      socket[way] = (...given: unknown[]) => {
        writes += 1;
        write(...given);
      };
    }
  };
  const { asked, handled } = await stage(count, short);
  const [response] = await once(asked, "response");
  let text = "";
  for await (const chunk of response) text += String(chunk);
  await handled;
  expect(text).toMatch(/^retry.*id: 1\n.*id: 2\n.*id: 3\n/s);
  expect(writes).toBe(2);
});

it("is not left waiting by pages that come while it looks for some, and closes them when it has gone", async () => {
  const looked = Promise.withResolvers<void>();
  let nexts = 0;
  let closed = 0;
  const open: OpenPages<FramedEvent> = (reader) => ({
    async next() {
      nexts += 1;
      if (nexts === 2) return [{ seq: 1, json: "{}" }];
      if (nexts === 1) {
        await looked.promise;
        reader.wake();
      }
      return "later";
    },
    close: () => void (closed += 1),
  });
  const { asked, handled } = await stage(async () => looked.resolve(), undefined, 30_000, open);
  const [response] = await once(asked, "response");
  for await (const chunk of response) if (String(chunk).includes("id: 1")) break;
  await handled;
  expect({ nexts, closed }).toEqual({ nexts: 3, closed: 1 });
});

it.each([
  ["waits", false],
  ["has gone before they began", true],
])("closes the pages of one who %s, once", async (_name, hasGone) => {
  let closed = 0;
  const open: OpenPages<FramedEvent> = () => ({
    next: () => "later",
    close: () => void (closed += 1),
  });
  const leave = Promise.withResolvers<void>();
  const { sse, asked, handled } = await stage(() => leave.promise, undefined, 30_000, open);
  if (hasGone) sse.closeAll();
  leave.resolve();
  await once(asked, "response");
  expect(closed).toBe(hasGone ? 1 : 0);
  sse.closeAll();
  await handled;
  expect(closed).toBe(1);
});

it("begins no stream any more that would keep the server from closing", async () => {
  const { sse, asked, handled } = await stage(async () => sse.closeAll());
  await once(asked, "response");
  await handled;
});
