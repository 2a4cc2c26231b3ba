/** The least that a Node process can do for a stream: node bench/bare-relay.ts <upstream-port>. Prints its port. */
import { Agent, createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";

const upstreamPort = Number(process.argv[2]);
const agent = new Agent({ keepAlive: true });

const server = createServer((request, response) => {
  const upstream = forward(
    {
      agent,
      host: "127.0.0.1",
      port: upstreamPort,
      path: "/v1/chat/completions",
      method: "POST",
    },
    (answer) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      answer.pipe(response);
    },
  );
  request.pipe(upstream);
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
