/** After so long without a pause everything else gets its turn. */
const sliceMs = 10;

/**
 * Does work that keeps this thread busy, one piece after the other in the order of the calls, and lets connections,
 * timers and answers come in between, however much is waiting.
 */
export function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let before: Promise<unknown> = Promise.resolve();
  let pausedAt = -Infinity;
  const pause = async () => {
    await new Promise(setImmediate);
    pausedAt = performance.now();
  };
  return (work) => {
    const result = before.then(async () => {
      if (performance.now() - pausedAt > sliceMs) await pause();
      return work();
    });
    before = result.catch(() => undefined);
    return result;
  };
}
