import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, createGzip, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { Problem } from "../../problems/problem.ts";
import { silentLogger, type Logger } from "../../telemetry/logger.ts";
import { AgentInterrupted } from "../agent-backend.ts";
import { createServerSentEventParser } from "./event-reader.ts";
import { UpstreamError, upstreamErrorOf } from "./upstream-error.ts";
import { createUpstream, type Upstream, type UpstreamOptions } from "./upstream.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

let server: Server;
let handler: Handler;
let received: IncomingMessage[];
let sockets: Set<Socket>;
let connections: number;
let logged: string[];
let slept: number[];
let upstream: Upstream;
const never = new AbortController().signal;

const log: Logger = {
  ...silentLogger,
  debug: (fields, message) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  warn: (fields, message) => void logged.push(`${message} ${JSON.stringify(fields)}`),
};

function connect(options: Partial<UpstreamOptions> = {}): Upstream {
  return createUpstream({
    name: "peer",
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`,
    idleTimeoutMs: 10_000,
    log,
    random: () => 0,
    sleep: (ms) => {
      slept.push(ms);
      return Promise.resolve();
    },
    ...options,
  });
}

beforeEach(async () => {
  received = [];
  logged = [];
  slept = [];
  connections = 0;
  sockets = new Set();
  handler = (_request, response) => response.end();
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push(request);
      handler(request, response, Buffer.concat(chunks));
    });
  });
  server.on("connection", (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  upstream = connect();
});

afterEach(async () => {
  await upstream.close();
  server.closeAllConnections();
  server.close();
});

const post = { method: "POST", path: "/run", body: "{}", signal: never, agentId: "a" } as const;

async function collect(
  request: Partial<Parameters<Upstream["stream"]>[0]> = {},
): Promise<{ data: string[]; error: unknown }> {
  const data: string[] = [];
  try {
    for await (const event of upstream.stream({ ...post, ...request })) data.push(event.data);
    return { data, error: null };
  } catch (error) {
    return { data, error };
  }
}

/** Takes the first event and leaves. */
async function readOne(): Promise<string | null> {
  for await (const { data } of upstream.stream(post)) return data;
  return null;
}

function typeOf(error: unknown): string | undefined {
  return error instanceof Problem ? error.type : undefined;
}

describe("stream", () => {
  test("gives events with name, id and data until the peer ends", async () => {
    handler = (_request, response) =>
      response.end("event: RunStarted\nid: 7\ndata: {\n\ndata: a\ndata: b\n\n: comment\n\n");
    const events = [];
    for await (const event of upstream.stream(post)) events.push(event);
    expect(events).toEqual([
      { event: "RunStarted", id: "7", data: "{" },
      { event: undefined, id: undefined, data: "a\nb" },
    ]);
  });

  test("does not look at the media type, and takes a last event without its blank line", async () => {
    handler = (_request, response) => {
      response.setHeader("content-type", "text/plain");
      response.end("data: one\n\ndata: two\n");
    };
    expect(await collect()).toEqual({ data: ["one", "two"], error: null });
  });

  test("an event whose line is cut off is no event", async () => {
    handler = (_request, response) => response.end("data: one\n\ndata: tw");
    expect(await collect()).toEqual({ data: ["one"], error: null });
  });

  test("events are the same however the bytes are cut", async () => {
    const texts = ["plain", "你好，世界", "👩🏽‍🚀 ünïcödé", " spaced ", ""];
    const bytes = Buffer.from(texts.map((text) => `data: ${text}\r\n\r\n`).join(""));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(bytes.length), { maxLength: 12 }), async (cuts) => {
        const bounds = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        handler = (_request, response) => {
          response.flushHeaders();
          let index = 0;
          const next = () => {
            if (index >= bounds.length - 1) return void response.end();
            response.write(bytes.subarray(bounds[index], bounds[index + 1]));
            index += 1;
            setImmediate(next);
          };
          next();
        };
        expect(await collect()).toEqual({ data: texts.map((text) => text), error: null });
      }),
      { numRuns: 40 },
    );
  });

  test("the first event arrives while the answer goes on", async () => {
    handler = (_request, response) => void response.write("data: first\n\n");
    expect(await readOne()).toBe("first");
  });

  describe("events that are taken at their arrival", () => {
    /** Goes on until an event is to be waited for; with what was taken before. */
    async function take(isDone: (data: string) => boolean, idleTimeoutMs = 10_000) {
      await upstream.close();
      upstream = connect({ idleTimeoutMs });
      const { first, rest } = await upstream.open(post, createServerSentEventParser);
      const taken: string[] = [];
      const next = () =>
        rest.next((events) => {
          taken.push(...events.map(({ data }) => data));
          return events.every(({ data }) => isDone(data));
        });
      return { first: first?.map(({ data }) => data), taken, next, close: () => rest.close() };
    }
    const say = async (response: ServerResponse, texts: readonly string[], eachMs = 20) => {
      for (const data of texts) {
        response.write(`data: ${data}\n\n`);
        await sleep(eachMs);
      }
    };

    test("are not waited for, and the others are", async () => {
      const heard = Promise.withResolvers<void>();
      handler = (_request, response) => {
        void say(response, ["first", "a", "b", "stop"]);
        void heard.promise.then(() => response.end("data: c\n\n"));
      };
      const { first, taken, next } = await take((data) => data !== "stop");
      expect(first).toEqual(["first"]);
      expect((await next())?.at(-1)?.data).toBe("stop");
      heard.resolve();
      expect(await next()).toBeNull();
      expect(taken).toEqual(["a", "b", "stop", "c"]);
    });

    test("are life: an answer that goes on for longer than it may be silent is not cut", async () => {
      const texts = Array.from({ length: 12 }, (_, index) => `${index}`);
      handler = (_request, response) => {
        void say(response, texts, 100).then(() => response.end());
      };
      const { taken, next } = await take(() => true, 700);
      expect(await next()).toBeNull();
      expect(taken).toHaveLength(11);
    });

    test("silence after them is a fault", async () => {
      handler = (_request, response) => void say(response, ["first", "a"]);
      const { next } = await take(() => true, 300);
      await expect(next()).rejects.toMatchObject({ fault: "idle_timeout" });
    });

    test("raise what taking them raises, and may end the exchange", async () => {
      handler = (_request, response) => void say(response, ["first", "a", "b"]);
      const reason = new Error("not this one");
      const raising = await take(() => {
        throw reason;
      });
      await expect(raising.next()).rejects.toBe(reason);
      const closing = await take(() => {
        closing.close();
        return true;
      });
      await expect(closing.next()).rejects.toThrow("closed");
    });
  });

  test("connections are used again after an answer that ended", async () => {
    handler = (_request, response) => response.end("data: x\n\n");
    for (let i = 0; i < 6; i += 1) await collect();
    // Two, because the next request may come before the last answer is quite over.
    expect(connections).toBeLessThanOrEqual(2);
  });

  test("an abort closes the socket at once and raises its reason", async () => {
    const stop = new AbortController();
    const reason = new Error("stopped on purpose");
    const closed = new Promise<void>((resolve) => {
      handler = (request, response) => {
        request.socket.on("close", () => resolve());
        response.write("data: first\n\n");
      };
    });
    const running = (async () => {
      for await (const { data } of upstream.stream({ ...post, signal: stop.signal })) {
        expect(data).toBe("first");
        stop.abort(reason);
      }
    })();
    await expect(running).rejects.toBe(reason);
    await closed;
  });

  test("an abort before the headers closes the socket", async () => {
    const stop = new AbortController();
    const closed = new Promise<void>((resolve) => {
      handler = (request) => {
        request.socket.on("close", () => resolve());
        stop.abort(new Error("stopped"));
      };
    });
    expect((await collect({ signal: stop.signal })).error).toBe(stop.signal.reason);
    await closed;
  });

  test("a signal that is aborted already sends nothing", async () => {
    const { error } = await collect({ signal: AbortSignal.abort(new Error("too late")) });
    expect(error).toEqual(new Error("too late"));
    expect(received).toHaveLength(0);
  });

  test("a reader that leaves closes the socket", async () => {
    const closed = new Promise<void>((resolve) => {
      handler = (request, response) => {
        request.socket.on("close", () => resolve());
        response.write("data: first\n\n");
      };
    });
    await readOne();
    await closed;
  });

  test("headers, first event and silence each have a limit", async () => {
    upstream = connect({ headersTimeoutMs: 80, firstEventTimeoutMs: 160, idleTimeoutMs: 120 });
    const limits = [];
    for (const text of [null, ": comment\n\n", "data: x\n\n"]) {
      handler = (_request, response) => {
        if (text !== null) response.write(text);
      };
      const { error } = await collect();
      expect(typeOf(error)).toBe("agent_timeout");
      limits.push([upstreamErrorOf(error)?.fault, upstreamErrorOf(error)?.limitMs]);
    }
    expect(limits).toEqual([
      ["headers_timeout", 80],
      ["first_event_timeout", 160],
      ["idle_timeout", 120],
    ]);
  });

  test("comments are life once there was an event", async () => {
    upstream = connect({ idleTimeoutMs: 500 });
    handler = (_request, response) => {
      response.write("data: first\n\n");
      let comments = 0;
      const timer = setInterval(() => {
        comments += 1;
        if (comments < 16) return void response.write(": still here\n\n");
        clearInterval(timer);
        response.end("data: last\n\n");
      }, 50);
    };
    expect(await collect()).toEqual({ data: ["first", "last"], error: null });
  });

  test("a slow reader is no silence of the peer", async () => {
    upstream = connect({ idleTimeoutMs: 60 });
    let finish = () => {};
    handler = (_request, response) => {
      response.write("data: first\n\n");
      finish = () => response.end("data: last\n\n");
    };
    const seen: string[] = [];
    for await (const { data } of upstream.stream(post)) {
      seen.push(data);
      if (data === "first") {
        await new Promise((resolve) => setTimeout(resolve, 200));
        finish();
      }
    }
    expect(seen).toEqual(["first", "last"]);
  });

  test("a reader that stands still stops the peer: memory stays bounded", async () => {
    const block = `data: ${"x".repeat(1_000)}\n\n`.repeat(64);
    let written = 0;
    let stalled = () => {};
    const standsStill = new Promise<void>((resolve) => (stalled = resolve));
    handler = (_request, response) => {
      const fill = () => {
        while (written < 200 * 1024 * 1024) {
          written += block.length;
          if (!response.write(block)) break;
        }
        // The kernel's buffers are full when no drain comes for a while.
        const timer = setTimeout(stalled, 500);
        response.once("drain", () => {
          clearTimeout(timer);
          fill();
        });
      };
      fill();
    };
    const events = upstream.stream(post);
    await events.next();
    await standsStill;
    expect(written).toBeLessThan(32 * 1024 * 1024);
    await events.return();
  });

  test("an event beyond the limit ends it, whether it has one line or many", async () => {
    upstream = connect({ maxEventBytes: 10_000 });
    for (const line of ["data: ", ": "]) {
      handler = (_request, response) => {
        response.write("data: first\n\n");
        response.write(line);
        for (let i = 0; i < 20; i += 1) response.write("x".repeat(1_000));
      };
      const { data, error } = await collect();
      expect(data).toEqual(["first"]);
      expect(typeOf(error)).toBe("agent_failed");
      expect(upstreamErrorOf(error)?.fault).toBe("too_large");
    }
    handler = (_request, response) => {
      for (let i = 0; i < 20; i += 1) response.write(`data: ${"x".repeat(1_000)}\n`);
    };
    expect(upstreamErrorOf((await collect()).error)?.fault).toBe("too_large");
  });

  test("a break before the first event has failed, after it the run is interrupted", async () => {
    handler = (request) => request.socket.destroy();
    expect(typeOf((await collect()).error)).toBe("agent_failed");
    handler = (_request, response) => {
      response.write(": comment\n\n", () => setImmediate(() => response.destroy()));
    };
    expect(typeOf((await collect()).error)).toBe("agent_failed");
    handler = (_request, response) => {
      response.write("data: first\n\n", () => setImmediate(() => response.destroy()));
    };
    const { data, error } = await collect();
    expect(data).toEqual(["first"]);
    expect(error).toBeInstanceOf(AgentInterrupted);
    expect(received).toHaveLength(3);
  });

  test("what is no HTTP has failed", async () => {
    handler = (request) => void request.socket.end("SSH-2.0-OpenSSH_9.9\r\n");
    expect(typeOf((await collect()).error)).toBe("agent_failed");
  });
});

describe("refusals", () => {
  function refuse(status: number, headers: Record<string, string> = {}): void {
    handler = (_request, response) => {
      response.writeHead(status, headers);
      response.end(JSON.stringify({ error: { code: "model_gone", message: "secret words" } }));
    };
  }

  test.each([
    [400, "agent_failed"],
    [401, "agent_failed"],
    [403, "agent_failed"],
    [404, "agent_failed"],
    [307, "agent_failed"],
    [422, "agent_failed"],
    [500, "agent_failed"],
    [429, "agent_unavailable"],
    [502, "agent_unavailable"],
    [503, "agent_unavailable"],
    [504, "agent_unavailable"],
  ])("%i is %s, with status and excerpt for the adapter", async (status, type) => {
    refuse(status);
    const { error } = await collect();
    expect(typeOf(error)).toBe(type);
    const cause = upstreamErrorOf(error);
    expect(cause?.status).toBe(status);
    expect(cause?.bodyExcerpt).toContain("secret words");
    expect(cause?.message).toBe(`POST /base/run was answered with ${status} (model_gone)`);
    expect(received).toHaveLength(1);
  });

  test("the peer's words are in no message and in nothing that is printed", async () => {
    refuse(500);
    const { error } = await collect();
    const printed = `${String(error)} ${JSON.stringify(error)} ${logged.join()}`;
    expect(printed).not.toContain("secret words");
    const cause = upstreamErrorOf(error);
    expect(JSON.stringify({ ...cause, message: cause?.message })).not.toContain("secret words");
  });

  test("only 4 KiB of an error answer are read, and an endless one is not waited for", async () => {
    let written = 0;
    handler = (_request, response) => {
      response.writeHead(500);
      const fill = () => {
        do written += 65_536;
        while (response.write("y".repeat(65_536)) && !response.destroyed);
        response.once("drain", fill);
      };
      fill();
    };
    const { error } = await collect();
    expect(upstreamErrorOf(error)?.bodyExcerpt).toHaveLength(4096);
    expect(written).toBeLessThan(32 * 1024 * 1024);
  });

  test("is tried again when that is allowed and may help, at most twice", async () => {
    for (const status of [429, 502, 503, 504]) {
      received = [];
      slept = [];
      await upstream.close();
      upstream = connect();
      refuse(status);
      expect(typeOf((await collect({ retryable: true })).error)).toBe("agent_unavailable");
      expect(received).toHaveLength(3);
      expect(slept).toEqual([250, 250]);
    }
  });

  test("is not tried again when that is not allowed or would not help", async () => {
    refuse(503);
    await collect({ retryable: false });
    expect(received).toHaveLength(1);
    refuse(500);
    await collect({ retryable: true });
    expect(received).toHaveLength(2);
  });

  test("a retry that succeeds gives its events, once", async () => {
    handler = (_request, response) => {
      if (received.length < 3) response.writeHead(503).end("busy");
      else response.end("data: at last\n\n");
    };
    expect(await collect({ retryable: true })).toEqual({ data: ["at last"], error: null });
    expect(received).toHaveLength(3);
    expect(logged).toHaveLength(2);
  });

  test("Retry-After is waited for up to 30 s, and told to the caller beyond", async () => {
    refuse(429, { "retry-after": "12" });
    await collect({ retryable: true });
    expect(slept).toEqual([12_000, 12_000]);
    received = [];
    refuse(429, { "retry-after": "90" });
    const { error } = await collect({ retryable: true });
    expect(received).toHaveLength(1);
    expect(error).toMatchObject({ type: "agent_unavailable", retryAfterSeconds: 90 });
  });

  test("is never tried again after an event", async () => {
    handler = (_request, response) => {
      response.write("data: first\n\n", () => setImmediate(() => response.destroy()));
    };
    await collect({ retryable: true });
    expect(received).toHaveLength(1);
  });

  test("an abort ends the wait for a retry", async () => {
    const stop = new AbortController();
    upstream = connect({
      sleep: (_ms, signal) => {
        stop.abort(new Error("stopped"));
        return signal.aborted ? Promise.reject(signal.reason as Error) : Promise.resolve();
      },
    });
    refuse(503);
    const { error } = await collect({ retryable: true, signal: stop.signal });
    expect(error).toBe(stop.signal.reason);
    expect(received).toHaveLength(1);
  });
});

describe("a peer that is not there", () => {
  test("is unavailable, also for requests that may not be repeated: nothing was sent", async () => {
    upstream = connect({ baseUrl: "http://127.0.0.1:1" });
    const { error } = await collect({ retryable: false });
    expect(error).toMatchObject({ type: "agent_unavailable", retryAfterSeconds: 5 });
    expect(slept).toHaveLength(2);
  });

  test("is unavailable when its name is unknown", async () => {
    upstream = connect({ baseUrl: "http://no-such-host.invalid", maxRetries: 0 });
    expect(typeOf((await collect()).error)).toBe("agent_unavailable");
    expect(slept).toHaveLength(0);
  });

  test("is not asked any more once half of ten calls failed, and asked again after a while", async () => {
    const clock = { ms: 0 };
    upstream = connect({ maxRetries: 0, now: () => clock.ms });
    handler = (_request, response) => response.writeHead(500).end();
    for (let i = 0; i < 10; i += 1) await collect();
    expect(received).toHaveLength(10);
    expect(upstream.circuit).toBe("open");
    const { error } = await collect();
    expect(error).toMatchObject({ type: "agent_unavailable", retryAfterSeconds: 10 });
    expect(received).toHaveLength(10);
    clock.ms += 10_000;
    handler = (_request, response) => response.end("data: back\n\n");
    expect((await collect()).data).toEqual(["back"]);
    expect(upstream.circuit).toBe("closed");
    expect(logged.map((line) => /"circuit":"(\w+)"/.exec(line)?.[1])).toEqual([
      "open",
      "half_open",
      "closed",
    ]);
  });

  test("refusals of single requests and aborts do not open the circuit", async () => {
    handler = (_request, response) => response.writeHead(404).end();
    for (let i = 0; i < 20; i += 1) await collect();
    handler = (_request, response) => void response.write("data: x\n\n");
    for (let i = 0; i < 20; i += 1) {
      await readOne();
    }
    expect(upstream.circuit).toBe("closed");
  });
});

describe("requests", () => {
  test("carry the base path, headers of the upstream and of the request, and a body", async () => {
    let body = "";
    handler = (_request, response, bytes) => {
      body = bytes.toString();
      response.end("data: x\n\n");
    };
    upstream = connect({ headers: () => ({ Authorization: "Bearer k", "x-one": "1" }) });
    await collect({
      path: "/agents/%E4%BD%A0/runs",
      query: { stream: true, q: "a b&c", none: undefined },
      headers: { "X-One": "2" },
      body: '{"你":1}',
    });
    expect(received[0]?.url).toBe("/base/agents/%E4%BD%A0/runs?stream=true&q=a+b%26c");
    expect(received[0]?.headers).toMatchObject({
      accept: "text/event-stream",
      authorization: "Bearer k",
      "content-type": "application/json",
      "x-one": "2",
    });
    expect(body).toBe('{"你":1}');
  });

  test("forms are encoded, and sent again whole", async () => {
    const bodies: string[] = [];
    handler = (request, response, bytes) => {
      bodies.push(`${request.headers["content-type"]}\n${bytes.toString()}`);
      if (bodies.length % 2 === 1) response.writeHead(503).end();
      else response.end("data: x\n\n");
    };
    await collect({ body: new URLSearchParams({ message: "a&b 你" }), retryable: true });
    const form = new FormData();
    form.set("message", "hello 你");
    form.set("files", new Blob(["content"], { type: "text/plain" }), "note.txt");
    await collect({ body: form, retryable: true });
    expect(bodies).toHaveLength(4);
    expect(bodies[0]).toBe("application/x-www-form-urlencoded\nmessage=a%26b+%E4%BD%A0");
    expect(bodies[1]).toBe(bodies[0]);
    expect(bodies[2]).toMatch(/^multipart\/form-data; boundary=/);
    expect(bodies[2]).toContain('name="files"; filename="note.txt"');
    expect(bodies[2]).toContain("hello 你");
    expect(bodies[3]).toBe(bodies[2]);
  });

  test("forms arrive byte for byte", async () => {
    const texts = ["a\nb", "a\r\nb\rc", "\n\n\tcode\n", "--form-x\r\n", "", "你 \u2028 🙂", 'a"b'];
    const form = new FormData();
    for (const text of texts) form.append("text", text);
    form.append("file", new File([Uint8Array.of(0, 13, 10, 255)], 'a"\n.bin'));
    let sent = new Response();
    handler = (request, response, bytes) => {
      const headers = { "content-type": String(request.headers["content-type"]) };
      sent = new Response(new Uint8Array(bytes), { headers });
      response.end("data: x\n\n");
    };
    await collect({ body: form });
    const received = await sent.formData();
    expect(received.getAll("text")).toEqual(texts);
    const file = received.get("file") as File;
    expect(file.name).toBe('a"\n.bin');
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(Uint8Array.of(0, 13, 10, 255));
  });

  test("a user and password in the address are sent as Basic", async () => {
    const { port } = server.address() as AddressInfo;
    upstream = connect({ baseUrl: `http://us%40er:p%3Aw@127.0.0.1:${port}` });
    await collect();
    expect(received[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from("us@er:p:w").toString("base64")}`,
    );
  });

  test("an address that is none is refused without showing it", () => {
    expect(() => connect({ baseUrl: "ftp://user:hunter2@host" })).toThrow(
      new TypeError("the address of peer is no http or https URL"),
    );
  });

  test("a header that cannot be sent is a bug, not a fault of the peer", async () => {
    const { error } = await collect({ headers: { "x-bad": "a\nb" } });
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(Problem);
    expect(received).toHaveLength(0);
  });
});

describe("json", () => {
  const get = { method: "GET", path: "/thing", signal: never, agentId: "a" } as const;

  test("gives the parsed body, undefined for an empty one", async () => {
    handler = (_request, response) => response.end('{"a": "你"}');
    expect(await upstream.json(get)).toEqual({ a: "你" });
    handler = (_request, response) => response.writeHead(204).end();
    expect(await upstream.json(get)).toBeUndefined();
  });

  test("GET is repeated, POST only when it may be", async () => {
    handler = (_request, response) => response.writeHead(503).end();
    await expect(upstream.json(get)).rejects.toMatchObject({ type: "agent_unavailable" });
    expect(received).toHaveLength(3);
    await expect(upstream.json({ ...get, method: "POST" })).rejects.toBeInstanceOf(Problem);
    expect(received).toHaveLength(4);
    await expect(upstream.json({ ...get, maxRetries: 0 })).rejects.toBeInstanceOf(Problem);
    expect(received).toHaveLength(5);
  });

  test("GET is repeated when the connection broke, POST is not", async () => {
    handler = (request, response) => {
      if (received.length === 1) request.socket.destroy();
      else response.end("1");
    };
    expect(await upstream.json(get)).toBe(1);
    received = [];
    await expect(upstream.json({ ...get, method: "POST" })).rejects.toMatchObject({
      type: "agent_failed",
    });
    expect(received).toHaveLength(1);
  });

  test("a body that is no JSON has failed, and is not quoted", async () => {
    handler = (_request, response) => response.end("secret words");
    const error = await upstream.json(get).catch((caught: unknown) => caught);
    expect(typeOf(error)).toBe("agent_failed");
    expect(upstreamErrorOf(error)?.fault).toBe("malformed");
    const texts = [];
    for (let each = error; each instanceof Error; each = each.cause) texts.push(each.message);
    expect(texts.join()).not.toContain("secret words");
  });

  test("a body beyond the limit is refused", async () => {
    upstream = connect({ maxBodyBytes: 1_000 });
    handler = (_request, response) => response.end(`"${"x".repeat(1_000)}"`);
    const error = await upstream.json(get).catch((caught: unknown) => caught);
    expect(upstreamErrorOf(error)?.fault).toBe("too_large");
  });

  test("a body that trickles is cut off in time", async () => {
    handler = (_request, response) => {
      response.write("[");
      const timer = setInterval(() => response.write(" "), 10);
      response.on("close", () => clearInterval(timer));
    };
    const error = await upstream
      .json({ ...get, timeoutMs: 100 })
      .catch((caught: unknown) => caught);
    expect(typeOf(error)).toBe("agent_timeout");
  });

  test("an abort raises its reason and closes the socket", async () => {
    const stop = new AbortController();
    const closed = new Promise<void>((resolve) => {
      handler = (request) => {
        request.socket.on("close", () => resolve());
        stop.abort(new Error("stopped"));
      };
    });
    await expect(upstream.json({ ...get, signal: stop.signal })).rejects.toThrow("stopped");
    await closed;
  });
});

describe("an answer that is packed", () => {
  const text = "data: 你好\n\ndata: b\n\n";
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
    [" GZIP ", gzipSync],
  ])("with %s is unpacked, a stream as well as a body", async (encoding, pack) => {
    handler = (request, response) => {
      response.setHeader("content-encoding", encoding);
      response.end(pack(Buffer.from(request.url === "/base/run" ? text : '{"a":1}')));
    };
    expect(await collect()).toEqual({ data: ["你好", "b"], error: null });
    expect(await upstream.json({ ...post, method: "GET", path: "/x" })).toEqual({ a: 1 });
  });

  test("is told piece by piece, as it comes", async () => {
    const read = Promise.withResolvers<void>();
    handler = (_request, response) => {
      response.setHeader("content-encoding", "gzip");
      const gzip = createGzip();
      gzip.pipe(response);
      gzip.write("data: first\n\n");
      gzip.flush(() => void read.promise.then(() => gzip.end("data: second\n\n")));
    };
    const events: string[] = [];
    for await (const { data } of upstream.stream(post)) {
      events.push(data);
      read.resolve();
    }
    expect(events).toEqual(["first", "second"]);
  });

  test("but is not what it says has failed, and an error's words are still understood", async () => {
    handler = (_request, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end("plain");
    };
    expect(typeOf((await collect()).error)).toBe("agent_failed");
    handler = (_request, response) => {
      response.writeHead(400, { "content-encoding": "gzip" });
      response.end(gzipSync('{"error":{"code":"context_length_exceeded"}}'));
    };
    const { error } = await collect();
    expect(upstreamErrorOf(error)?.bodyExcerpt).toContain("context_length_exceeded");
  });

  test("stays within the limit of an event, however well it is packed", async () => {
    await upstream.close();
    upstream = connect({ maxEventBytes: 1_000_000 });
    handler = (_request, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end(gzipSync(`data: ${"x".repeat(50_000_000)}\n\n`));
    };
    const { error } = await collect();
    expect(upstreamErrorOf(error)?.fault).toBe("too_large");
  });
});

describe("a redirect", () => {
  const redirect = (status: number, location: string) => {
    handler = (request, response, body) => {
      if (request.url === "/base/run") response.writeHead(status, { location }).end();
      else response.end(`data: ${request.method} ${request.url} ${body.toString()}\n\n`);
    };
  };

  test.each([301, 302, 307, 308])(
    "%i within the host is followed with the same request",
    async (status) => {
      redirect(status, "/base/run/?x=1");
      expect(await collect()).toEqual({ data: ["POST /base/run/?x=1 {}"], error: null });
      expect(logged).toHaveLength(1);
      expect(logged[0]).toContain("/base/run/");
      await collect();
      expect(logged).toHaveLength(1);
    },
  );

  test.each(["http://elsewhere.invalid/v1", "http://127.0.0.1:1/v1", "", "http://["])(
    "to %j is not followed",
    async (location) => {
      redirect(307, location);
      const { error } = await collect();
      expect(upstreamErrorOf(error)?.status).toBe(307);
      expect(received).toHaveLength(1);
    },
  );

  test("in a circle ends", async () => {
    redirect(308, "/base/run");
    expect(upstreamErrorOf((await collect()).error)?.status).toBe(308);
    expect(received).toHaveLength(7);
  });
});

describe("a kept connection that the peer closes when it is used again", () => {
  /** Answers the first request of each connection, and resets it at the second. */
  const closeUsed = () => {
    const used = new WeakSet<Socket>();
    handler = (request, response) => {
      if (used.has(request.socket)) return void request.socket.resetAndDestroy();
      used.add(request.socket);
      response.end("data: x\n\n");
    };
  };

  test("is replaced at once where the request may be repeated", async () => {
    closeUsed();
    for (let turn = 0; turn < 5; turn += 1) {
      expect(await collect({ retryable: true, maxRetries: 0 })).toEqual({
        data: ["x"],
        error: null,
      });
    }
    expect(slept).toEqual([]);
    expect(connections).toBeGreaterThan(2);
  });

  test("has failed where it may not, and where it was new", async () => {
    closeUsed();
    expect((await collect()).error).toBeNull();
    await new Promise((resolve) => setImmediate(resolve));
    expect(typeOf((await collect()).error)).toBe("agent_failed");
    handler = (request) => request.socket.resetAndDestroy();
    expect(typeOf((await collect({ retryable: true })).error)).toBe("agent_failed");
    expect(received).toHaveLength(3);
  });
});

test("what is no HTTP on a connection is no closing of a kept one", async () => {
  handler = (request) => request.socket.end("\u0000 this is no HTTP \r\n\r\n");
  expect(typeOf((await collect({ retryable: true })).error)).toBe("agent_failed");
  expect(received).toHaveLength(1);
});

test("comments are life also before the first event, as a server sends that loads its model", async () => {
  await upstream.close();
  upstream = connect({ firstEventTimeoutMs: 1_000, headersTimeoutMs: 5_000 });
  handler = (_request, response) => {
    let comments = 0;
    const timer = setInterval(() => {
      comments += 1;
      if (comments < 8) return void response.write(": still loading\n\n");
      clearInterval(timer);
      response.end("data: x\n\n");
    }, 200);
  };
  expect(await collect()).toEqual({ data: ["x"], error: null });
});

test("close ends what is running and may be called twice", async () => {
  handler = (_request, response) => void response.write("data: x\n\n");
  const events = upstream.stream(post);
  await events.next();
  const rest = events.next();
  await upstream.close();
  await expect(rest).rejects.toBeInstanceOf(AgentInterrupted);
  await upstream.close();
  expect(new UpstreamError("broken", "x").status).toBeUndefined();
});
