/** Says beside a stream that it is still alive, where its events go through what has no word for that. */
export interface Pulse {
  readonly beat: () => void;
  readonly next: () => Promise<null>;
}

export function createPulse(): Pulse {
  let beat = Promise.withResolvers<null>();
  return {
    beat: () => {
      beat.resolve(null);
      beat = Promise.withResolvers<null>();
    },
    next: () => beat.promise,
  };
}

/** The events, and null for each beat between them. */
export async function* withPulse<T>(
  events: AsyncGenerator<T, void, undefined>,
  pulse: Pulse,
): AsyncGenerator<T | null, void, undefined> {
  try {
    let next = events.next();
    for (;;) {
      const won = await Promise.race([next, pulse.next()]);
      if (won === null) {
        yield null;
        continue;
      }
      if (won.done === true) return;
      yield won.value;
      next = events.next();
    }
  } finally {
    // It may be waiting for an event, and ends by its own signal then.
    void events.return().catch(() => undefined);
  }
}
