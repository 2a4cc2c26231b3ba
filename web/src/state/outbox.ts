import type { OnBusy, SessionConfig, VoiceConfig } from "../api/types.ts";
import { dropFiles, readFiles } from "./kept-files.ts";
import { readSaved, savedNames, writeSaved } from "./saved.ts";
import { createStore } from "./store.ts";

/** A message that the service has not confirmed yet. It is kept by the browser until then. */
export interface Outgoing {
  /** Repeats are recognised by it, so that sending again after a lost answer doubles nothing. */
  readonly key: string;
  readonly sessionId: string | null;
  /** Of the conversation that the message begins or joins while that has no session yet. */
  readonly draftId: string | null;
  readonly text: string;
  readonly agentId: string | null;
  readonly config: SessionConfig;
  /** What becomes of it while a reply is made; null: as the conversation is set. */
  readonly onBusy: OnBusy | null;
  /** `voice_config`; null: the reply is not spoken. */
  readonly voice: VoiceConfig | null;
  /** What goes with it; the bytes are kept apart. */
  readonly files: readonly { readonly name: string; readonly size: number }[];
  /** Where those are; null: there are none. */
  readonly filesAt: string | null;
  readonly createdMs: number;
  /** `waiting`: it is tried again by itself. `refused`: its writer decides. */
  readonly state: "sending" | "waiting" | "refused";
  readonly error: string | null;
  /** What kind of a refusal it was; null: none of the service's. */
  readonly errorType: string | null;
  /** When it is tried again, or may be; null: whenever one likes. */
  readonly retryAtMs: number | null;
}

/** The service forgets keys after a day; an older message is only sent again on demand. */
const maxAgeMs = 20 * 3_600_000;

/** In the order they were written. */
export const outbox = createStore<readonly Outgoing[]>(load());

function load(): Outgoing[] {
  return savedNames("outbox.")
    .map(readSaved)
    .filter(isOutgoing)
    .map((entry) => ({
      ...entry,
      voice: entry.voice ?? null,
      onBusy: entry.onBusy ?? null,
      files: entry.files ?? [],
      // Those of pages before this one lie at its key.
      filesAt: entry.filesAt ?? (entry.files?.length > 0 ? `outbox.${entry.key}` : null),
      errorType: entry.errorType ?? null,
      retryAtMs: entry.retryAtMs ?? null,
    }))
    .map((entry) =>
      Date.now() - entry.createdMs > maxAgeMs ? { ...entry, state: "refused" as const } : entry,
    )
    .sort((left, right) => left.createdMs - right.createdMs);
}

function isOutgoing(value: unknown): value is Outgoing {
  if (typeof value !== "object" || value === null) return false;
  const { key, text, createdMs } = value as Partial<Outgoing>;
  return typeof key === "string" && typeof text === "string" && typeof createdMs === "number";
}

/** How much of what is being sent has gone, from 0 to 1, by the keys of those that take a while. */
export const sentShares = createStore<ReadonlyMap<string, number>>(new Map());

export function noteSent(key: string, share: number | null): void {
  sentShares.set((shares) => {
    const next = new Map(shares);
    if (share === null) next.delete(key);
    else next.set(key, share);
    return next;
  });
}

/** The files that go with an entry, as far as the browser still has them. */
export async function filesOf({ filesAt }: Outgoing): Promise<readonly File[]> {
  return filesAt === null ? [] : readFiles(filesAt);
}

/** Adds or replaces an entry. */
export function putOutgoing(entry: Outgoing): void {
  writeSaved(`outbox.${entry.key}`, entry);
  outbox.set((entries) =>
    entries.some(({ key }) => key === entry.key)
      ? entries.map((each) => (each.key === entry.key ? entry : each))
      : [...entries, entry],
  );
}

export function removeOutgoing(key: string): void {
  const removed = outbox.get().find((entry) => entry.key === key);
  if (removed === undefined) return;
  writeSaved(`outbox.${key}`, null);
  if (removed.filesAt !== null) void dropFiles(removed.filesAt);
  outbox.set((entries) => entries.filter((entry) => entry.key !== key));
}
