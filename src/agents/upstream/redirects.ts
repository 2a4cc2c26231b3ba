import type { Logger } from "../../telemetry/logger.ts";
import { UpstreamError } from "./upstream-error.ts";

interface Place {
  readonly origin: string;
  readonly path: string;
}

const followed: ReadonlySet<number | undefined> = new Set([301, 302, 307, 308]);

/**
 * Redirects within one host: a missing slash, or https instead of http. The request is sent there as it is, also where
 * browsers would make a GET of it. Credentials go to no other host, and there is no guessing: then the log names it.
 */
export function createRedirects(name: string, log: Logger) {
  let isTold = false;
  return {
    /** Where to send it instead; null when `error` is no redirect that is followed. */
    targetOf(
      error: unknown,
      current: { readonly origin?: unknown; readonly path: string },
    ): Place | null {
      if (!(error instanceof UpstreamError) || !followed.has(error.status)) return null;
      const from = new URL(current.path, String(current.origin));
      const to = error.location ? URL.parse(error.location, from.href) : null;
      if (to === null) return null;
      const isSameHost =
        to.origin === from.origin ||
        (to.hostname === from.hostname && from.protocol === "http:" && to.protocol === "https:");
      const place = { origin: to.origin, path: to.pathname + to.search };
      if (!isTold) {
        isTold = true;
        // Without what follows the path, which may be secret.
        const fields = { upstream: name, to: to.origin + to.pathname };
        log.warn(fields, "the upstream sends requests elsewhere; correct its address");
      }
      return isSameHost ? place : null;
    },
  };
}
