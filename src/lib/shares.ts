interface SharesOptions {
  /** Of all owners together. */
  readonly total: number;
  /** Of one owner. */
  readonly each: number;
  /** So many of one owner may wait. */
  readonly maxWaiting: number;
}

interface Owner {
  taken: number;
  /** In the order in which they came. */
  readonly waiting: { readonly amount: number; readonly begin: () => void }[];
}

/**
 * Something of which there is only so much at a time, for all together and for each owner. Who finds too little left
 * waits; of those who wait, the first of each owner is looked at in turn, so that nobody stands behind another's crowd.
 */
export class Shares {
  readonly #options: SharesOptions;
  readonly #owners = new Map<string, Owner>();
  #taken = 0;

  constructor(options: SharesOptions) {
    this.#options = options;
  }

  /** Of all owners. */
  get taken(): number {
    return this.#taken;
  }

  /** What gives it back; null where it would have to be waited for. */
  takeNow(owner: string, amount: number): (() => void) | null {
    const own = this.#ownerOf(owner);
    const bounded = this.#bounded(amount);
    if (own.waiting.length === 0 && this.#fits(own, bounded))
      return this.#begin(owner, own, bounded);
    this.#forget(owner, own);
    return null;
  }

  /**
   * Resolves with what gives it back, at its first call; with null when too many wait already, or `signal` aborts before
   * it is there. More than one owner may have counts as all of that.
   */
  async take(owner: string, amount: number, signal: AbortSignal): Promise<(() => void) | null> {
    const begun = this.takeNow(owner, amount);
    if (begun !== null) return begun;
    const own = this.#ownerOf(owner);
    if (own.waiting.length >= this.#options.maxWaiting || signal.aborted) {
      this.#forget(owner, own);
      return null;
    }
    const bounded = this.#bounded(amount);
    return new Promise((resolve) => {
      const begin = () => {
        signal.removeEventListener("abort", leave);
        resolve(this.#begin(owner, own, bounded));
      };
      const waiter = { amount: bounded, begin };
      const leave = () => {
        own.waiting.splice(own.waiting.indexOf(waiter), 1);
        this.#forget(owner, own);
        resolve(null);
        // Whoever stood behind it may ask for less.
        this.#serve();
      };
      signal.addEventListener("abort", leave, { once: true });
      own.waiting.push(waiter);
    });
  }

  #ownerOf(owner: string): Owner {
    const own = this.#owners.get(owner) ?? { taken: 0, waiting: [] };
    this.#owners.set(owner, own);
    return own;
  }

  #bounded(amount: number): number {
    const { total, each } = this.#options;
    return Math.min(amount, each, total);
  }

  #fits(own: Owner, amount: number): boolean {
    const { total, each } = this.#options;
    return own.taken + amount <= each && this.#taken + amount <= total;
  }

  #begin(owner: string, own: Owner, amount: number): () => void {
    own.taken += amount;
    this.#taken += amount;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      own.taken -= amount;
      this.#taken -= amount;
      this.#serve();
      this.#forget(owner, own);
    };
  }

  #serve(): void {
    for (const own of this.#owners.values()) {
      for (let first = own.waiting[0]; first !== undefined; first = own.waiting[0]) {
        if (!this.#fits(own, first.amount)) break;
        own.waiting.shift();
        first.begin();
      }
    }
  }

  #forget(owner: string, own: Owner): void {
    if (own.taken === 0 && own.waiting.length === 0) this.#owners.delete(owner);
  }
}
