import { UsageFault } from "./usage.ts";

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Of `30m`, `12h` or `7d`. Raises UsageFault, with the option's name, for anything else and beyond `maxDays`. */
export function secondsOf(text: string, option: string, maxDays: number): number {
  const [, count = "", unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (units[unit] ?? 0);
  if (seconds < 1 || seconds > maxDays * 86_400) {
    throw new UsageFault(`${option} ${text}: must be like 30m, 12h or 7d, and at most ${maxDays}d`);
  }
  return seconds;
}
