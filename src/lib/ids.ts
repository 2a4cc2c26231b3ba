import { v7 } from "uuid";

/** UUIDv7: sortable by creation time, monotonic within a process. Not a secret. */
export function newId(): string {
  return v7();
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether PostgreSQL would take it as a uuid, so that a malformed id is an unknown id and never a driver error. */
export function isId(value: string): boolean {
  return uuid.test(value);
}
