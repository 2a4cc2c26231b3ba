/** A value that is loaded when it is needed and kept for a while. */
export interface CachedValue<T> {
  /**
   * The value, loaded when it is not known or too old; callers at the same time share one load. While loading fails,
   * the last value is kept, and after a failure it is not tried again for 5 s. Raises the load's fault when there never
   * was a value, and the signal's reason when that aborts first: the load goes on for the others.
   */
  get(signal: AbortSignal): Promise<T>;
  /** What is known, however old; null when nothing is. */
  peek(): T | null;
}

export interface CachedValueOptions<T> {
  readonly load: (signal: AbortSignal) => Promise<T>;
  readonly ttlMs: number;
  /** Of one load. */
  readonly loadTimeoutMs: number;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** Told of each failed load. */
  readonly onFailure: (error: unknown) => void;
}

const failurePauseMs = 5_000;

export function createCachedValue<T>(options: CachedValueOptions<T>): CachedValue<T> {
  const { load, ttlMs, loadTimeoutMs, now, onFailure } = options;
  let known: { readonly value: T } | null = null;
  let failure: { readonly error: unknown } | null = null;
  let nextLoadAt = -Infinity;
  let loading: Promise<void> | null = null;

  async function reload(): Promise<void> {
    try {
      known = { value: await load(AbortSignal.timeout(loadTimeoutMs)) };
      failure = null;
      nextLoadAt = now() + ttlMs;
    } catch (error) {
      failure = { error };
      nextLoadAt = now() + failurePauseMs;
      onFailure(error);
    } finally {
      loading = null;
    }
  }

  return {
    async get(signal) {
      if (now() >= nextLoadAt) {
        loading ??= reload();
      }
      if (loading) await unlessAborted(loading, signal);
      if (known) return known.value;
      throw failure?.error;
    },
    peek: () => known?.value ?? null,
  };
}

async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
