import { nearest } from "./nearest.ts";

/** What a member of a structure must be. `words` continues "must be …". */
interface Member {
  readonly required: boolean;
  readonly words: string;
  readonly holds: (value: unknown) => boolean;
  /** For a structure: what is wrong in it; null where it holds. */
  readonly fault?: (value: unknown) => string | null;
}

type Holds = (value: unknown) => boolean;

export const isText: Holds = (value) => typeof value === "string" && value.trim() !== "";
/** Goes into a header, without the white space around it: files end in line breaks. */
export const isHeaderText: Holds = (value) =>
  isText(value) && /^[\x20-\x7e]*$/.test(String(value).trim());
export const isTextList: Holds = (value) => Array.isArray(value) && value.every(isText);

export function required(words: string, holds: Holds): Member {
  return { required: true, words, holds };
}

export function optional(words: string, holds: Holds): Member {
  return { required: false, words, holds };
}

export const name = required("text", isText);
export const words = optional("text", isText);
export const wordList = optional("a list of texts", isTextList);
/** A structure that need not be there and has a check of its own. */
export function nested(fault: (value: unknown) => string | null): Member {
  return { required: false, words: "a structure", holds: () => true, fault };
}

/**
 * The check of a setting that is a list of objects with the given members and no others.
 * No two items may agree in a member named in `unique`. Messages name items and members but show
 * no values: the values may be keys.
 */
export function listOf(
  what: string,
  members: Readonly<Record<string, Member>>,
  unique: readonly string[],
): (value: unknown) => string | null {
  return (value) => {
    if (!Array.isArray(value)) return `must be a list of ${what}`;
    for (const [index, item] of value.entries()) {
      const message = itemFault(item, members);
      if (message !== null) return `item ${index + 1} ${message}`;
    }
    for (const key of unique) {
      const seen = new Map<unknown, number>();
      for (const [index, item] of (value as Record<string, unknown>[]).entries()) {
        const earlier = seen.get(item[key]);
        if (earlier !== undefined) return `items ${earlier} and ${index + 1} have the same ${key}`;
        seen.set(item[key], index + 1);
      }
    }
    return null;
  };
}

function itemFault(item: unknown, members: Readonly<Record<string, Member>>): string | null {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return "must be an object";
  const known = Object.keys(members);
  for (const key of Object.keys(item)) {
    if (known.includes(key)) continue;
    return `has the unknown member ${key}; did you mean ${nearest(key, known).name}? (known: ${known.join(", ")})`;
  }
  for (const [key, member] of Object.entries(members)) {
    const given = (item as Record<string, unknown>)[key];
    if (given === undefined) {
      if (member.required) return `needs ${key}`;
    } else if (!member.holds(given)) {
      return `has a bad ${key}: it must be ${member.words}`;
    } else {
      const fault = member.fault?.(given) ?? null;
      if (fault !== null) return `has a bad ${key}: ${fault}`;
    }
  }
  return null;
}
