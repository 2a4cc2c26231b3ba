import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { prepareToClose, stopListening } from "./close-connections.ts";

async function listen(handler: RequestListener, graceMs?: number) {
  const server = createServer(handler);
  const beginClosing = prepareToClose(server, graceMs);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { server, beginClosing, port };
}

/** A connection that is only there. */
async function connected(server: Server, port: number) {
  const arrived = once(server, "connection");
  const socket = connect(port, "127.0.0.1");
  await arrived;
  return socket;
}

const closed = (server: Server) => new Promise((resolve) => server.close(resolve));

describe("a server that closes", () => {
  it("does not wait for connections that carry no request", async () => {
    const { server, beginClosing, port } = await listen((_request, response) => response.end("ok"));
    const ahead = await connected(server, port);
    const half = await connected(server, port);
    half.write("GET / HTTP/1.1\r\nHost: half");
    // This one stays open for the next request.
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("ok");
    const ends = Promise.all([once(ahead, "close"), once(half, "close")]);
    const done = closed(server);
    beginClosing();
    await Promise.all([done, ends]);
  });

  it("lets a request be answered", async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const { server, beginClosing, port } = await listen((_request, response) => {
      asked.resolve();
      void answer.promise.then(() => response.end("late"));
    });
    const response = fetch(`http://127.0.0.1:${port}/`);
    await asked.promise;
    const unused = await connected(server, port);
    const done = closed(server);
    beginClosing();
    // By now it has looked for what may end.
    await once(unused, "close");
    answer.resolve();
    expect(await (await response).text()).toBe("late");
    await done;
  });

  it("does not wait for an answer that nobody takes", async () => {
    const { server, beginClosing, port } = await listen((_request, response) => {
      response.write("never complete");
    }, 100);
    const response = await fetch(`http://127.0.0.1:${port}/`);
    const done = closed(server);
    beginClosing();
    await done;
    await expect(response.text()).rejects.toThrow("terminated");
  });
});

describe("a server that stops listening", () => {
  it("answers who is there, resets nobody who was waiting, and refuses whoever comes after", async () => {
    const { server, beginClosing, port } = await listen((_request, response) => response.end("ok"));
    const ask = async () => {
      const socket = connect(port, "127.0.0.1");
      socket.end("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      return await text(socket);
    };
    // Many at once: the event loop takes them one by one.
    const waiting = Array.from({ length: 50 }, ask);
    await once(server, "connection");
    await stopListening(server);
    for (const answer of await Promise.all(waiting)) expect(answer).toMatch(/^HTTP\/1\.1 200/);
    await expect(ask()).rejects.toMatchObject({ code: "ECONNREFUSED" });
    const done = closed(server);
    beginClosing();
    await done;
  });
});
