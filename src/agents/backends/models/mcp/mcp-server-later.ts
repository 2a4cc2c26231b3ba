import type { McpServer, McpServerOptions } from "./mcp-server.ts";
import { unwaited } from "../../../../lib/unwaited.ts";

/**
 * A server whose connection is loaded when it is to begin: the protocol's library is several megabytes, which those who
 * have no servers do without. Like any other it is being connected until it has answered.
 */
export function mcpServerLater(options: McpServerOptions): McpServer {
  let server: McpServer | null = null;
  let isClosed = false;
  let loading: Promise<McpServer> | undefined;
  const load = () =>
    (loading ??= import("./mcp-server.ts").then(({ createMcpServer }) => {
      server = createMcpServer(options);
      return server;
    }));
  return {
    start() {
      unwaited(
        load().then((loaded) => {
          if (!isClosed) loaded.start();
        }),
      );
    },
    settled: async () => (await load()).settled(),
    call: async (...given) => (await load()).call(...given),
    probe: async (signal) => (await load()).probe(signal),
    state: () => server?.state() ?? { status: "connecting", fault: null, tools: [] },
    async close() {
      isClosed = true;
      if (loading !== undefined) await (await loading).close();
    },
  };
}
