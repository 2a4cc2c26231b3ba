/** A model server for benchmarks: node bench/upstream.ts <tokens> <every-ms>. Prints its port. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const [tokens = 100, everyMs = 50] = process.argv.slice(2).map(Number);

const server = createServer((request, response) => {
  request.resume();
  if (request.url?.endsWith("/models") === true) {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ data: [{ id: "bench" }] }));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  let sent = 0;
  const next = () => {
    sent += 1;
    const isLast = sent > tokens;
    const delta = isLast ? {} : { content: `token${sent} ` };
    const choice = { index: 0, delta, finish_reason: isLast ? "stop" : null };
    response.write(`data: ${JSON.stringify({ id: "x", choices: [choice] })}\n\n`);
    if (!isLast) return;
    clearInterval(timer);
    response.end("data: [DONE]\n\n");
  };
  // The first token comes at once: what a client waits for it is what the relay adds.
  next();
  const timer = setInterval(next, everyMs);
  response.on("close", () => clearInterval(timer));
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
