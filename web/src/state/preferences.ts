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

/** What phones draw around the page has its colour, also where another appearance than the system's was chosen. */
function colourBars(): void {
  const colours = { light: "#fdfdfc", dark: "#161718" };
  for (const scheme of ["light", "dark"] as const) {
    const chosen = theme.get();
    document
      .querySelector(`meta[name=theme-color][media*=${scheme}]`)
      ?.setAttribute("content", colours[chosen === "system" ? scheme : chosen]);
  }
}

/** Applies language and theme to the document, now and whenever they change. */
export function applyPreferences(): void {
  const apply = () => {
    document.documentElement.lang = language.get() === "zh" ? "zh-CN" : "en";
    if (theme.get() === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme.get();
    colourBars();
  };
  apply();
  language.subscribe(apply);
  theme.subscribe(apply);
}
