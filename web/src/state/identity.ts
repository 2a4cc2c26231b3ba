import { createSavedStore, readSaved, writeSaved } from "./saved.ts";
import { createStore } from "./store.ts";

/**
 * Who the page speaks for. `open`: the service asks for no proof, and the page names a random user of its own.
 * `token`: the user is the token's. `sign-in`: a token is needed, or the last one was refused.
 */
export type Identity =
  | { readonly kind: "unknown" }
  | { readonly kind: "open"; readonly userId: string }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "sign-in"; readonly wasRefused: boolean };

const tokenName = "chat-service.token";

export const identity = createStore<Identity>({ kind: "unknown" });

/** The random user of this browser, where nobody has to sign in. */
const openUser = createSavedStore<string>(
  "user",
  "",
  (value): value is string => typeof value === "string" && value.length > 0 && value.length <= 128,
);

/** The service lets everybody in. */
export function enterOpen(): void {
  if (openUser.get() === "") openUser.set(`web-${crypto.randomUUID()}`);
  identity.set({ kind: "open", userId: openUser.get() });
}

/** The token kept from earlier; null: sign in first. */
export function savedToken(): string | null {
  const kept = readSaved("token");
  if (typeof kept === "string") return kept;
  try {
    return sessionStorage.getItem(tokenName);
  } catch {
    return null;
  }
}

/** `isKept`: beyond this tab, until signing out. */
export function signIn(token: string, isKept: boolean): void {
  if (isKept) writeSaved("token", token);
  else {
    try {
      sessionStorage.setItem(tokenName, token);
    } catch {
      // Then it holds until the next reload.
    }
  }
  identity.set({ kind: "token", token });
}

export function signOut(wasRefused = false): void {
  writeSaved("token", null);
  try {
    sessionStorage.removeItem(tokenName);
  } catch {
    // Nothing was kept there either.
  }
  identity.set({ kind: "sign-in", wasRefused });
}

/** Resolves when it is known who the page speaks for. Rejects when `signal` aborts. */
export function identified(signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (identity.get().kind === "unknown" && signal?.aborted !== true) return;
      unwatch();
      signal?.removeEventListener("abort", look);
      if (signal?.aborted === true) reject(signal.reason as Error);
      else resolve();
    };
    const unwatch = identity.subscribe(look);
    signal?.addEventListener("abort", look);
    look();
  });
}
