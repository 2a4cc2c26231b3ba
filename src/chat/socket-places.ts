import { Places, PlacesByOwner } from "../lib/places.ts";
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
  readonly #ofAddress = new PlacesByOwner(maxOfAddress);
  readonly #ofUser: PlacesByOwner;

  /** `ofUser`: of one user, over whatever door. */
  constructor(max: number, ofUser: PlacesByOwner) {
    this.#known = new Places(max);
    this.#unknown = new Places(Math.ceil(max / 10));
    this.#ofUser = ofUser;
  }

  /**
   * For a caller who is known, as a user with limits or (null) without; returns what gives the place back. Raises
   * `overloaded`, `rate_limited`.
   */
  takeKnown(user: string | null): () => void {
    const ofUser = user === null ? () => {} : (this.#ofUser.take(user) ?? tooMany());
    const ofAll = this.#known.take();
    if (ofAll === null) {
      ofUser();
      full();
    }
    return () => {
      ofAll();
      ofUser();
    };
  }

  /** Raises what `takeKnown` would raise now. */
  checkKnown(): void {
    if (this.#known.isFull) full();
  }

  /** For a caller without a token; returns what gives the place back. Raises `overloaded`, `rate_limited`. */
  takeUnknown(address: string): () => void {
    this.checkUnknown(address);
    const taken = [this.#unknown.take(), this.#ofAddress.take(address)];
    return () => {
      for (const giveBack of taken) giveBack?.();
    };
  }

  /** Raises what `takeUnknown` would raise now. */
  checkUnknown(address: string): void {
    if (this.#unknown.isFull) full();
    if (this.#ofAddress.isFull(address)) tooMany();
  }
}

function tooMany(): never {
  throw new Problem("rate_limited", { seconds: 1 }, { retryAfterSeconds: 1 });
}

function full(): never {
  throw new Problem("overloaded", {}, { retryAfterSeconds: 2 });
}
