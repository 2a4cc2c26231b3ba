import type { Logger } from "../../telemetry/logger.ts";
import type { Replies } from "./replies.ts";

interface RecoveryOptions {
  readonly replies: Pick<Replies, "recover">;
  /** At most this long between two looks. */
  readonly reapMs: number;
  readonly leaseMs: number;
  readonly logger: Logger;
}

/**
 * Looks again and again for replies whose node has died and for messages that wait although nothing runs. Jitter keeps
 * nodes that started together from looking together.
 */
export function startRecovery(options: RecoveryOptions): { stop(): void } {
  const { replies, reapMs, leaseMs, logger } = options;
  /**
   * While the database is away nobody can renew a lease, and afterwards all of them are over although their owners
   * live: those get time to renew before anybody looks for dead ones.
   */
  let notBeforeMs = 0;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const look = async () => {
    try {
      if (performance.now() < notBeforeMs) return;
      // All of a dead node at once: their readers wait. Other nodes have their share, each reply is one transaction's.
      let recovered = 0;
      for (let isMore = true; isMore;) {
        const round = await replies.recover(false);
        recovered += round.recovered;
        isMore = round.isMore && !stopped;
      }
      if (recovered > 0) logger.warn({ recovered }, "replies of a dead node were taken over");
    } catch (error) {
      notBeforeMs = performance.now() + reapMs + (leaseMs * 2) / 3;
      logger.warn({ err: error }, "looking for lost replies failed; trying again");
    } finally {
      schedule();
    }
  };
  const schedule = () => {
    if (stopped) return;
    timer = setTimeout(() => void look(), reapMs * (0.6 + Math.random() * 0.4));
    timer.unref();
  };
  schedule();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
