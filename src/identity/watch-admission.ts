import { Problem } from "../problems/problem.ts";
import type { AccessContext, Credentials, Identity, IdentityProvider } from "./identity.ts";

interface Admitted {
  /** As it was established at the start; null where nobody has to prove anything: nothing is asked then. */
  readonly identity: Identity | null;
  /** What it was established with. */
  readonly credentials: Credentials;
  readonly context?: AccessContext;
  readonly log: { warn(fields: object, message: string): void };
  /** Called once, when the caller would no longer be let in. */
  readonly onRefused: () => void;
}

export type AdmissionWatch = ReturnType<typeof createAdmissionWatch>;

/** Whoever holds a stream or a connection is asked again this often, and when their token expires. */
const recheckMs = 60_000;
/** Nobody is asked later than by that much. */
const lookMs = 250;

/**
 * Asks again, as long as a stream or a connection lasts, whether its caller would still be let in to read: expired
 * tokens and rights that were taken away end it. An authority that cannot be asked ends nothing. One timer looks after
 * all of them: there are many, and each waits for long.
 */
export function createAdmissionWatch(provider: IdentityProvider) {
  const watched = new Set<Watched>();
  let timer: NodeJS.Timeout | undefined;

  const look = () => {
    const nowMs = performance.now();
    for (const each of watched) if (each.dueMs <= nowMs) each.ask();
  };

  const leave = (one: Watched) => {
    watched.delete(one);
    if (watched.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  /** Returns what stops it. */
  return (admitted: Admitted): (() => void) => {
    const { identity } = admitted;
    if (identity === null) return () => undefined;
    timer ??= setInterval(look, lookMs).unref();
    const one = new Watched(provider, identity, admitted, leave);
    watched.add(one);
    return () => one.stop();
  };
}

class Watched {
  readonly #provider: IdentityProvider;
  readonly #identity: Identity;
  readonly #admitted: Admitted;
  readonly #leave: (one: Watched) => void;
  readonly #stopListening: (() => void) | undefined;
  #isStopped = false;
  /** When it is asked about again, by `performance.now()`. */
  dueMs = Infinity;

  constructor(
    provider: IdentityProvider,
    identity: Identity,
    admitted: Admitted,
    leave: (one: Watched) => void,
  ) {
    this.#provider = provider;
    this.#identity = identity;
    this.#admitted = admitted;
    this.#leave = leave;
    this.#stopListening = provider.watch?.(identity, () => this.ask());
    this.#rest();
  }

  ask(): void {
    if (this.#isStopped) return;
    this.dueMs = Infinity;
    this.#isStillLetIn().then(
      (isLetIn) => {
        if (this.#isStopped) return;
        if (isLetIn) return this.#rest();
        this.stop();
        this.#admitted.onRefused();
      },
      (error: unknown) => {
        this.#admitted.log.warn({ err: error }, "the caller of a stream could not be asked about");
        this.#rest();
      },
    );
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopListening?.();
    this.#leave(this);
  }

  #rest(): void {
    const untilExpiryMs = (this.#identity.expiresAtMs ?? Infinity) - Date.now();
    // Behind the expiry the clock skew may still let the token pass: then the usual pace decides.
    const delayMs = untilExpiryMs > 0 ? Math.min(recheckMs, untilExpiryMs + 1) : recheckMs;
    this.dueMs = performance.now() + delayMs;
  }

  async #isStillLetIn(): Promise<boolean> {
    const { credentials, context } = this.#admitted;
    try {
      const now = await this.#provider.authenticate(credentials, context);
      if (now === null || now.userId !== this.#identity.userId) return false;
      await this.#provider.authorize(now, "access_chat_session", context);
      return true;
    } catch (error) {
      if (error instanceof Problem && error.status < 500) return false;
      throw error;
    }
  }
}
