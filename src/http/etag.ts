/** Whether an `If-None-Match` names what there is. */
export function isCurrent(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  const known = new Set(condition.split(",").map((each) => each.trim().replace(/^W\//, "")));
  return known.has(etag) || known.has("*");
}

/**
 * For files that belong to somebody: a browser may keep them, and asks each time whether this caller may still see them.
 * They never change.
 */
export function privateFileHeaders(id: string) {
  return {
    "Cache-Control": "private, no-cache",
    ETag: `"${id}"`,
    Vary: "Authorization, X-API-Key",
  };
}
