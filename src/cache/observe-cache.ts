import type { Cache } from "./cache.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** The same cache, with its hits, misses and times in the metrics. */
export function observeCache(cache: Cache, metrics: Metrics): Cache {
  const timed = async <T>(
    operation: string,
    work: () => Promise<T>,
    outcome: (result: T) => string,
  ): Promise<T> => {
    const end = metrics.cacheDuration.startTimer({ operation });
    const result = await work();
    end({ outcome: outcome(result) });
    return result;
  };
  return {
    read: (key) =>
      timed(
        "read",
        () => cache.read(key),
        ({ hit }) => (hit ? "hit" : "miss"),
      ),
    fill: (key, token, value, ttlMs) =>
      timed(
        "fill",
        () => cache.fill(key, token, value, ttlMs),
        (stored) => (stored ? "stored" : "refused"),
      ),
    set: (key, value, ttlMs) =>
      timed(
        "set",
        () => cache.set(key, value, ttlMs),
        () => "ok",
      ),
    delete: (key) =>
      timed(
        "delete",
        () => cache.delete(key),
        (told) => (told ? "ok" : "failed"),
      ),
  };
}
