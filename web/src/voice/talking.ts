import { createStore } from "../state/store.ts";

/** Whether one talks instead of writing. */
export const isTalking = createStore(false);

export function endTalking(): void {
  isTalking.set(false);
}
