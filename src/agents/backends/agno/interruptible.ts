/** A source that is read until a signal aborts. */
export interface Interruptible<T> {
  /** The next item; raises the signal's reason as soon as it aborts, also while an item is awaited. */
  next(): Promise<IteratorResult<T, void>>;
  /** Whether an item is awaited. */
  readonly isWaiting: boolean;
  /**
   * Reads on to the end of the source after an abort, within its own limits, and throws the items away (after `see`
   * saw them).
   */
  drain(see: (item: T) => void): Promise<void>;
  /** Stops listening to the signal. */
  release(): void;
}

/**
 * Lets go of a source without closing it: whoever stops a run in AgentOS answers its own caller at once, and still
 * lets the server end its stream. One listener for the whole source; racing against the signal for each item would
 * leave a handler behind for each of them.
 */
export function interruptible<T>(
  source: AsyncGenerator<T, void, void>,
  signal: AbortSignal,
): Interruptible<T> {
  let pending: Promise<IteratorResult<T, void>> | null = null;
  let giveUp: ((reason: unknown) => void) | null = null;
  const onAbort = () => giveUp?.(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });

  return {
    get isWaiting() {
      return pending !== null;
    },
    next() {
      if (signal.aborted) return Promise.reject(signal.reason as Error);
      const awaited = source.next();
      pending = awaited;
      return new Promise((resolve, reject) => {
        giveUp = reject;
        awaited.then((result) => {
          if (!signal.aborted) pending = null;
          resolve(result);
        }, reject);
      });
    },
    async drain(see) {
      let result = await (pending ?? source.next());
      while (!result.done) {
        see(result.value);
        result = await source.next();
      }
    },
    release() {
      signal.removeEventListener("abort", onAbort);
    },
  };
}
