import { createLocalJWKSet, errors, type CryptoKey, type LocalJWKSet } from "jose";
import { fetchJson, PeerFault } from "../lib/fetch-json.ts";
import { isJsonObject } from "../lib/json-shape.ts";
import type { Logger } from "../telemetry/logger.ts";
import { outageOf, whyOf } from "../telemetry/outage.ts";
import { unwaited } from "../lib/unwaited.ts";

interface KeyHint {
  readonly alg: string;
  readonly kid: string | undefined;
}

/** The public keys of an issuer, kept up to date. */
export interface KeySet {
  /**
   * Keys that may have signed a token with this header; usually one, none for an unknown `kid`, several where the
   * token names no `kid`. Raises PeerFault while no keys were ever had (or for a day).
   */
  find(hint: KeyHint): Promise<readonly CryptoKey[]>;
  /** Asks for the keys now, so that the first request need not wait. Never raises. */
  warm(): Promise<void>;
}

interface KeySetOptions {
  readonly url: string;
  readonly log: Logger;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
  readonly timeoutMs?: number;
}

/** Keys are looked at again after this; a key that was withdrawn is believed at most so long (while requests come). */
const refreshMs = 10 * 60_000;
/** With the issuer unreachable, keys are believed this long after they were last seen. */
const staleMs = 24 * 60 * 60_000;
/** Unknown `kid`s, invented or not, cause at most one fetch in this time; failed refreshes wait as long. */
const cooldownMs = 30_000;
const maxKeys = 100;
/** How many keys are tried for a token that names none. */
const maxCandidates = 4;

export function createKeySet({
  url,
  log,
  now = () => performance.now(),
  timeoutMs = 5_000,
}: KeySetOptions): KeySet {
  const outage = outageOf(log, "the issuer of the tokens");
  let keys: LocalJWKSet | null = null;
  let fetchedAtMs = 0;
  let nextRefreshAtMs = 0;
  let nextUnknownKidAtMs = 0;
  let faultsInRow = 0;
  let pending: Promise<void> | null = null;

  async function download(): Promise<LocalJWKSet> {
    const { status, body } = await fetchJson(url, { timeoutMs, maxBytes: 1024 * 1024 });
    if (status !== 200) throw new PeerFault(`status ${status}`);
    const listed = isJsonObject(body) ? body["keys"] : undefined;
    // An empty list would lock everybody out; no issuer means that.
    if (!Array.isArray(listed) || listed.length === 0 || listed.length > maxKeys) {
      throw new PeerFault("no list of keys");
    }
    try {
      return createLocalJWKSet({ keys: listed });
    } catch (error) {
      throw new PeerFault("no list of keys", { cause: error });
    }
  }

  /** One fetch at a time; resolves with or without success. */
  function refresh(): Promise<void> {
    pending ??= (async () => {
      try {
        keys = await download();
        fetchedAtMs = now();
        nextRefreshAtMs = fetchedAtMs + refreshMs;
        outage.back();
        faultsInRow = 0;
      } catch (error) {
        outage.lost(whyOf(error), error);
        // Without any keys nobody gets in: try again soon, then more and more seldom.
        const waitMs = keys === null ? Math.min(cooldownMs, 1_000 * 2 ** faultsInRow) : cooldownMs;
        faultsInRow++;
        nextRefreshAtMs = now() + waitMs;
      } finally {
        pending = null;
      }
    })();
    return pending;
  }

  /** True when this very call has fetched, or waited for a fetch. */
  async function ensure(): Promise<boolean> {
    const ageMs = keys === null ? Number.POSITIVE_INFINITY : now() - fetchedAtMs;
    if (ageMs <= refreshMs) return false;
    const due = now() >= nextRefreshAtMs;
    // A little out of date: use them while they are fetched anew.
    if (ageMs <= 2 * refreshMs) {
      if (due) unwaited(refresh());
      return false;
    }
    if (pending === null && !due) return false;
    await refresh();
    return true;
  }

  async function select({ alg, kid }: KeyHint): Promise<readonly CryptoKey[]> {
    if (keys === null || now() - fetchedAtMs > staleMs) {
      throw new PeerFault("the issuer's public keys cannot be had");
    }
    try {
      return [await keys({ alg, ...(kid === undefined ? {} : { kid }) })];
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) {
        const candidates: CryptoKey[] = [];
        for await (const key of error) {
          candidates.push(key);
          if (candidates.length === maxCandidates) break;
        }
        return candidates;
      }
      if (!(error instanceof errors.JWKSNoMatchingKey)) {
        log.debug({ err: error }, "a public key of the issuer cannot be used");
      }
      return [];
    }
  }

  return {
    async find(hint) {
      const fetched = await ensure();
      const found = await select(hint);
      if (found.length > 0 || fetched || hint.kid === undefined) return found;
      // The issuer may have begun to use a new key.
      if (pending === null) {
        if (now() < nextUnknownKidAtMs) return found;
        nextUnknownKidAtMs = now() + cooldownMs;
      }
      await refresh();
      return select(hint);
    },
    warm: refresh,
  };
}
