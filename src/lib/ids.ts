import { v7 } from "uuid";

/** UUIDv7: sortable by creation time, monotonic within a process. Not a secret. */
export function newId(): string {
  return v7();
}

/** When an id of `newId` was made, in epoch milliseconds. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether PostgreSQL would take it as a uuid, so that a malformed id is an unknown id and never a driver error. */
export function isId(value: string): boolean {
  return uuid.test(value);
}
