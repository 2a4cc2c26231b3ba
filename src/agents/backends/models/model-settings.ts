import type { RunSettings } from "../../agent-backend.ts";

/** What agents of models can be told. */
export const modelSettings = [
  "model",
  "temperature",
  "instructions",
  "maxTokens",
  "topP",
  "stop",
  "seed",
  "presencePenalty",
  "frequencyPenalty",
  "reasoningEffort",
  "responseFormat",
] as const satisfies readonly (keyof RunSettings)[];

/** As the chat completions protocol names those that are members of a request. */
const wireNames = {
  maxTokens: "max_tokens",
  topP: "top_p",
  stop: "stop",
  seed: "seed",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  reasoningEffort: "reasoning_effort",
  responseFormat: "response_format",
} as const;

/** Those that a protocol has members for. */
export function settingsOfProtocol({
  unknown,
}: {
  readonly unknown: readonly string[];
}): readonly (keyof RunSettings)[] {
  const names: Readonly<Partial<Record<keyof RunSettings, string>>> = wireNames;
  return modelSettings.filter((name) => !unknown.includes(names[name] ?? ""));
}

export type WireSettings = Readonly<Record<string, unknown>>;

/** The members of a request that the session or the turn asks for. */
export function wireSettings(settings: RunSettings): WireSettings {
  const members = Object.entries(wireNames).flatMap(([name, member]) => {
    const value = settings[name as keyof typeof wireNames];
    return value === undefined ? [] : [[member, value]];
  });
  return Object.fromEntries(members) as WireSettings;
}

/** The setting that a refusal of this request names; null: none of those that were asked for. */
export function refusedSetting(text: string, settings: WireSettings): string | null {
  const named = (member: string) =>
    text.includes(member) ||
    (member === "response_format" && /json_schema|structured output/i.test(text)) ||
    (member === "reasoning_effort" && /reasoning.effort/i.test(text));
  return Object.keys(settings).find(named) ?? null;
}
