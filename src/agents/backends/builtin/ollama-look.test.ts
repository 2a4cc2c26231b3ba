import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, test } from "vitest";
import { createOllamaLook } from "./ollama-look.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<string> {
  const listening = createServer(listener);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

const tags = (...names: unknown[]): RequestListener => {
  return (_request, response) =>
    response.end(JSON.stringify({ models: names.map((name) => ({ name })) }));
};

test("names a model that can talk", async () => {
  const url = await serve(tags("nomic-embed-text:latest", "qwen3:0.6b", "llama3.2:latest"));
  const found = await createOllamaLook(url).find();
  assert.deepEqual(found, { baseUrl: url, chatModel: "qwen3:0.6b" });
});

test("an Ollama without models, or with odd ones, is found but names none", async () => {
  for (const names of [[], ["nomic-embed-text"], ["x; rm -rf ~", "$(id)", "a\nb", 7, null]]) {
    const url = await serve(tags(...names));
    assert.deepEqual(await createOllamaLook(url).find(), { baseUrl: url, chatModel: null });
    server?.close();
  }
});

test.each<[string, RequestListener]>([
  ["another server", (_request, response) => response.writeHead(404).end("no")],
  ["something that is no JSON", (_request, response) => response.end("<html>")],
  ["another shape", (_request, response) => response.end('{"models": {}}')],
  ["null", (_request, response) => response.end("null")],
  ["a redirect", (_request, response) => response.writeHead(302, { location: "/api/tags" }).end()],
  ["an endless list", (_request, response) => endless(response)],
  ["one that never answers", () => {}],
])("%s is no Ollama", async (_name, listener) => {
  assert.equal(await createOllamaLook(await serve(listener)).find(), null);
});

function endless(response: Parameters<RequestListener>[1]): void {
  const more = () => {
    while (response.write(" ".repeat(65_536)));
    response.once("drain", more);
  };
  more();
}

test("nothing that listens, and nowhere to look", async () => {
  const url = await serve(tags("a"));
  await new Promise((resolve) => server?.close(resolve));
  assert.equal(await createOllamaLook(url).find(), null);
  assert.equal(await createOllamaLook(null).find(), null);
});

test("the answer is kept for 30 s and shared by those who ask meanwhile", async () => {
  let asked = 0;
  const url = await serve((request, response) => {
    asked += 1;
    assert.equal(request.url, "/api/tags");
    tags(`model-${asked}`)(request, response);
  });
  let now = 0;
  const look = createOllamaLook(url, () => now);
  await Promise.all([look.find(), look.find()]);
  now = 29_000;
  assert.equal((await look.find())?.chatModel, "model-1");
  now = 31_000;
  assert.equal((await look.find())?.chatModel, "model-2");
  assert.equal(asked, 2);
});
