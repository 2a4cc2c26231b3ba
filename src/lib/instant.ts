/**
 * A moment in RFC 3339 as a database takes it, in UTC. Null for what only looks like one: years 0 and beyond 9999, which
 * databases do not know in this form. Leap seconds count to the second before.
 */
export function instant(text: string): string | null {
  const date = new Date(text.replace(/:60(?=[.Zz+-])/, ":59"));
  if (Number.isNaN(date.getTime())) return null;
  const year = date.getUTCFullYear();
  return year >= 1 && year <= 9999 ? date.toISOString() : null;
}
