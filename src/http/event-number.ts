import { Problem } from "../problems/problem.ts";

/**
 * `Last-Event-ID`, or `after`; null when nothing is named. Strict: anything but digits would otherwise replay everything
 * to a client that is merely confused.
 */
export function eventNumber(value: string | string[] | undefined): number | null {
  if (value === undefined || value === "") return null;
  if (typeof value === "string" && /^\d{1,15}$/.test(value)) return Number(value);
  throw new Problem("bad_request", {
    en: "Last-Event-ID and after must be the id of an event: digits only.",
    zh: "Last-Event-ID 与 after 必须是事件编号，只能包含数字。",
  });
}
