import { setTimeout as delay } from "node:timers/promises";
import { identityOfKey } from "../identity/api-keys.ts";
import type { Identity, StoredKeys } from "../identity/identity.ts";
import type { Logger } from "../telemetry/logger.ts";
import { outageOf, whyOf } from "../telemetry/outage.ts";
import { hashOf, isKeyForm, type ApiKey } from "./api-key.ts";
import type { ApiKeyStore } from "./api-key-store.ts";

interface KnownKeysOptions {
  readonly store: Pick<ApiKeyStore, "version" | "live" | "used">;
  /** Names that the configuration has given: a key that was made under one of them lets nobody in. */
  readonly configured: ReadonlySet<string>;
  readonly logger: Logger;
  /** Whether others change keys too, so that they are looked at all the time. */
  readonly hasOthers: boolean;
}

/** So long a revoked key is taken by other nodes at most, beside the time of a statement. */
const lookMs = 1_000;
/** Keys that nobody knows, invented or just made elsewhere, cause no more than one look in this time. */
const missMs = 100;
/** When keys were used is written this often. */
const useMs = 60_000;

interface Known {
  readonly keyId: string;
  readonly identity: Identity;
}

export type KnownKeys = StoredKeys & {
  /** Reads them now; for the start, and for whoever has changed something. */
  refresh(): Promise<void>;
};

/**
 * The keys that let somebody in, in the memory of this node: a request asks no database. Looked at each second, and before a
 * key of the right form is refused, so that one that was just made elsewhere works at once. While the database is away,
 * what is known stays: nothing ends because somebody cannot be asked.
 */
export function createKnownKeys(options: KnownKeysOptions): KnownKeys {
  const { store, configured, logger, hasOthers } = options;
  const outage = outageOf(logger, "API keys");
  const closing = new AbortController();
  const watchers = new Map<string, Set<() => void>>();
  const used = new Map<string, Date>();
  const told = new Set<string>();
  let keys = new Map<string, Known>();
  let version = -1;
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  let begunMs = Number.NEGATIVE_INFINITY;

  const take = (live: Awaited<ReturnType<typeof store.live>>) => {
    const before = new Set([...keys.values()].map(({ keyId }) => keyId));
    keys = new Map();
    for (const key of live) {
      if (configured.has(key.name)) {
        if (!told.has(key.keyId)) {
          logger.warn(
            { key: key.name },
            "a key has the name of one in auth.api_keys: it is refused",
          );
        }
        told.add(key.keyId);
        continue;
      }
      keys.set(key.sha256, { keyId: key.keyId, identity: identityOf(key) });
      before.delete(key.keyId);
    }
    for (const gone of before) for (const tell of watchers.get(gone) ?? []) tell();
  };

  const look = async () => {
    const now = await store.version();
    if (now === version) return;
    take(await store.live());
    version = now;
  };

  const begin = (): Promise<void> => {
    begunMs = performance.now();
    running = look().finally(() => {
      running = null;
    });
    return running;
  };
  /** A look that begins after this call: one that is under way may have begun before what it is asked about. */
  const refresh = (): Promise<void> => {
    if (next !== null) return next;
    const isRested = performance.now() - begunMs >= missMs;
    if (running === null && isRested) return begin();
    next = Promise.allSettled([running, delay(missMs)]).then(() => {
      next = null;
      return begin();
    });
    return next;
  };

  let timer: NodeJS.Timeout | undefined;
  const schedule = () => {
    if (closing.signal.aborted) return;
    timer = setTimeout(() => {
      refresh()
        .then(
          () => outage.back(),
          (error: unknown) => outage.lost(whyOf(error), error),
        )
        .finally(schedule);
    }, lookMs);
    timer.unref();
  };
  if (hasOthers) schedule();

  const writeUse = async () => {
    if (used.size === 0) return;
    const written = new Map(used);
    used.clear();
    await store.used(written).catch((error: unknown) => {
      // When a key was used last is nothing that anything waits for.
      logger.warn({ err: error }, "when keys were used could not be written");
    });
  };
  const useTimer = setInterval(() => void writeUse(), useMs);
  useTimer.unref();

  return {
    isForm: isKeyForm,
    refresh,

    async find(key) {
      if (!isKeyForm(key)) return null;
      const hash = hashOf(key);
      // Whoever does not know a key cannot steer how its hash begins: that a lookup ends early tells nothing of it.
      if (!keys.has(hash) && hasOthers) {
        await refresh().catch((error: unknown) => outage.lost(whyOf(error), error));
      }
      const known = keys.get(hash);
      if (known === undefined) return null;
      if ((known.identity.expiresAtMs ?? Infinity) <= Date.now()) return null;
      used.set(known.keyId, new Date());
      return known.identity;
    },

    watch({ keyId }, onGone) {
      if (keyId === undefined) return undefined;
      const ofKey = watchers.get(keyId) ?? new Set();
      watchers.set(keyId, ofKey.add(onGone));
      return () => {
        ofKey.delete(onGone);
        if (ofKey.size === 0) watchers.delete(keyId);
      };
    },

    async close() {
      closing.abort();
      clearTimeout(timer);
      clearInterval(useTimer);
      await writeUse();
    },
  };
}

function identityOf(key: ApiKey): Identity {
  return {
    ...identityOfKey({
      name: key.name,
      user_id: key.userId,
      roles: key.roles,
      ...(key.scopes && { scopes: key.scopes }),
      acts_for_users: key.actsForUsers,
      ...(key.onDisconnect && { on_disconnect: key.onDisconnect }),
    }),
    keyId: key.keyId,
    ...(key.expiresAt && { expiresAtMs: key.expiresAt.getTime() }),
  };
}
