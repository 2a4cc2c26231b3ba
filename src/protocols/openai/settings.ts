import { checkSettings, settingNames } from "../../agents/run-settings.ts";
import type { CatalogueEntry } from "../../agents/catalogue.ts";
import { Problem } from "../../problems/problem.ts";
import { Check } from "typebox/schema";
import { responseFormatSchema } from "../../sessions/session-config.ts";
import { faulty } from "../faulty.ts";

/**
 * Settings of a turn, as these clients name them, that the agent can be told: they send some to every model, so what it
 * cannot be told is left out. A form of the answer is a promise: raises `unsupported_parameter` where it cannot be kept,
 * and `bad_request` for what is none. `formatPath` is where the body has it.
 */
export function settingsFor(
  agent: CatalogueEntry,
  given: Readonly<Record<string, unknown>>,
  formatPath: string,
): Record<string, unknown> {
  const known = new Set(settingNames(agent.backend));
  const settings: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    if (name === "response_format" && !Check(responseFormatSchema, withoutNulls(value))) {
      throw faulty(
        formatPath,
        "must be text, json_object, or json_schema with a name and a schema",
        "必须是 text、json_object，或带有 name 与 schema 的 json_schema",
      );
    }
    const told = name === "response_format" ? withoutNulls(value) : value;
    const isKept = known.has(name) && canKeep(agent, name, told);
    if (isKept) settings[name] = told;
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

/** What clients write for what they do not give. */
function withoutNulls(format: unknown): unknown {
  const { type, json_schema: named } = format as { type?: unknown; json_schema?: unknown };
  if (typeof named !== "object" || named === null) return { type };
  const given = Object.entries(named).filter(([, value]) => value !== null);
  return { type, json_schema: Object.fromEntries(given) };
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

/** Tools that are not to be called need nobody who can. */
export function callsNone(body: Readonly<Record<string, unknown>>): boolean {
  return body["tool_choice"] === "none";
}
