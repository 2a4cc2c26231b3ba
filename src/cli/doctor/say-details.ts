/** What a source or dependency says of itself, for people. */
export function sayDetails(details: Readonly<Record<string, unknown>>): string {
  return Object.entries(details)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(([key, value]) => {
      const name = key.replaceAll("_", " ");
      return Array.isArray(value) || isRecord(value)
        ? `${name}: ${say(value)}`
        : `${name} ${say(value)}`;
    })
    .join(", ");
}

function say(value: unknown): string {
  if (Array.isArray(value)) return value.map(say).join("; ");
  return isRecord(value) ? sayDetails(value) : String(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
