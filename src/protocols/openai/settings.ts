import { checkSettings, settingNames } from "../../agents/run-settings.ts";
import type { CatalogueEntry } from "../../agents/catalogue.ts";
import { Problem } from "../../problems/problem.ts";

/**
 * Settings of a turn, as these clients name them, that the agent can be told: they send some to every model, so what it
 * cannot be told is left out. A form of the answer is a promise: raises `unsupported_parameter` where it cannot be kept.
 */
export function settingsFor(
  agent: CatalogueEntry,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const known = new Set(settingNames(agent.backend));
  const settings: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    const isKept = known.has(name) && canKeep(agent, name, value);
    if (isKept) settings[name] = value;
    else if (name === "response_format" && (value as { type?: unknown }).type !== "text") {
      throw new Problem("unsupported_parameter", {
        parameter: name,
        en: `agent ${agent.agentId} cannot be told the form of its answer`,
        zh: `智能体 ${agent.agentId} 不支持指定回答格式`,
      });
    }
  }
  return settings;
}

function canKeep(agent: CatalogueEntry, name: string, value: unknown): boolean {
  try {
    checkSettings({ [name]: value }, "", agent);
    return true;
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}
