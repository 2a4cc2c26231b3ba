/** What stands in a file that anybody may have written: looked at, never trusted. */

type Loose = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Loose {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function objectOf(value: unknown): Loose | null {
  return isObject(value) ? value : null;
}

export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** An id as text; null for what is none. */
export function idOf(value: unknown): string | null {
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : null;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function objectsOf(value: unknown): Loose[] {
  return listOf(value).filter(isObject);
}

const earliestMs = Date.UTC(1990, 0);

/** A moment in seconds, milliseconds, or as text; null where it makes no sense, and now for what is to come. */
export function momentOf(value: unknown): Date | null {
  const epoch =
    typeof value === "string" && value !== ""
      ? Date.parse(value)
      : typeof value === "number"
        ? value < 1e11
          ? value * 1000
          : value
        : Number.NaN;
  if (!(epoch >= earliestMs)) return null;
  return new Date(Math.min(epoch, Date.now()));
}

/** Tags as sessions have them. */
export function tagsOf(value: unknown): string[] {
  const tags = listOf(value)
    .filter((tag) => typeof tag === "string")
    .map((tag) => [...tag.trim()].slice(0, 40).join(""))
    .filter((tag) => tag !== "");
  return [...new Set(tags)].slice(0, 20);
}
