import { once } from "node:events";
import { createServer } from "node:net";

/** Listens there and stops at once. Raises what listening raises. */
export async function tryListening(host: string, port: number): Promise<void> {
  const server = createServer();
  server.listen(port, host);
  await once(server, "listening");
  server.close();
  await once(server, "close");
}
