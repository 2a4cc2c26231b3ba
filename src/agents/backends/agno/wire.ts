/** What AgentOS sends: every field optional, every enumeration open. */
export type Wire = Readonly<Record<string, unknown>>;

const empty: Wire = Object.freeze({});

export function asRecord(value: unknown): Wire {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Wire)
    : empty;
}

export function asList(value: unknown): readonly Wire[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function isRecord(value: unknown): value is Wire {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A string with something in it. */
export function asText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The texts of a list, whatever else is in it. */
export function asTexts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.flatMap((each: unknown) => asText(each) ?? []) : [];
}

/** A whole number from 0; anything else counts as nothing. */
export function asCount(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** JSON, or undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
