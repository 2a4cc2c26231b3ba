import { Problem } from "../problems/problem.ts";
import type { AgentBackend, AgentDescriptor, RunSettings } from "./agent-backend.ts";

type Name = keyof RunSettings;

/** What callers name them, and what they may be. Model, temperature and instructions are wishes, the others are terms. */
const settings: readonly (readonly [
  member: string,
  name: Name,
  isTerm: boolean,
  holds: (value: unknown) => boolean,
])[] = [
  ["model", "model", false, isText],
  ["temperature", "temperature", false, isNumber],
  ["instructions", "instructions", false, isText],
  ["max_tokens", "maxTokens", true, isNumber],
  ["top_p", "topP", true, isNumber],
  ["stop", "stop", true, (value) => isText(value) || Array.isArray(value)],
  ["seed", "seed", true, isNumber],
  ["presence_penalty", "presencePenalty", true, isNumber],
  ["frequency_penalty", "frequencyPenalty", true, isNumber],
  ["reasoning_effort", "reasoningEffort", true, isText],
  ["response_format", "responseFormat", true, (value) => typeof value === "object"],
];

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isNumber(value: unknown): boolean {
  return typeof value === "number";
}

/** What a backend's agents can be told, as callers name it. */
export function settingNames({ settings: told = [] }: Pick<AgentBackend, "settings">): string[] {
  return settings.flatMap(([member, name]) => (told.includes(name) ? [member] : []));
}

/** What of a session's configuration, or of a message, concerns the run. Values of another type, from before, do not. */
export function settingsOf(config: Readonly<Record<string, unknown>>): RunSettings {
  const found = settings.flatMap(([member, name, , holds]) => {
    const value = config[member];
    return value !== undefined && value !== null && holds(value) ? [[name, value]] : [];
  });
  return Object.fromEntries(found) as RunSettings;
}

/** Whom settings are for, as the catalogue knows it. */
interface Addressee {
  readonly agentId: string;
  readonly descriptor: AgentDescriptor;
  readonly backend: Pick<AgentBackend, "settings" | "settingFault">;
}

const unkept = "cannot be told this";

/** Raises `validation_failed` for terms that an agent cannot keep. */
export function checkSettings(
  given: Readonly<Record<string, unknown>>,
  path: string,
  { agentId, descriptor, backend }: Addressee,
): void {
  const details = settings.flatMap(([member, name, isTerm]) => {
    const value = given[member];
    if (!isTerm || value === undefined || value === null) return [];
    const isKept = backend.settings?.includes(name) === true;
    const fault = isKept ? (backend.settingFault?.(descriptor, { name, value }) ?? null) : unkept;
    if (fault === null) return [];
    const why = fault === unkept ? "不支持此项" : `不支持此值（${fault}）`;
    return [
      {
        path: `${path}/${member}`,
        message: `agent ${agentId} ${fault}`,
        zh: `智能体 ${agentId} ${why}`,
      },
    ];
  });
  if (details.length > 0) throw new Problem("validation_failed", {}, { details });
}
