import { createSingleFlight } from "../lib/single-flight.ts";
import type { Cache } from "./cache.ts";

/** What was loaded, and for how long it may be kept (milliseconds; 0: not at all). */
interface Loaded<T> {
  readonly value: T;
  readonly ttlMs: number;
}

export interface ReadThrough<T> {
  /**
   * The cached value of `key`, or what `load` gives. Many callers at once load once. Faults of `load` go to all of
   * them and are not kept. A caller that comes after a `delete` never joins a load that began before it.
   */
  get(key: string, load: () => Promise<Loaded<T>>): Promise<T>;
}

interface ReadThroughOptions<T> {
  readonly cache: Cache;
  /** Value of a cached text; undefined for one it does not understand (another version wrote it): a miss. */
  readonly decode: (text: string) => T | undefined;
  readonly encode: (value: T) => string;
}

export function createReadThrough<T>({
  cache,
  decode,
  encode,
}: ReadThroughOptions<T>): ReadThrough<T> {
  const flights = createSingleFlight<T>();
  return {
    async get(key, load) {
      let read = await cache.read(key);
      if (read.hit) {
        const value = decode(read.value);
        if (value !== undefined) return value;
        await cache.delete(key);
        read = await cache.read(key);
      }
      const fillToken = read.hit ? "" : read.fillToken;
      // The token is part of the flight's name: a delete changes it, so later callers start a flight of their own.
      return flights.run(`${fillToken} ${key}`, async () => {
        const loaded = await load();
        await cache.fill(key, fillToken, encode(loaded.value), loaded.ttlMs);
        return loaded.value;
      });
    },
  };
}
