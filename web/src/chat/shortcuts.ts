import { useEffect, useRef } from "react";
import { createSavedStore } from "../state/saved.ts";

/** What keys do. Those with `mod` (Ctrl, or ⌘) work everywhere, all others only where nobody is writing. */
export const shortcuts = [
  { name: "help", key: "?" },
  { name: "search", key: "k", mod: true },
  { name: "new", key: "o", mod: true, shift: true },
  { name: "print", key: "p", mod: true },
  { name: "write", key: "/" },
  { name: "find", key: "f" },
  { name: "settings", key: "s" },
  { name: "talk", key: "t" },
  { name: "copy", key: "c" },
  { name: "nextMessage", key: "j" },
  { name: "previousMessage", key: "k" },
  { name: "latest", key: "g" },
  { name: "nextConversation", key: "ArrowDown", alt: true },
  { name: "previousConversation", key: "ArrowUp", alt: true },
  { name: "escape", key: "Escape" },
] as const satisfies readonly Shortcut[];

interface Shortcut {
  readonly name: string;
  readonly key: string;
  readonly mod?: true;
  readonly shift?: true;
  readonly alt?: true;
}

export type ShortcutName = (typeof shortcuts)[number]["name"];
/** Returns false when it had nothing to do: the key is left to the browser then. */
export type ShortcutActions = Readonly<Partial<Record<ShortcutName, () => unknown>>>;

/** Whether single letters do something: people who dictate, or whose hands slip, may not want that. */
export const usesSingleKeys = createSavedStore<boolean>(
  "single-keys",
  true,
  (value): value is boolean => typeof value === "boolean",
);

const isApple = /Mac|iPhone|iPad/.test(navigator.userAgent);
const drawn: Readonly<Record<string, string>> = { ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };

/** The keys as they are printed on keyboards. */
export function keysOf({ key, mod, shift, alt }: Shortcut): string {
  const name = drawn[key] ?? key.toUpperCase();
  if (isApple) return [mod && "⌘", shift && "⇧", alt && "⌥", name].filter(Boolean).join("");
  return [mod && "Ctrl", shift && "Shift", alt && "Alt", name].filter(Boolean).join(" ");
}

/** Does what the keys say, as long as the component is there. */
export function useShortcuts(actions: ShortcutActions): void {
  const current = useRef(actions);
  current.current = actions;
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const shortcut = shortcutOf(event);
      if (shortcut === null) return;
      const run = current.current[shortcut.name];
      if (run !== undefined && run() !== false) event.preventDefault();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}

function shortcutOf(event: KeyboardEvent): (typeof shortcuts)[number] | null {
  // While characters are composed, keys are for that (229: what Safari says then).
  if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return null;
  // A window in front of the page has its own.
  if (document.querySelector("dialog[open]") !== null) return null;
  const found = shortcuts.find((shortcut: Shortcut) => matches(shortcut, event));
  if (found === undefined || isAllowed(found, event)) return found ?? null;
  return null;
}

function matches({ key, mod, shift, alt }: Shortcut, event: KeyboardEvent): boolean {
  return (
    event.key.toLowerCase() === key.toLowerCase() &&
    (event.ctrlKey || event.metaKey) === (mod === true) &&
    event.altKey === (alt === true) &&
    // Without a modifier it belongs to the sign: `?` needs it on some keyboards, on others not.
    (shift === event.shiftKey || (shift === undefined && (!event.shiftKey || !mod)))
  );
}

function isAllowed({ name, mod }: Shortcut, { target, shiftKey, key }: KeyboardEvent): boolean {
  if (mod === true) return true;
  const element = target instanceof HTMLElement ? target : null;
  const isField = element?.matches("input, textarea, select, [contenteditable]") === true;
  // What is written in one is finished with Escape; where messages are written there is nothing to finish.
  if (name === "escape") return !isField || element.matches(".composer textarea");
  if (isField || element?.matches("[role=menu] *") === true) return false;
  if (/^[a-z]$/.test(key.toLowerCase()) && shiftKey) return false;
  return key.length > 1 || usesSingleKeys.get();
}
