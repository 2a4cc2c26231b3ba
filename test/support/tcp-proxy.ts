import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** What happens to bytes on their way. */
export type ProxyMode =
  | { readonly kind: "pass" }
  /** Open connections stay open and carry nothing; new ones are accepted and carry nothing. */
  | { readonly kind: "black_hole" }
  /** Open connections are reset, new ones at once. */
  | { readonly kind: "refuse" }
  | { readonly kind: "delay"; readonly delayMs: number };

export interface TcpProxy {
  readonly port: number;
  /** Every connection so far. */
  readonly connections: number;
  set(mode: ProxyMode): void;
  /** Resets all open connections; later ones work. */
  cut(): void;
  /** The next connections are reset after so many bytes towards the client, one number each. */
  cutAfter(...bytes: readonly number[]): void;
  close(): Promise<void>;
}

/** A faulty wire between two real programs. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  let mode: ProxyMode = { kind: "pass" };
  let connections = 0;
  const open = new Set<Socket>();
  const cuts: number[] = [];
  /** Bytes that a black hole has swallowed are lost: the connection is useless afterwards and is reset. */
  const spoilt = new WeakSet<Socket>();

  const server = createServer((client) => {
    connections += 1;
    client.on("error", () => {});
    if (mode.kind === "refuse") {
      client.resetAndDestroy();
      return;
    }
    const target = connect(targetPort, "127.0.0.1");
    target.on("error", () => client.resetAndDestroy());
    open.add(client);
    client.setNoDelay(true);
    target.setNoDelay(true);
    let budget = cuts.shift() ?? Infinity;
    const forward = (from: Socket, to: Socket, limited: boolean) => {
      from.on("data", (chunk: Buffer) => {
        if (mode.kind === "black_hole") {
          spoilt.add(client);
          return;
        }
        if (spoilt.has(client)) {
          client.resetAndDestroy();
          target.destroy();
          return;
        }
        if (limited && chunk.length >= budget) {
          to.write(chunk.subarray(0, budget), () => {
            client.resetAndDestroy();
            target.destroy();
          });
          budget = 0;
          return;
        }
        if (limited) budget -= chunk.length;
        if (mode.kind === "delay") {
          setTimeout(() => void to.write(chunk), mode.delayMs);
          return;
        }
        if (!to.write(chunk)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
      from.on("end", () => to.end());
    };
    forward(client, target, false);
    forward(target, client, true);
    client.on("close", () => {
      open.delete(client);
      target.destroy();
    });
    target.on("close", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const cut = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    set(next) {
      mode = next;
      if (next.kind === "refuse") cut();
      // What the hole has swallowed never arrives.
      if (next.kind === "pass")
        for (const socket of open) if (spoilt.has(socket)) socket.resetAndDestroy();
    },
    cut,
    cutAfter: (...bytes) => void cuts.push(...bytes),
    async close() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
