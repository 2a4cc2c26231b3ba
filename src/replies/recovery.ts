import type { Logger } from "../telemetry/logger.ts";
import type { Replies } from "./replies.ts";

interface RecoveryOptions {
  readonly replies: Replies;
  readonly reapMs: number;
  readonly logger: Logger;
}

/**
 * Looks again and again for replies whose node has died and for messages that wait although nothing runs. Jitter keeps
 * nodes that started together from looking together.
 */
export function startRecovery({ replies, reapMs, logger }: RecoveryOptions): { stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const look = async () => {
    try {
      const recovered = await replies.recover(false);
      if (recovered > 0) logger.warn({ recovered }, "replies of a dead node were taken over");
    } catch (error) {
      logger.warn({ err: error }, "looking for lost replies failed; trying again");
    }
    schedule();
  };
  const schedule = () => {
    if (stopped) return;
    timer = setTimeout(() => void look(), reapMs * (0.8 + Math.random() * 0.4));
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
