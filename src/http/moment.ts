import { instant } from "../lib/instant.ts";
import { Problem } from "../problems/problem.ts";

/** A time from a query, in UTC. Raises `validation_failed` for one that no database knows. */
export function moment(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const utc = instant(text);
  if (utc !== null) return utc;
  const details = [
    {
      path: `/${name}`,
      message: "must lie in the years 1 to 9999",
      zh: "必须在公元 1 至 9999 年之间",
    },
  ];
  throw new Problem("validation_failed", {}, { details });
}
