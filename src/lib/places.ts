/** So many at a time. A place is taken and counted in one step, so that there is never one too many. */
export class Places {
  readonly #max: number;
  #taken = 0;
  readonly #waiting = new Set<() => void>();

  constructor(max: number) {
    this.#max = max;
  }

  /** How many are taken. */
  get taken(): number {
    return this.#taken;
  }

  get isFull(): boolean {
    return this.#taken >= this.#max;
  }

  /** What gives the place back, at its first call; null when there is none. */
  take(): (() => void) | null {
    if (this.isFull) return null;
    this.#taken += 1;
    return this.#held();
  }

  /** Waits for one, behind those who wait already. Raises the signal's reason. */
  async wait(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const taken = this.take();
    if (taken !== null) return taken;
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#waiting.delete(begin);
        reject(signal.reason as Error);
      };
      const begin = () => {
        signal.removeEventListener("abort", stop);
        resolve(this.#held());
      };
      this.#waiting.add(begin);
      signal.addEventListener("abort", stop, { once: true });
    });
  }

  #held(): () => void {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const [next] = this.#waiting;
      // It goes from hand to hand: nobody who has not waited comes between.
      if (next === undefined) this.#taken -= 1;
      else {
        this.#waiting.delete(next);
        next();
      }
    };
  }
}

/** So many at a time of each owner. */
export class PlacesByOwner {
  readonly #max: number;
  readonly #owners = new Map<string, Places>();

  /** 0: as many as they like. */
  constructor(max: number) {
    this.#max = max === 0 ? Infinity : max;
  }

  isFull(owner: string): boolean {
    return this.#owners.get(owner)?.isFull === true;
  }

  /** What gives the place back, at its first call; null when the owner has no more. */
  take(owner: string): (() => void) | null {
    const places = this.#owners.get(owner) ?? new Places(this.#max);
    const giveBack = places.take();
    if (giveBack === null) return null;
    this.#owners.set(owner, places);
    return () => {
      giveBack();
      if (places.taken === 0 && this.#owners.get(owner) === places) this.#owners.delete(owner);
    };
  }
}
