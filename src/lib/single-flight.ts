/** Joins callers that want the same thing at the same time: one of them does the work, all get its outcome. */
export interface SingleFlight<T> {
  /**
   * The outcome of `work`, or of the work already running under `key`; a fault reaches everybody who joined.
   * Nothing is remembered once it has settled.
   */
  run(key: string, work: () => Promise<T>): Promise<T>;
  /** How many are running. */
  running(): number;
}

export function createSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Promise<T>>();
  return {
    run(key, work) {
      const joined = flights.get(key);
      if (joined !== undefined) return joined;
      // `finally` always comes a tick later, so the entry exists before it is removed, whatever `work` does.
      const flight = (async () => work())().finally(() => flights.delete(key));
      flights.set(key, flight);
      return flight;
    },
    running: () => flights.size,
  };
}
