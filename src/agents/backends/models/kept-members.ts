import { isFields } from "./message-parts.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Of all texts in what is kept; a member that would go beyond is dropped. */
const maxLength = 1024 * 1024;

/**
 * Members that nothing is known about, put together from pieces: some servers want them back as they were, such as
 * `reasoning_content` of DeepSeek or the `extra_content` of Gemini's calls.
 */
export interface KeptMembers {
  /** The members of one piece, but for those in `known`. */
  add(piece: Fields, known: ReadonlySet<string>): void;
  /** Null: none. */
  all(): Fields | null;
}

export function createKeptMembers(): KeptMembers {
  let members: Record<string, unknown> | null = null;
  let length = 0;
  return {
    add(piece, known) {
      for (const name in piece) {
        if (known.has(name)) continue;
        const value = piece[name];
        if (value === null || value === undefined || value === "") continue;
        length += typeof value === "string" ? value.length : JSON.stringify(value).length;
        members ??= {};
        if (length > maxLength) delete members[name];
        else members[name] = join(members[name], value);
      }
    },
    all: () => (members !== null && Object.keys(members).length > 0 ? members : null),
  };
}

/** Texts go on, lists grow, anything else is replaced. */
function join(before: unknown, next: unknown): unknown {
  if (typeof before === "string" && typeof next === "string") return before + next;
  if (Array.isArray(before) && Array.isArray(next)) {
    for (const item of next as readonly unknown[]) {
      const last: unknown = before.at(-1);
      if (isFields(last) && isFields(item) && isSameItem(last, item)) {
        before[before.length - 1] = {
          ...last,
          ...item,
          text: String(last["text"]) + String(item["text"]),
        };
      } else before.push(item);
    }
    return before as unknown;
  }
  if (isFields(before) && isFields(next)) return { ...before, ...next };
  return Array.isArray(next) ? [...(next as readonly unknown[])] : next;
}

/** Pieces of one text, as `reasoning_details` are sent. */
function isSameItem(last: Fields, item: Fields): boolean {
  return (
    typeof last["text"] === "string" &&
    typeof item["text"] === "string" &&
    last["type"] === item["type"] &&
    last["index"] === item["index"]
  );
}
