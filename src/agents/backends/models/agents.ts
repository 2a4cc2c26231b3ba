import type { Language } from "../../../problems/catalogue.ts";
import type { LocalizedText } from "../../agent-backend.ts";
import { defaultAgents, type ModelAgent } from "./default-agents.ts";
import type { McpServerSettings } from "./mcp/mcp-settings.ts";
import { knownToolNames } from "./tools.ts";

/** An agent as the configuration names it; a default agent of the same id fills in what is left out. */
export interface AgentSettings {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly instructions?: string;
  readonly model?: string;
  readonly temperature?: number;
  readonly suggested_prompts?: readonly string[];
  readonly tools?: readonly string[];
  readonly handoffs?: readonly string[];
  readonly answers_in_words?: boolean;
  readonly mcp?: readonly McpServerSettings[];
}

/**
 * The agents there are: the default ones, replaced and extended by those configured. Raises an error that names every
 * mistake: an id used twice, an unknown tool, a handoff to an agent that does not exist or to itself.
 */
export function resolveAgents(
  configured: readonly AgentSettings[],
  withDefaults: boolean,
): ReadonlyMap<string, ModelAgent> {
  const faults: string[] = [];
  const agents = new Map<string, ModelAgent>(
    withDefaults ? defaultAgents.map((agent) => [agent.id, agent]) : [],
  );
  const seen = new Set<string>();
  for (const settings of configured) {
    if (seen.has(settings.id)) faults.push(`${settings.id} is there twice`);
    seen.add(settings.id);
    agents.set(settings.id, complete(settings));
  }
  for (const { id, tools, handoffs } of agents.values()) {
    for (const tool of tools) {
      if (!knownToolNames.includes(tool)) {
        faults.push(`${id} names the unknown tool ${tool}; known: ${knownToolNames.join(", ")}`);
      }
    }
    for (const target of handoffs) {
      if (target === id) faults.push(`${id} hands over to itself`);
      else if (!agents.has(target)) {
        const known = [...agents.keys()].join(", ");
        faults.push(`${id} hands over to ${target}, which does not exist; there are ${known}`);
      }
    }
  }
  if (faults.length > 0) throw new Error(`models.agents: ${faults.join("; ")}`);
  return agents;
}

function complete(settings: AgentSettings): ModelAgent {
  const base = defaultAgents.find((agent) => agent.id === settings.id);
  return {
    id: settings.id,
    name: settings.name,
    description: settings.description ?? base?.description ?? "",
    instructions: settings.instructions ?? base?.instructions ?? "",
    model: settings.model ?? null,
    temperature: settings.temperature ?? base?.temperature ?? null,
    prompts: settings.suggested_prompts ?? [],
    tools: [...new Set(settings.tools ?? [])],
    handoffs: [...new Set(settings.handoffs ?? [])],
    ...(settings.answers_in_words === false && { answersInWords: false }),
    mcp: settings.mcp ?? [],
  };
}

/** The text in this language. */
export function localized(text: LocalizedText, language: Language): string {
  return typeof text === "string" ? text : text[language];
}
