import { ApiError, ConnectionError } from "../../../packages/client/src/index.ts";
import { currentTexts } from "../text/use-texts.ts";
import { createStore } from "./store.ts";

export interface Notice {
  readonly id: string;
  readonly text: string;
  readonly kind: "info" | "error";
  readonly action?: { readonly label: string; readonly run: () => void };
}

export const notices = createStore<readonly Notice[]>([]);

const shownMs = 7_000;

/** Shows a notice for a while; returns its id. */
export function notify(notice: Omit<Notice, "id">, durationMs = shownMs): string {
  const id = crypto.randomUUID();
  notices.set((shown) => [...shown.slice(-3), { ...notice, id }]);
  setTimeout(() => dismiss(id), durationMs);
  return id;
}

export function dismiss(id: string): void {
  notices.set((shown) => shown.filter((notice) => notice.id !== id));
}

/** Shows why something did not work, and offers to try it again where that may help. */
export function notifyError(error: unknown, again?: () => void): void {
  const texts = currentTexts();
  const mayHelp =
    !(error instanceof ApiError) || error.status >= 500 || [409, 429].includes(error.status);
  notify({
    kind: "error",
    text: wordsOf(error),
    ...(again !== undefined && mayHelp && { action: { label: texts.remedies.again, run: again } }),
  });
}

/** The service says it in the page's language; what browsers say of networks is for developers. */
export function wordsOf(error: unknown): string {
  if (error instanceof ConnectionError || error instanceof TypeError) {
    return currentTexts().notReached;
  }
  return error instanceof Error ? error.message : String(error);
}
