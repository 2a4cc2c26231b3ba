/**
 * What may stand in the log of an error code or type that a peer sent: `context_length_exceeded`, `BadRequestError`,
 * `1210`. Null for anything that could be free text, a key or an id.
 */
export function errorIdentifier(value: unknown): string | null {
  if (typeof value !== "string" || value.length > 64) return null;
  return /^(?:[A-Za-z]+(?:[_.-][A-Za-z]+)*|\d{1,6})$/.test(value) ? value : null;
}
