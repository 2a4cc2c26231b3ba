/** What became of one call that a breaker let through. */
export type CallOutcome =
  | "success"
  | "failure"
  /** Says nothing about the peer, such as a call that was aborted on purpose. */
  | "neutral";

/** One call let through. */
export interface Permit {
  /** Only the first call counts. */
  settle(outcome: CallOutcome): void;
}

export type CircuitState = "closed" | "open" | "half_open";

/** The circuit is open: the peer was not asked. */
export class CircuitOpen extends Error {
  override readonly name = "CircuitOpen";
  /** What follows from something being away, which whoever watches it tells the log. */
  readonly isOutage = true;
  /** Milliseconds until it is worth trying again, at least 1. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super(`circuit open for another ${Math.ceil(retryAfterMs)} ms`);
    this.retryAfterMs = Math.max(1, retryAfterMs);
  }
}

/** Keeps calls away from a peer that is failing, so that they end at once and the peer can recover. */
export interface CircuitBreaker {
  readonly state: CircuitState;
  /** Raises `CircuitOpen` when the call must not be made; otherwise the permit must be settled. */
  enter(): Permit;
}

export interface CircuitBreakerOptions {
  /** Sliding window in which calls are counted; default 10 s. */
  readonly windowMs?: number;
  /** Fewer calls than this in the window never open the circuit; default 10. */
  readonly minimumCalls?: number;
  /** Share of failures, 0..1, from which the circuit opens; default 0.5. */
  readonly failureRatio?: number;
  /** How long an open circuit refuses calls before it lets one probe through; default 10 s. */
  readonly openMs?: number;
  /** A monotonic clock in milliseconds; default `performance.now`. */
  readonly now?: () => number;
  readonly onStateChange?: (state: CircuitState, previous: CircuitState) => void;
}

interface Slice {
  start: number;
  calls: number;
  failures: number;
}

const sliceCount = 10;

/**
 * closed → open when at least `failureRatio` of at least `minimumCalls` calls failed within `windowMs`;
 * open → half_open after `openMs`, when one probe is let through; the probe's success closes the circuit with clean
 * counts, its failure opens it again, a neutral end lets the next caller probe. Calls that were let through before
 * the circuit opened no longer count once it did.
 */
export function createCircuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  const {
    windowMs = 10_000,
    minimumCalls = 10,
    failureRatio = 0.5,
    openMs = 10_000,
    now = () => performance.now(),
    onStateChange,
  } = options;
  const sliceMs = windowMs / sliceCount;
  let state: CircuitState = "closed";
  let openUntil = 0;
  let probing = false;
  /** Raised with every change of state: outcomes of calls from before are void. */
  let generation = 0;
  let slices: Slice[] = [];

  function change(next: CircuitState): void {
    const previous = state;
    state = next;
    generation += 1;
    probing = false;
    slices = [];
    if (next === "open") openUntil = now() + openMs;
    onStateChange?.(next, previous);
  }

  function record(failed: boolean): void {
    const time = now();
    slices = slices.filter((slice) => slice.start > time - windowMs);
    let slice = slices.at(-1);
    if (!slice || time >= slice.start + sliceMs) {
      slice = { start: time, calls: 0, failures: 0 };
      slices.push(slice);
    }
    slice.calls += 1;
    if (failed) slice.failures += 1;
    const calls = slices.reduce((sum, each) => sum + each.calls, 0);
    const failures = slices.reduce((sum, each) => sum + each.failures, 0);
    if (failed && calls >= minimumCalls && failures >= calls * failureRatio) change("open");
  }

  return {
    get state() {
      return state;
    },
    enter() {
      if (state === "open") {
        const remaining = openUntil - now();
        if (remaining > 0) throw new CircuitOpen(remaining);
        change("half_open");
      }
      if (state === "half_open") {
        if (probing) throw new CircuitOpen(1_000);
        probing = true;
      }
      const mine = generation;
      let settled = false;
      return {
        settle(outcome) {
          if (settled) return;
          settled = true;
          if (mine !== generation) return;
          if (state === "half_open") {
            if (outcome === "neutral") probing = false;
            else change(outcome === "success" ? "closed" : "open");
          } else if (outcome !== "neutral") {
            record(outcome === "failure");
          }
        },
      };
    },
  };
}
