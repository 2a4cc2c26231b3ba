/** What keeps a server from being used, in one word without addresses. */
export type McpFault = "not_found" | "unreachable" | "refused" | "timeout" | "closed" | "not_mcp";

const words: Readonly<Record<McpFault, string>> = {
  not_found: "its program does not exist, or may not be run",
  unreachable: "it cannot be reached",
  refused: "it refuses this service",
  timeout: "it does not answer in time",
  closed: "it ends by itself",
  not_mcp: "what answers does not speak MCP",
};

const remedies: Readonly<Record<McpFault, string>> = {
  not_found: "install the program, or correct command",
  unreachable: "start it, or correct url",
  refused: "correct api_key or headers",
  timeout: "see why it is slow, or raise connect_timeout_seconds",
  closed: "run its command by hand to see what it says, or set logging.level to DEBUG",
  not_mcp: "correct url, which ends in /mcp at many servers",
};

/** For operators. */
export const inWords = (fault: McpFault): string => words[fault];
export const remedyFor = (fault: McpFault, server: string): string =>
  `The MCP server ${server} in models.agents: ${remedies[fault]}`;
