/** Something that has text to send. */
export interface Flushable {
  /** Not before this, by `performance.now()`. */
  readonly dueMs: number;
  flush(): void;
}

/**
 * Lets all replies of a node send what they have at the same moments: to wake up, and to wake up readers, costs more
 * than to send, and is so done once for many.
 */
export interface FlushBeat {
  /** Calls `flush` once, at the first beat at which it is due, unless it is forgotten before. */
  wait(flushable: Flushable): void;
  forget(flushable: Flushable): void;
}

const beatMs = 10;

export function createFlushBeat(): FlushBeat {
  const waiting = new Set<Flushable>();
  let timer: NodeJS.Timeout | undefined;

  const beat = () => {
    timer = undefined;
    const now = performance.now();
    for (const each of waiting) {
      if (each.dueMs > now) continue;
      waiting.delete(each);
      each.flush();
    }
    if (waiting.size > 0) timer = setTimeout(beat, beatMs);
  };

  return {
    wait(flushable) {
      waiting.add(flushable);
      timer ??= setTimeout(beat, beatMs);
    },
    forget(flushable) {
      waiting.delete(flushable);
    },
  };
}
