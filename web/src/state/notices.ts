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

/** Shows why something did not work. */
export function notifyError(error: unknown): void {
  notify({ kind: "error", text: error instanceof Error ? error.message : String(error) });
}
