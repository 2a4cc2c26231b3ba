import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Listens there and stops at once. Raises what listening raises. Whoever connects in between is dropped. */
export async function tryListening(host: string, port: number): Promise<void> {
  const server = createServer();
  server.listen(port, host);
  await once(server, "listening");
  server.close();
  await once(server, "close");
}

/**
 * Raises what listening there would raise, as far as that can be told without listening: a balancer sends requests to
 * whatever takes its connections. `host` is one that can be connected to.
 */
export async function expectFree(host: string, port: number): Promise<void> {
  // Of the address alone: nobody knows the port.
  await tryListening(host, 0);
  if (port !== 0 && (await takesConnections(host, port))) {
    throw Object.assign(new Error(`${host}:${port} takes connections`), {
      code: "EADDRINUSE",
      syscall: "listen",
    });
  }
}

function takesConnections(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2_000 });
    const end = (isTaken: boolean) => {
      resolve(isTaken);
      socket.destroy();
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}
