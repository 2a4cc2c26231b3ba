import { createSavedStore } from "./saved.ts";

export type Language = "en" | "zh";
export type Theme = "system" | "light" | "dark";

const browserLanguage: Language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";

export const language = createSavedStore<Language>(
  "language",
  browserLanguage,
  (value): value is Language => value === "en" || value === "zh",
);

export const theme = createSavedStore<Theme>(
  "theme",
  "system",
  (value): value is Theme => value === "system" || value === "light" || value === "dark",
);

/** Applies language and theme to the document, now and whenever they change. */
export function applyPreferences(): void {
  const apply = () => {
    document.documentElement.lang = language.get() === "zh" ? "zh-CN" : "en";
    if (theme.get() === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme.get();
  };
  apply();
  language.subscribe(apply);
  theme.subscribe(apply);
}
