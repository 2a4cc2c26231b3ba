import type { Tool as ListedTool } from "@modelcontextprotocol/client";
import type { Logger } from "../../../../telemetry/logger.ts";
import type { BackendFinding } from "../../../agent-backend.ts";
import { chosenTools, maxSchemaLength, maxToolsOfServer } from "./chosen-tools.ts";
import { functionNameOf } from "../colleagues.ts";
import type { ModelAgent } from "../default-agents.ts";
import { ToolFault, type Tool } from "../tool.ts";
import { inWords, remedyFor } from "./mcp-fault.ts";
import { mcpServerLater } from "./mcp-server-later.ts";
import type { McpServer } from "./mcp-server.ts";
import { connectionKey, type McpServerSettings } from "./mcp-settings.ts";
import { toolNameOf } from "./tool-names.ts";
import { toolOutputOf } from "./tool-output.ts";

interface McpToolsOptions {
  readonly agents: ReadonlyMap<string, ModelAgent>;
  readonly log: Logger;
  /** As of a server. */
  readonly retryMs?: number;
}

/** The tools that agents have from MCP servers. */
export interface McpTools {
  /** Begins to connect all servers, unless it has; waits for none. */
  start(): void;
  /**
   * Those of an agent, by the names that models know them by. Waits for servers that have not answered yet, but no longer
   * than `patienceMs`: what is listed later is had in the next reply.
   */
  of(agentId: string, patienceMs: number, signal: AbortSignal): Promise<ReadonlyMap<string, Tool>>;
  /** As far as they are known now. */
  namesOf(agentId: string): readonly string[];
  /** By server, what is wrong; null: nothing. */
  probe(signal: AbortSignal): Promise<McpHealth>;
  examine(signal: AbortSignal): Promise<readonly BackendFinding[]>;
  close(): Promise<void>;
}

export interface McpHealth {
  /** Status by server. */
  readonly details: Readonly<Record<string, string>>;
  /** Of those that are away. */
  readonly remedies: readonly string[];
}

/** A server as one agent uses it. */
interface Use {
  readonly settings: McpServerSettings;
  readonly server: McpServer;
}

const maxResultBytes = 64 * 1024;
/** Names of tools in one sentence. */
const maxTold = 20;
const maxDescriptionLength = 4_096;
/** For the first answer of all servers, where somebody looks after them. */
const examinePatienceMs = 5_000;

export function createMcpTools(options: McpToolsOptions): McpTools {
  const { agents, log } = options;
  const servers = new Map<string, McpServer>();
  const uses = new Map<string, readonly Use[]>();
  for (const { id, mcp } of agents.values()) {
    uses.set(
      id,
      mcp.map((settings) => {
        const key = connectionKey(settings);
        const server = servers.get(key) ?? mcpServerLater({ ...options, settings });
        servers.set(key, server);
        return { settings, server };
      }),
    );
  }
  /** Each server once, under the name of whoever named it first. */
  const named = [...uses.values()]
    .flat()
    .filter((use, index, all) => all.findIndex(({ server }) => server === use.server) === index);

  /** What was told last of each agent's server: the same is told once. */
  const told = new Map<string, string>();
  const tellLeftOut = (agentId: string, server: string, names: readonly string[]) => {
    const [key, text] = [`${agentId} ${server}`, names.join(", ")];
    if ((told.get(key) ?? "") === text) return;
    told.set(key, text);
    if (text === "") return;
    log.warn(
      { agentId, server, tools: names.slice(0, maxTold) },
      "tools of an MCP server are left out",
    );
  };

  const toolsOf = (agentId: string): ReadonlyMap<string, Tool> => {
    const agent = agents.get(agentId);
    const taken = new Set([
      ...(agent?.tools ?? []),
      ...(agent?.handoffs ?? []).map(functionNameOf),
    ]);
    const tools = new Map<string, Tool>();
    for (const { settings, server } of uses.get(agentId) ?? []) {
      const { offered, leftOut } = chosenTools(settings, server.state().tools);
      tellLeftOut(agentId, settings.name, leftOut);
      for (const listed of offered) {
        const name = toolNameOf(settings.name, listed.name, taken);
        if (taken.has(name)) continue;
        taken.add(name);
        tools.set(name, toolOf(name, listed, settings, server, log));
      }
    }
    return tools;
  };

  const start = (): void => {
    for (const server of servers.values()) server.start();
  };

  return {
    start,
    async of(agentId, patienceMs, signal) {
      const all = uses.get(agentId) ?? [];
      start();
      const unknown = all.filter(({ server }) => server.state().status === "connecting");
      if (unknown.length > 0) await allSettled(unknown, patienceMs, signal);
      return toolsOf(agentId);
    },
    namesOf: (agentId) => [...toolsOf(agentId).keys()],
    async probe(signal) {
      start();
      await Promise.all(named.map(({ server }) => server.probe(signal)));
      const details: Record<string, string> = {};
      const remedies: string[] = [];
      for (const { settings, server } of named) {
        const { status, fault } = server.state();
        details[labelOf(settings, details)] = fault ?? status;
        if (fault !== null) remedies.push(remedyFor(fault, settings.name));
      }
      return { details, remedies };
    },
    async examine(signal) {
      start();
      await allSettled(named, examinePatienceMs, signal);
      return [...uses].flatMap(([agentId, all]) => all.map((use) => findingOf(agentId, use)));
    },
    async close() {
      await Promise.all([...servers.values()].map((server) => server.close()));
    },
  };
}

async function allSettled(
  uses: readonly Use[],
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const { promise, resolve } = Promise.withResolvers<void>();
  patience.addEventListener("abort", () => resolve(), { once: true });
  await Promise.race([promise, Promise.all(uses.map(({ server }) => server.settled()))]);
  signal.throwIfAborted();
}

function toolOf(
  name: string,
  listed: ListedTool,
  { require_approval: approval = "all" }: McpServerSettings,
  server: McpServer,
  log: Logger,
): Tool {
  const { title, description = title ?? listed.name, inputSchema } = listed;
  return {
    definition: {
      type: "function",
      function: {
        name,
        description: description.slice(0, maxDescriptionLength),
        // Servers of models want it, where a tool takes nothing.
        parameters: { properties: {}, ...inputSchema },
      },
    },
    needsApproval: approval === "all" || (approval !== "none" && approval.includes(listed.name)),
    async run(args, signal) {
      const result = await server.call(listed.name, args, signal);
      const output = toolOutputOf(result, maxResultBytes);
      if (result.isError !== true) return output;
      log.debug({ tool: name }, "an MCP tool has failed");
      throw new ToolFault(output.text);
    },
  };
}

function findingOf(agentId: string, { settings, server }: Use): BackendFinding {
  const name = `tools of ${agentId} from ${settings.name}`;
  const { status, fault, tools } = server.state();
  if (fault !== null) {
    return {
      name,
      status: "warn",
      found: `${inWords(fault)}; replies go on without`,
      remedy: remedyFor(fault, settings.name),
    };
  }
  if (status === "connecting") {
    return {
      name,
      status: "warn",
      found: "it has not answered yet",
      remedy: `See why the MCP server ${settings.name} is slow to start`,
    };
  }
  const offered = new Set(tools.map((tool) => tool.name));
  const wanted = [
    ...(settings.tools ?? []),
    ...(Array.isArray(settings.require_approval) ? settings.require_approval : []),
  ] as readonly string[];
  const missing = wanted.filter((tool) => !offered.has(tool));
  if (missing.length > 0) {
    return {
      name,
      status: "warn",
      found: `it has no tool ${[...new Set(missing)].join(", ")}`,
      remedy: `Name in models.agents what it has: ${[...offered].slice(0, 20).join(", ")}`,
    };
  }
  const chosen = chosenTools(settings, tools);
  const { leftOut } = chosen;
  if (leftOut.length > 0) {
    return {
      name,
      status: "warn",
      found: `${chosen.offered.length} tools; left out: ${leftOut.slice(0, maxTold).join(", ")}${leftOut.length > maxTold ? " …" : ""}`,
      remedy: `Name those that are needed as tools of ${settings.name} in models.agents: at most ${maxToolsOfServer}, each with a schema of at most ${maxSchemaLength / 1024} KiB`,
    };
  }
  return { name, status: "ok", found: `${chosen.offered.length} tools` };
}

/** Two servers may have one name, with two agents. */
function labelOf({ name }: McpServerSettings, taken: Readonly<Record<string, string>>): string {
  for (let number = 1; ; number += 1) {
    const label = number === 1 ? name : `${name} (${number})`;
    if (!(label in taken)) return label;
  }
}
