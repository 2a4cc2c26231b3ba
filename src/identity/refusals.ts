import { Problem } from "../problems/problem.ts";
import type { Action } from "./identity.ts";

/** 401. `cause` goes to the log only and must not hold the token. */
export function unauthorized(
  reason: "missing" | "expired" | "invalid",
  cause?: unknown,
): Problem<"unauthorized"> {
  return new Problem("unauthorized", { reason }, { cause });
}

/** 403. */
export function forbidden(action: Action): Problem<"forbidden"> {
  return new Problem("forbidden", { action });
}

/** 503: who is calling, or what they may do, cannot be found out at the moment. */
export function authorityUnavailable(
  cause: unknown,
  retryAfterSeconds = 5,
): Problem<"storage_unavailable"> {
  return new Problem("storage_unavailable", { what: "identity" }, { cause, retryAfterSeconds });
}
