import type { Tool as ListedTool } from "@modelcontextprotocol/client";
import type { McpServerSettings } from "./mcp-settings.ts";

export const maxToolsOfServer = 128;
/** Of what a tool takes, as JSON. */
export const maxSchemaLength = 32 * 1024;

/** What an agent is offered of a server's tools, and the names of those for which there is no room. */
export function chosenTools(
  { tools: named }: Pick<McpServerSettings, "tools">,
  listed: readonly ListedTool[],
) {
  const allowed = listed.filter(({ name }) => named?.includes(name) ?? true);
  const offered = allowed.slice(0, maxToolsOfServer).filter(isUsable);
  const kept = new Set(offered);
  return {
    offered,
    leftOut: allowed.filter((tool) => !kept.has(tool)).map(({ name }) => name),
  };
}

/** A description is cut; what a tool takes cannot be. */
function isUsable({ inputSchema }: ListedTool): boolean {
  return JSON.stringify(inputSchema).length <= maxSchemaLength;
}
