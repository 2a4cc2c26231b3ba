import type { OnBusy } from "../api/types.ts";
import { createSavedStore } from "./saved.ts";

/** What may become of a message that is sent while a reply is made, the gentlest first. */
export const busyChoices = [
  "enqueue",
  "merge",
  "steer",
  "interrupt",
  "rollback",
  "reject",
] as const satisfies readonly OnBusy[];

/** What the user wants; null: whatever the conversation is set to. */
export const chosenOnBusy = createSavedStore<OnBusy | null>(
  "on-busy",
  null,
  (value): value is OnBusy | null => value === null || busyChoices.some((each) => each === value),
);

/** As the conversation is set, where the user has not chosen. */
export function onBusyOf(config: { readonly on_busy?: unknown } | undefined): OnBusy {
  return busyChoices.find((each) => each === config?.on_busy) ?? "enqueue";
}
