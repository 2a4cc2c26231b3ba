import type { Language } from "../problems/catalogue.ts";

/** The better of English and Chinese for an `Accept-Language` header; English when neither is asked for. */
export function preferredLanguage(header: string | undefined): Language {
  let best: Language = "en";
  let bestQuality = 0;
  for (const part of (header ?? "").split(",", 20)) {
    const [tag = "", ...parameters] = part.trim().toLowerCase().split(";");
    const primary = tag.split("-")[0];
    if (primary !== "en" && primary !== "zh") continue;
    const given = parameters.find((parameter) => parameter.trim().startsWith("q="));
    const quality = given === undefined ? 1 : Number(given.trim().slice(2));
    if (quality > bestQuality) {
      best = primary;
      bestQuality = quality;
    }
  }
  return best;
}
