import { McpServer, type McpRequestContext } from "@modelcontextprotocol/server";
import type { Exchange } from "./request.ts";
import { described, tools, type ToolName } from "./schemas.ts";
import type { Tools } from "./tools.ts";

interface ServerOptions {
  readonly name: string;
  readonly version: string;
  readonly tools: Tools;
}

const listed = Object.entries(tools).map(([name, { input, output, ...about }]) => ({
  name: name as ToolName,
  about: { ...about, inputSchema: described(input), outputSchema: described(output) },
}));

const instructions =
  "Agents of this service and what was said with them. list_agents says whom one can ask, ask_agent asks, and its " +
  "session_id goes on with a conversation. search_history finds what was said in any conversation before: look there " +
  "when the user speaks of something earlier.";

/** A server of the protocol for one exchange: nothing is kept between two, so that any node answers any of them. */
export function createMcpServer(
  { name, version, tools: implemented }: ServerOptions,
  exchange: Exchange,
  { era }: Pick<McpRequestContext, "era">,
): McpServer {
  const server = new McpServer(
    { name, version },
    { instructions, capabilities: { tools: { listChanged: false } } },
  );
  for (const { name, about } of listed) {
    server.registerTool(name, about, async (args: unknown, context) =>
      implemented.call(name, { exchange, context, endsWithConnection: era === "modern" }, args),
    );
  }
  return server;
}
