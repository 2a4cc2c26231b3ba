import { randomBytes } from "node:crypto";
import { fillWindowMs, type Cache, type CacheRead } from "./cache.ts";

interface Entry {
  /** `lease`: nobody has loaded the value yet; `text` is the token. */
  readonly kind: "value" | "lease";
  readonly text: string;
  readonly expiresAtMs: number;
  readonly bytes: number;
}

interface MemoryCacheOptions {
  /** Bound on keys, values and the book-keeping for them, roughly in bytes of memory. */
  readonly maxBytes?: number;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
}

export interface MemoryCache extends Cache {
  /** Entries and bytes held, for metrics and tests. */
  size(): { readonly entries: number; readonly bytes: number };
}

/** What an entry costs beside its two strings: map slot, object, numbers. */
const entryOverheadBytes = 160;

/** One entry may take an eighth of the cache, so that a single large value cannot empty it. */
const largestShare = 8;

/** The cache of a single process: least recently used entries go first when it is full. */
export function createMemoryCache({
  maxBytes = 32 * 1024 * 1024,
  now = () => performance.now(),
}: MemoryCacheOptions = {}): MemoryCache {
  // A Map iterates in insertion order: entries are inserted again when used, so the first is the least recent.
  const entries = new Map<string, Entry>();
  let heldBytes = 0;

  function remove(key: string): void {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    heldBytes -= entry.bytes;
  }

  function live(key: string): Entry | undefined {
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAtMs > now()) return entry;
    remove(key);
    return undefined;
  }

  function put(key: string, kind: Entry["kind"], text: string, ttlMs: number): boolean {
    remove(key);
    // UTF-16 strings take up to two bytes a unit.
    const bytes = 2 * (key.length + text.length) + entryOverheadBytes;
    if (bytes > maxBytes / largestShare) return false;
    entries.set(key, { kind, text, expiresAtMs: now() + Math.ceil(ttlMs), bytes });
    heldBytes += bytes;
    for (const oldest of entries.keys()) {
      if (heldBytes <= maxBytes) break;
      remove(oldest);
    }
    return true;
  }

  function use(key: string, entry: Entry): void {
    entries.delete(key);
    entries.set(key, entry);
  }

  return {
    async read(key): Promise<CacheRead> {
      const entry = live(key);
      if (entry !== undefined) use(key, entry);
      if (entry?.kind === "value") return { hit: true, value: entry.text };
      if (entry?.kind === "lease") return { hit: false, fillToken: entry.text };
      const fillToken = randomBytes(16).toString("base64url");
      put(key, "lease", fillToken, fillWindowMs);
      return { hit: false, fillToken };
    },
    async fill(key, fillToken, value, ttlMs) {
      const entry = live(key);
      if (entry?.kind !== "lease" || entry.text !== fillToken) return false;
      if (!(ttlMs > 0)) return false;
      return put(key, "value", value, ttlMs);
    },
    async set(key, value, ttlMs) {
      if (ttlMs > 0) put(key, "value", value, ttlMs);
      else remove(key);
    },
    async delete(key) {
      remove(key);
      return true;
    },
    size: () => ({ entries: entries.size, bytes: heldBytes }),
  };
}
