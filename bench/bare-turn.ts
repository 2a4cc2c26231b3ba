/**
 * The least that a Node process can do for a turn: three prepared statements, and the model's answer as it comes.
 * node bench/bare-turn.ts <upstream-port> <database-url>. Prints its port.
 */
import { Agent, createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import pg from "pg";

const [upstreamPort, connectionString] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
const pool = new pg.Pool({ connectionString });
const ask = () => pool.query({ name: "bare", text: "SELECT $1::int", values: [1] });

const server = createServer((request, response) => {
  void answer();
  async function answer() {
    const { message } = JSON.parse(await text(request)) as { message: string };
    await ask();
    await ask();
    const upstream = forward({
      agent,
      host: "127.0.0.1",
      port: upstreamPort,
      path: "/v1/chat/completions",
      method: "POST",
    });
    upstream.on("response", (stream) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      stream.pipe(response, { end: false });
      stream.on("end", () => void ask().then(() => response.end()));
    });
    upstream.end(JSON.stringify({ messages: [{ role: "user", content: message }] }));
  }
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
