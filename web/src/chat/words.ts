import type { Texts } from "../text/en.ts";
import type { Language } from "../state/preferences.ts";

/** Time of day, with the date unless it is today. */
export function shortTime(timestamp: string, language: Language): string {
  const date = new Date(timestamp);
  const isToday = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(language === "zh" ? "zh-CN" : "en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    ...(!isToday && { day: "numeric", month: "short" }),
  });
}

/** A length of time for people: 840 ms, 3.2 s. */
export function duration(milliseconds: number, texts: Texts): string {
  return milliseconds < 1000
    ? texts.milliseconds(String(Math.round(milliseconds)))
    : texts.seconds((milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0));
}

/** Anything as readable text. */
export function readable(value: unknown): string {
  if (typeof value === "string") {
    try {
      return JSON.stringify(JSON.parse(value), null, 2);
    } catch {
      return value;
    }
  }
  return JSON.stringify(value, null, 2) ?? "";
}
