import type { Wire } from "../nodes/wire.ts";
import { cellsOf } from "./gcra.ts";
import type { MemoryRateLimiter } from "./memory-rate-limiter.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import { unwaited } from "../lib/unwaited.ts";

interface ToldRateLimiterOptions {
  /** Tells its keys from those of other limiters. */
  readonly name: string;
  readonly local: MemoryRateLimiter;
  readonly wire: Wire;
  readonly beatMs?: number;
}

/** Keys in one message. */
const batchKeys = 200;

/**
 * The limiter of nodes that have no Redis: each decides by itself, at once, and tells the others a moment later what it
 * has let through, which counts there as if they had. What comes to several nodes within that moment may get through on
 * each; it is owed then, so that over any longer time no more gets through than on one node.
 */
export function createToldRateLimiter(options: ToldRateLimiterOptions): RateLimiter & {
  close(): void;
} {
  const { name, local, wire, beatMs = 50 } = options;
  let taken = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const tell = () => {
    timer = undefined;
    const all = [...taken];
    taken = new Map();
    for (let start = 0; start < all.length; start += batchKeys) {
      unwaited(wire.send(null, `taken ${name}`, all.slice(start, start + batchKeys)));
    }
  };
  const stop = wire.on(`taken ${name}`, (body) => {
    for (const [key, costUs] of body as [string, number][]) local.charge(key, costUs);
  });

  return {
    async take(key, rate, count) {
      const decision = await local.take(key, rate, count);
      if (decision.allowed && wire.hasPeers()) {
        taken.set(key, (taken.get(key) ?? 0) + cellsOf(rate, count).costUs);
        timer ??= setTimeout(tell, beatMs);
      }
      return decision;
    },
    close() {
      clearTimeout(timer);
      stop();
    },
  };
}
