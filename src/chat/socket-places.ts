import { Places } from "../lib/places.ts";
import { Problem } from "../problems/problem.ts";

/** Of those that have yet to bring a token, from one address. */
const maxOfAddress = 32;

/**
 * How many sockets there may be at a time. Those that have yet to bring a token have places of their own: nobody can use
 * up the others' without saying who they are.
 */
export class SocketPlaces {
  readonly #known: Places;
  readonly #unknown: Places;
  readonly #ofAddress = new Map<string, Places>();

  constructor(max: number) {
    this.#known = new Places(max);
    this.#unknown = new Places(Math.ceil(max / 10));
  }

  /** For a caller who is known; returns what gives the place back. Raises `overloaded`. */
  takeKnown(): () => void {
    return this.#known.take() ?? full();
  }

  /** Raises what `takeKnown` would raise now. */
  checkKnown(): void {
    if (this.#known.isFull) full();
  }

  /** For a caller without a token; returns what gives the place back. Raises `overloaded`, `rate_limited`. */
  takeUnknown(address: string): () => void {
    this.checkUnknown(address);
    const ofAddress = this.#ofAddress.get(address) ?? new Places(maxOfAddress);
    this.#ofAddress.set(address, ofAddress);
    const taken = [this.#unknown.take(), ofAddress.take()];
    return () => {
      for (const giveBack of taken) giveBack?.();
      if (ofAddress.taken === 0) this.#ofAddress.delete(address);
    };
  }

  /** Raises what `takeUnknown` would raise now. */
  checkUnknown(address: string): void {
    if (this.#unknown.isFull) full();
    if (this.#ofAddress.get(address)?.isFull !== true) return;
    throw new Problem("rate_limited", { seconds: 1 }, { retryAfterSeconds: 1 });
  }
}

function full(): never {
  throw new Problem("overloaded", {}, { retryAfterSeconds: 2 });
}
