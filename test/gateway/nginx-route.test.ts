import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { freePort } from "../support/backends.ts";
import { findNginx } from "../support/nginx.ts";

const nginx = findNginx();

/** The file in the documentation, word for word but for addresses. */
function documentedConfiguration(port: number, upstreamPort: number): string {
  const page = readFileSync(join(import.meta.dirname, "../../docs/gateway.md"), "utf8");
  const block = /```nginx\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  return block
    .replace("listen 80;", `listen 127.0.0.1:${port};`)
    .replaceAll(/server 10\.0\.0\.\d:8001/g, `server 127.0.0.1:${upstreamPort}`);
}

describe.skipIf(nginx === null)("the nginx route of docs/gateway.md", () => {
  const seen: IncomingMessage[] = [];
  /** Opened one after the other; the upstream waits at each of them. */
  let gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let url = "";
  let folder = "";
  let proxy: ReturnType<typeof spawn>;

  const open = () => gates.forEach((gate) => gate.resolve());

  // Sends no X-Accel-Buffering: the route must stream by itself.
  const upstream = createServer((request, response) => {
    seen.push(request);
    if (request.url === "/cut") {
      request.socket.destroy();
      return;
    }
    void (async () => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const [first, second] = gates;
      response.write("id: 1\ndata: first\n\n");
      await first?.promise;
      response.write("id: 2\ndata: second\n\n");
      await second?.promise;
      response.end("id: 3\ndata: third\n\n");
    })();
  });
  const sockets = new WebSocketServer({ server: upstream });
  sockets.on("connection", (socket) => {
    socket.on("message", (data) => socket.send(`echo ${String(data)}`));
  });

  beforeAll(async () => {
    upstream.listen(0, "127.0.0.1");
    await once(upstream, "listening");
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    folder = await mkdtemp(join(tmpdir(), "chat-nginx-"));
    const file = join(folder, "nginx.conf");
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((kind) => `${kind}_temp_path ${join(folder, kind)};`)
      .join("\n");
    await writeFile(
      file,
      `daemon off; master_process off; pid ${join(folder, "pid")}; error_log stderr;
       events {}
       http { access_log off; ${paths}
       ${documentedConfiguration(port, (upstream.address() as AddressInfo).port)} }`,
    );
    execFileSync(nginx ?? "", ["-t", "-p", folder, "-c", file, "-e", "stderr"], { stdio: "pipe" });
    proxy = spawn(nginx ?? "", ["-p", folder, "-c", file, "-e", "stderr"], { stdio: "ignore" });
    await vi.waitUntil(() => accepts(port), { timeout: 10_000 });
  });

  afterAll(async () => {
    open();
    proxy.kill("SIGTERM");
    if (proxy.exitCode === null && proxy.signalCode === null) await once(proxy, "exit");
    sockets.close();
    upstream.closeAllConnections();
    upstream.close();
    await rm(folder, { recursive: true });
  });

  beforeEach(() => {
    seen.length = 0;
    gates = [Promise.withResolvers(), Promise.withResolvers()];
  });

  test("an event arrives while the reply is still being made", async () => {
    const response = await fetch(`${url}/chat/message/stream`, { method: "POST", body: "{}" });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    // Each is only written once the one before has been read through the proxy.
    expect((await reader.read()).value).toContain("first");
    gates[0]?.resolve();
    expect((await reader.read()).value).toContain("second");
    gates[1]?.resolve();
    expect((await reader.read()).value).toContain("third");
    expect((await reader.read()).done).toBe(true);
  });

  test("the caller's own word about its address does not arrive, its token and request id do", async () => {
    open();
    await fetch(`${url}/chat/message/stream`, {
      headers: {
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil.example",
        "x-forwarded-port": "1",
        "x-real-ip": "203.0.113.9",
        forwarded: "for=203.0.113.9;host=evil.example",
        "x-request-id": "mine",
        "last-event-id": "7",
        authorization: "Bearer t",
      },
    });
    await fetch(`${url}/chat/message/stream`);
    expect(seen[0]?.headers).toMatchObject({
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      "x-forwarded-host": "127.0.0.1",
      "x-request-id": "mine",
      "last-event-id": "7",
      authorization: "Bearer t",
    });
    for (const name of ["x-forwarded-port", "x-real-ip", "forwarded"]) {
      expect(seen[0]?.headers[name], name).toBeUndefined();
    }
    expect(seen[1]?.headers["x-request-id"]).toMatch(/^[0-9a-f]{32}$/);
  });

  test("a POST whose connection is cut is sent once, a GET to another node as well", async () => {
    expect((await fetch(`${url}/cut`, { method: "POST", body: "{}" })).status).toBe(502);
    expect(seen.length).toBe(1);
    expect((await fetch(`${url}/cut`)).status).toBe(502);
    expect(seen.length).toBe(3);
  });

  test("WebSockets go through", async () => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/chat/ws`);
    await once(socket, "open");
    socket.send("hello");
    const [data] = (await once(socket, "message")) as [Buffer];
    expect(String(data)).toBe("echo hello");
    socket.close();
    await once(socket, "close");
  });

  test("uploads go on as they come, up to the size the service wants to judge itself", async () => {
    open();
    const body = new Uint8Array(11 * 1024 * 1024);
    expect((await fetch(`${url}/upload`, { method: "POST", body })).status).toBe(200);
    const tooLarge = new Uint8Array(13 * 1024 * 1024);
    expect((await fetch(`${url}/upload`, { method: "POST", body: tooLarge })).status).toBe(413);
  });
});

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
