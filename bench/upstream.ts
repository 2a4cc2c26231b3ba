/**
 * A model server for benchmarks: node bench/upstream.ts <every-ms>. Prints its port. The last message is how many tokens
 * to send, and perhaps how far apart: then each tells when it was written, or at 0 all are in one write.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

const everyMs = Number(process.argv[2] ?? 50);

const server = createServer((request, response) => void answer(request, response));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url?.endsWith("/models") === true) {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ data: [{ id: "bench" }] }));
    return;
  }
  const { messages } = (await json(request)) as { messages: readonly { content: string }[] };
  const [tokens = 0, ownMs] = (messages.at(-1)?.content ?? "").split(" ").map(Number);
  response.writeHead(200, { "content-type": "text/event-stream" });
  const event = (delta: object, isLast = false) => {
    const choice = { index: 0, delta, finish_reason: isLast ? "stop" : null };
    return `data: ${JSON.stringify({ id: "x", choices: [choice] })}\n\n`;
  };
  const token = (count: number) => event({ content: `token${count} ` });
  if (ownMs === 0) {
    const all = Array.from({ length: tokens }, (_, index) => token(index + 1));
    response.end(`${all.join("")}${event({}, true)}data: [DONE]\n\n`);
    return;
  }
  let sent = 0;
  const next = () => {
    sent += 1;
    const isLast = sent > tokens;
    if (isLast) response.write(event({}, true));
    else response.write(ownMs === undefined ? token(sent) : event({ content: `at${Date.now()} ` }));
    if (!isLast) return;
    clearInterval(timer);
    response.end("data: [DONE]\n\n");
  };
  // The first token comes at once: what a client waits for it is what the relay adds. The others keep a time of their
  // own, as models do: streams that tick together would wake a relay once for all of them.
  next();
  let timer = setTimeout(
    () => {
      timer = setInterval(next, ownMs ?? everyMs);
    },
    Math.random() * (ownMs ?? everyMs),
  );
  response.on("close", () => clearInterval(timer));
}

server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
