import { asCount, asList, asText, type Wire } from "./wire.ts";

/** No clock on earth is further from another one. */
const maxOffsetSeconds = 15 * 3_600;
/** Clocks of time zones differ by quarters of an hour. */
const offsetStepSeconds = 900;

/**
 * AgentOS says after every run everything that it remembers of the user; of that, what this run has noted. It writes
 * times by its own clock and does not say its zone.
 */
export function notedMemories(event: Wire, startedAt: number): readonly string[] {
  const memories = asList(event["memories"]).flatMap((memory) => {
    const at = secondsOf(memory["updated_at"] ?? memory["created_at"]);
    const text = asText(memory["memory"]);
    return at === null || text === undefined ? [] : [{ at, text }];
  });
  const toldAt = asCount(event["created_at"]);
  const newest = Math.max(...memories.map(({ at }) => at));
  const durationSeconds = toldAt - startedAt;
  if (startedAt === 0 || Math.abs(toldAt - newest) > maxOffsetSeconds) return [];
  const ageSeconds = modulo(toldAt - newest, offsetStepSeconds);
  if (ageSeconds > durationSeconds) return [];
  return memories
    .filter(({ at }) => newest - at <= durationSeconds - ageSeconds)
    .map(({ text }) => text);
}

function secondsOf(value: unknown): number | null {
  if (typeof value === "number") return value;
  const ms = Date.parse(`${asText(value)?.replace(/(Z|[+-]\d\d:\d\d)$/, "") ?? ""}Z`);
  return Number.isNaN(ms) ? null : ms / 1_000;
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
