import { Problem } from "../problems/problem.ts";
import { sqlState } from "./database.ts";

/** Connection exceptions, insufficient resources, shutdown, cannot connect now, and a statement cut by its time-out. */
const unavailableStates = /^(08|53|57P0[1-5]|57014|25006)/;

/** Whether PostgreSQL says that it is not the statement's fault, and that the same may work later. */
export function hasUnavailableState(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && unavailableStates.test(state);
}

export function storageUnavailable(cause: unknown): Problem {
  return new Problem("storage_unavailable", {}, { retryAfterSeconds: 2, cause });
}
