import { Problem } from "../problems/problem.ts";
import { sqlState } from "./database.ts";

/** Connection exceptions, insufficient resources, faults of the disk, shutdown, a statement cut by its time-out. */
const unavailableStates = /^(08|53|58|57P0[1-5]|57014|25006)/;

/**
 * The server is there and does not let this login in, or not do its work: it was shut out, its password or rights were
 * changed, its database is gone. Nothing of that mends itself; once somebody has mended it, all goes on.
 */
const refusedStates = /^(28|3D000|42501)/;

/** Whether waiting is of no use. */
export function isRefused(error: unknown): boolean {
  const cause = error instanceof Problem ? error.cause : error;
  return refusedStates.test(sqlState(cause) ?? "");
}

/** Whether PostgreSQL says that it is not the statement's fault, and that the same may work later. */
export function hasUnavailableState(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && (unavailableStates.test(state) || refusedStates.test(state));
}

export function storageUnavailable(
  cause: unknown,
  what: "database" | "connections" = "database",
): Problem {
  return new Problem("storage_unavailable", { what }, { retryAfterSeconds: 2, cause });
}
