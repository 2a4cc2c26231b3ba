import { ApiError } from "../../../packages/client/src/index.ts";
import { client } from "../api/client.ts";
import type { Administrated } from "../api/types.ts";
import { enterOpen, identity, savedToken } from "../state/identity.ts";

/** What is fetched when it is unfolded; that somebody looks is noted in the audit log, so nothing is asked for by itself. */
export type Chapter = keyof Administrated;

const rows = 50;
const dayMs = 86_400_000;

/** Whether whoever looks is an administrator, which only the service knows: its answer to what only they may see. */
export async function isAdministrator(): Promise<boolean> {
  try {
    if (!(await isKnown())) return false;
    await ask("/api-keys", { limit: 1 });
    return true;
  } catch {
    return false;
  }
}

const readers: { readonly [Name in Chapter]: () => Promise<Administrated[Name]> } = {
  agents: () => ask("/chat/agents"),
  // Whole days, as the service counts them.
  usage: () =>
    ask("/usage", {
      all_users: true,
      group_by: "day",
      since: `${new Date(Date.now() - 29 * dayMs).toISOString().slice(0, 10)}T00:00:00Z`,
    }),
  feedback: () => ask("/feedback", { limit: rows }),
  keys: () => ask("/api-keys", { include_ended: true, limit: rows }),
  audit: () => ask("/audit", { limit: rows }),
};

export function readChapter<Name extends Chapter>(name: Name): Promise<Administrated[Name]> {
  return readers[name]();
}

function ask<T>(path: string, query: Readonly<Record<string, unknown>> = {}): Promise<T> {
  return client.request<T>({ method: "GET", path, query });
}

/** As the chat page finds out who it speaks for; this one asks nobody to sign in. */
async function isKnown(): Promise<boolean> {
  const token = savedToken();
  if (token !== null) {
    identity.set({ kind: "token", token });
    return true;
  }
  const config = await client.config().catch((error: unknown) => {
    // A gateway keeps it back, and may know who it is.
    if (error instanceof ApiError) return null;
    throw error;
  });
  if (config === null) return true;
  if (config.features["authentication"] === "open") enterOpen();
  return identity.get().kind === "open";
}
