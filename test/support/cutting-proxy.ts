import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A TCP proxy on 127.0.0.1 whose connections can be cut at any time. */
export interface CuttingProxy {
  readonly url: string;
  /** How many connections it has taken. */
  readonly connections: () => number;
  /** Resets every connection that is open now. */
  cut(): void;
  close(): void;
}

export async function startCuttingProxy(
  targetUrl: string,
  /** The first connection is reset behind so many bytes of what comes back; `request`: as soon as something was sent. */
  cutFirst?: number | "request",
): Promise<CuttingProxy> {
  const { hostname, port } = new URL(targetUrl);
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    connections += 1;
    const target = connect(Number(port), hostname);
    if (connections === 1 && cutFirst !== undefined) {
      const reset = () => {
        client.resetAndDestroy();
        target.resetAndDestroy();
      };
      client.on("error", reset).on("close", reset);
      target.on("error", reset);
      client.on("data", (bytes) => {
        target.write(bytes, () => {
          if (cutFirst === "request") reset();
        });
      });
      let left = cutFirst === "request" ? 0 : cutFirst;
      target.on("data", (bytes) => {
        const part = bytes.subarray(0, left);
        left -= part.length;
        if (part.length < bytes.length) client.write(part, reset);
        else client.write(part);
      });
      return;
    }
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    cut,
    close() {
      server.close();
      cut();
    },
  };
}
