import { createRequire } from "node:module";
import type { AbstractConnector } from "ioredis";
import type StandaloneModule from "ioredis/built/connectors/StandaloneConnector.js";

// Not among the names that the package exports, and CommonJS.
const { default: StandaloneConnector } = createRequire(import.meta.url)(
  "ioredis/built/connectors/StandaloneConnector.js",
) as typeof StandaloneModule;

/**
 * Connects to a server, as ioredis does.
 * The client listens for one error of a socket. A TLS socket may tell a second one: its certificate was refused here,
 * and an alert of the server comes while it closes. Without a listener that would end the process.
 */
export class GuardedConnector extends StandaloneConnector {
  constructor(options: unknown) {
    super(options as ConstructorParameters<typeof StandaloneConnector>[0]);
  }

  override async connect(...[tellError]: Parameters<AbstractConnector["connect"]>) {
    const socket = await super.connect(tellError);
    return socket.on("error", () => undefined);
  }
}
