import { language } from "../state/preferences.ts";
import { useStore } from "../state/store.ts";
import { en, type Texts } from "./en.ts";
import { zh } from "./zh.ts";

/** The page's texts in the language chosen. */
export function useTexts(): Texts {
  return useStore(language) === "zh" ? zh : en;
}

export function currentTexts(): Texts {
  return language.get() === "zh" ? zh : en;
}
