/** A source that is read until a signal aborts. */
export interface Interruptible<T> {
  /** The next item; raises the signal's reason as soon as it aborts, also while an item is awaited. */
  next(): Promise<IteratorResult<T, void>>;
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
    async next() {
      signal.throwIfAborted();
      const awaited = source.next();
      pending = awaited;
      const result = await new Promise<IteratorResult<T, void>>((resolve, reject) => {
        giveUp = reject;
        awaited.then(resolve, reject);
      });
      pending = null;
      giveUp = null;
      return result;
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
