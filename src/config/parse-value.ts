import { formatByteSize, parseByteSize } from "./byte-size.ts";
import type { Setting } from "./setting.ts";

/** A value as given, before it is known whether it suits the setting. */
export type RawValue =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "items"; readonly items: readonly string[] }
  | { readonly type: "structure"; readonly value: unknown };

/** `fault` continues a sentence whose subject is the setting: "must be …". */
export type ParsedValue =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly fault: string };

const words: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  "1": true,
  false: false,
  no: false,
  off: false,
  "0": false,
};

/** What a setting may be, in words that continue "must be …". */
export function allowedValues(setting: Setting): string {
  switch (setting.kind) {
    case "text":
    case "secret":
      return setting.rule?.words ?? "text";
    case "integer":
      return `a whole number${range(setting, String)}`;
    case "number":
      return `a number${range(setting, String)}`;
    case "bytes":
      return `a size such as 65536, 64KB or 10MB${range(setting, formatByteSize)}`;
    case "boolean":
      return "true or false";
    case "choice":
      return `one of ${(setting.choices ?? []).join(", ")}`;
    case "list":
      return setting.rule === undefined
        ? "a list of texts"
        : `a list in which each item is ${setting.rule.words}`;
    case "json":
      return "a list of structures";
  }
}

function range({ minimum, maximum }: Setting, show: (bound: number) => string): string {
  if (minimum !== undefined && maximum !== undefined) {
    return ` from ${show(minimum)} to ${show(maximum)}`;
  }
  return minimum === undefined ? "" : `, at least ${show(minimum)}`;
}

/** The value a setting takes from what was given for it. */
export function parseValue(setting: Setting, raw: RawValue): ParsedValue {
  const parsed = parseKind(setting, raw);
  return parsed ?? { ok: false, fault: `must be ${allowedValues(setting)}` };
}

function parseKind(setting: Setting, raw: RawValue): ParsedValue | null {
  if (setting.kind === "json") return parseStructure(setting, raw);
  if (setting.kind === "list") return parseList(setting, raw);
  if (raw.type !== "text") return null;
  const trimmed = raw.text.trim();
  switch (setting.kind) {
    case "secret": {
      // They come out of files and clipboards; a line feed in a key would fail request by request.
      const isClean = !/\p{Cc}/u.test(trimmed);
      if (!isClean) return { ok: false, fault: "must be one line without control characters" };
      if (setting.isHeader === true && !/^[\x20-\x7e]*$/.test(trimmed)) {
        return { ok: false, fault: "must be ASCII, because a header carries it" };
      }
      return setting.rule?.holds(trimmed) === false ? null : { ok: true, value: trimmed };
    }
    case "text": {
      // Other texts are kept to the letter: blanks may belong to a prefix.
      const value = setting.rule === undefined ? raw.text : trimmed;
      return setting.rule === undefined || setting.rule.holds(value) ? { ok: true, value } : null;
    }
    case "integer":
      return /^[+-]?\d+$/.test(trimmed) ? bounded(setting, Number(trimmed)) : null;
    case "number":
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)
        ? bounded(setting, Number(trimmed))
        : null;
    case "bytes": {
      const size = parseByteSize(trimmed);
      return size === null ? null : bounded(setting, size);
    }
    case "boolean": {
      const word = trimmed.toLowerCase();
      return Object.hasOwn(words, word) ? { ok: true, value: words[word] } : null;
    }
    case "choice": {
      const found = setting.choices?.find((one) => one.toLowerCase() === trimmed.toLowerCase());
      return found === undefined ? null : { ok: true, value: found };
    }
  }
}

function bounded(setting: Setting, value: number): ParsedValue | null {
  if (!Number.isFinite(value)) return null;
  if (setting.kind !== "number" && !Number.isSafeInteger(value)) return null;
  if (value < (setting.minimum ?? -Infinity) || value > (setting.maximum ?? Infinity)) return null;
  return { ok: true, value };
}

function parseList(setting: Setting, raw: RawValue): ParsedValue | null {
  if (raw.type === "structure") return null;
  const items = raw.type === "text" ? splitItems(raw.text.trim()) : raw.items;
  if (items === null) {
    return {
      ok: false,
      fault: "must be comma-separated or a JSON array of texts, and begins like one",
    };
  }
  return items.every((item) => setting.rule?.holds(item) ?? true)
    ? { ok: true, value: items }
    : null;
}

/** null if the text begins like JSON but is no array of texts. */
function splitItems(text: string): readonly string[] | null {
  // A bracketed IPv6 address is the one item that looks like the start of JSON.
  if (text.startsWith("[") && !/^\[[0-9a-f]*:[0-9a-f:.]*\]/i.test(text)) {
    const parsed = parseJson(text);
    return Array.isArray(parsed) && parsed.every(isScalar) ? parsed.map(String) : null;
  }
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function parseStructure(setting: Setting, raw: RawValue): ParsedValue {
  const value =
    raw.type === "text" ? parseJson(raw.text) : raw.type === "items" ? raw.items : raw.value;
  // What the parser says of bad JSON quotes it, and it may hold keys.
  if (value === undefined) return { ok: false, fault: "must be JSON, and cannot be read as such" };
  const fault = setting.check?.(value) ?? null;
  return fault === null ? { ok: true, value } : { ok: false, fault };
}

function isScalar(value: unknown): value is string | number | boolean {
  return ["string", "number", "boolean"].includes(typeof value);
}

/** undefined if the text is not JSON; JSON has no undefined of its own. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
