import net from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { GuardedConnector } from "./guarded-connector.ts";

it("outlives every error that a socket tells", async () => {
  const server = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as net.AddressInfo;
  const connector = new GuardedConnector({ host: "127.0.0.1", port });
  const socket = await connector.connect(() => undefined);
  onTestFinished(() => void socket.destroy());
  for (const which of ["first", "second", "third"]) {
    expect(() => socket.emit("error", new Error(which))).not.toThrow();
  }
});
