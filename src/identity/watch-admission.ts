import { Problem } from "../problems/problem.ts";
import type { AccessContext, Credentials, Identity, IdentityProvider } from "./identity.ts";

interface WatchOptions {
  readonly provider: IdentityProvider;
  /** As it was established at the start; null where nobody has to prove anything: nothing is asked then. */
  readonly identity: Identity | null;
  /** What it was established with. */
  readonly credentials: Credentials;
  readonly context?: AccessContext;
  readonly log: { warn(fields: object, message: string): void };
  /** Called once, when the caller would no longer be let in. */
  readonly onRefused: () => void;
}

/** Whoever holds a stream or a connection is asked again this often, and when their token expires. */
const recheckMs = 60_000;

/**
 * Asks again, as long as a stream or a connection lasts, whether its caller would still be let in to read: expired
 * tokens and rights that were taken away end it. An authority that cannot be asked ends nothing. Returns what stops it.
 */
export function watchAdmission(options: WatchOptions): () => void {
  const { identity, log, onRefused } = options;
  if (identity === null) return () => undefined;
  let timer: NodeJS.Timeout;
  let isStopped = false;
  const ask = () => {
    isStillLetIn(options, identity).then(
      (isLetIn) => {
        if (isStopped) return;
        if (isLetIn) return schedule();
        isStopped = true;
        onRefused();
      },
      (error: unknown) => {
        log.warn({ err: error }, "the caller of a stream could not be asked about");
        if (!isStopped) schedule();
      },
    );
  };
  const schedule = () => {
    const untilExpiryMs = (identity.expiresAtMs ?? Infinity) - Date.now();
    // Behind the expiry the clock skew may still let the token pass: then the usual pace decides.
    const delayMs = untilExpiryMs > 0 ? Math.min(recheckMs, untilExpiryMs + 1) : recheckMs;
    timer = setTimeout(ask, delayMs);
    timer.unref();
  };
  schedule();
  const stopWatching = options.provider.watch?.(identity, () => {
    if (isStopped) return;
    clearTimeout(timer);
    ask();
  });
  return () => {
    isStopped = true;
    stopWatching?.();
    clearTimeout(timer);
  };
}

async function isStillLetIn(
  { provider, credentials, context }: WatchOptions,
  before: Identity,
): Promise<boolean> {
  try {
    const now = await provider.authenticate(credentials, context);
    if (now === null || now.userId !== before.userId) return false;
    await provider.authorize(now, "access_chat_session", context);
    return true;
  } catch (error) {
    if (error instanceof Problem && error.status < 500) return false;
    throw error;
  }
}
