import type { Language } from "../problems/catalogue.ts";
import type { LocalizedText } from "./agent-backend.ts";

/** A text of an agent's in the language of whoever reads it. */
export function localized(text: LocalizedText, language: Language): string {
  return typeof text === "string" ? text : text[language];
}
