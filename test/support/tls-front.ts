import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type AddressInfo } from "node:net";
import { createServer } from "node:tls";
import type { IssuedCertificate } from "./certificates.ts";

interface TlsFrontOptions {
  readonly targetPort: number;
  readonly certificate: IssuedCertificate;
  /** File of the authority whose certificates callers must show; none: they need none. */
  readonly clientCa?: string;
}

export interface TlsFront {
  readonly port: number;
  close(): Promise<void>;
}

/** TLS in front of a server that speaks none, as a proxy or a mesh has it. */
export async function startTlsFront(options: TlsFrontOptions): Promise<TlsFront> {
  const { targetPort, certificate, clientCa } = options;
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer(
    {
      cert: readFileSync(certificate.cert),
      key: readFileSync(certificate.key),
      ...(clientCa !== undefined && {
        ca: readFileSync(clientCa),
        requestCert: true,
        rejectUnauthorized: true,
      }),
    },
    (client) => {
      const target = connect(targetPort, "127.0.0.1");
      for (const socket of [client, target]) {
        sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => [client, target].forEach((each) => each.destroy()));
      }
      client.pipe(target).pipe(client);
    },
  );
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
