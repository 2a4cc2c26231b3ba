/** So many at a time. A place is taken and counted in one step, so that there is never one too many. */
export class Places {
  readonly #max: number;
  #taken = 0;

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
    let isHeld = true;
    return () => {
      if (isHeld) this.#taken -= 1;
      isHeld = false;
    };
  }
}
