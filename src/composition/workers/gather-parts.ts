import type { Part, PartName, ToWorker } from "./messages.ts";

/** A worker that does not answer is waited for so long. */
const patienceMs = 4_000;

/** Asks workers for their parts of something, one round for each who wants to know. `W`: how they are told apart. */
export function createGatherParts<W>(send: (worker: W, message: ToWorker) => void) {
  const rounds = new Map<number, (part: Part | null, from: W) => void>();
  let last = 0;
  return {
    /** Of those who have told one in time. */
    async gather(name: PartName, workers: Iterable<W>): Promise<readonly Part[]> {
      const id = (last += 1);
      const asked = new Set(workers);
      if (asked.size === 0) return [];
      const parts: Part[] = [];
      const all = Promise.withResolvers<void>();
      rounds.set(id, (part, from) => {
        if (!asked.delete(from)) return;
        if (part !== null) parts.push(part);
        if (asked.size === 0) all.resolve();
      });
      for (const worker of asked) send(worker, { do: "tell part", id, name });
      const timer = setTimeout(all.resolve, patienceMs);
      await all.promise;
      clearTimeout(timer);
      rounds.delete(id);
      return parts;
    },
    hear(id: number, part: Part | null, from: W): void {
      rounds.get(id)?.(part, from);
    },
  };
}
