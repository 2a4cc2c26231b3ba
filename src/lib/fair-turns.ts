/**
 * Lets so many pieces of work begin between two looks at the network. Where more want to, the rest wait, and of those who
 * wait each owner's first is next in turn: a crowd of one owner's costs the others a piece of work, not the crowd.
 */
export class FairTurns {
  readonly #atOnce: number;
  #begun = 0;
  #isScheduled = false;
  /** In the order in which their turns come. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Calls `begin` at once, or when it is the owner's turn. */
  take(owner: string, begin: () => void): void {
    this.#schedule();
    if (this.#waiting.size === 0 && this.#begun < this.#atOnce) {
      this.#begun += 1;
      begin();
      return;
    }
    const own = this.#waiting.get(owner);
    if (own === undefined) this.#waiting.set(owner, [begin]);
    else own.push(begin);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#begun = 0;
      for (const [owner, own] of this.#waiting) {
        if (this.#begun === this.#atOnce) break;
        this.#begun += 1;
        this.#waiting.delete(owner);
        own.shift()?.();
        // To the end: this loop comes to it again.
        if (own.length > 0) this.#waiting.set(owner, own);
      }
      if (this.#begun > 0) this.#schedule();
    });
  }
}
