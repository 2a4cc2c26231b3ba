/** What one question asks about at most. */
const maxKeys = 20;

/**
 * Joins what is asked within one turn of the loop: each key is asked about once, and many in one question. It begins after
 * the last who asks, so that none is answered with what was before.
 */
export function gather<Value>(
  ask: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): (key: string) => Promise<Value | null> {
  let waiting = new Map<string, PromiseWithResolvers<Value | null>>();

  const askAll = () => {
    const all = [...waiting];
    waiting = new Map();
    for (let from = 0; from < all.length; from += maxKeys) {
      const some = all.slice(from, from + maxKeys);
      ask(some.map(([key]) => key)).then(
        (found) => {
          for (const [key, { resolve }] of some) resolve(found.get(key) ?? null);
        },
        (error: unknown) => {
          for (const [, { reject }] of some) reject(error);
        },
      );
    }
  };

  return (key) => {
    if (waiting.size === 0) setImmediate(askAll);
    const asked = waiting.get(key) ?? Promise.withResolvers<Value | null>();
    waiting.set(key, asked);
    return asked.promise;
  };
}
