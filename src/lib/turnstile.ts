/** Runs work of one owner one after the other; that of others does not wait for it. */
export type Turnstile = <T>(
  owner: string,
  signal: AbortSignal,
  work: () => Promise<T>,
) => Promise<T>;

/** Raises what `tooMany` makes when so many of one owner wait already, or the signal's reason. */
export function createTurnstile(maxWaiting: number, tooMany: () => Error): Turnstile {
  const owners = new Map<string, { last: Promise<void>; count: number }>();
  return async (owner, signal, work) => {
    signal.throwIfAborted();
    const line = owners.get(owner) ?? { last: Promise.resolve(), count: 0 };
    if (line.count > maxWaiting) throw tooMany();
    const before = line.last;
    const { promise, resolve: done } = Promise.withResolvers<void>();
    line.last = before.then(() => promise);
    line.count++;
    owners.set(owner, line);
    try {
      await before;
      signal.throwIfAborted();
      return await work();
    } finally {
      done();
      if (--line.count === 0) owners.delete(owner);
    }
  };
}
