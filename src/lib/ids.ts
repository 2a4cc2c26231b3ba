import { v7 } from "uuid";

/** Random bytes of so many ids are asked for at once: asking costs more than all else of an id. */
const randomBytes = new Uint8Array(16 * 256);
const random = new DataView(randomBytes.buffer);
let randomUsed = randomBytes.length;
let latestMs = 0;
/** Of the latest id within its millisecond: 32 bits, which begin anywhere in their lower half. */
let sequence = 0;

/** UUIDv7: sortable by creation time, monotonic within a process. Not a secret. */
export function newId(): string {
  if (randomUsed === randomBytes.length) {
    crypto.getRandomValues(randomBytes);
    randomUsed = 0;
  }
  const from = randomUsed;
  randomUsed += 16;
  const now = Date.now();
  if (now > latestMs) {
    latestMs = now;
    sequence = random.getUint32(from + 6) >>> 1;
  } else {
    sequence = (sequence + 1) >>> 0;
    if (sequence === 0) latestMs += 1;
  }
  return v7({ random: randomBytes.subarray(from, randomUsed), msecs: latestMs, seq: sequence });
}

/** When an id of `newId` was made, in epoch milliseconds. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** Before every id of `newId` that is made from that moment on, and after those made earlier. */
export function idOfMoment(epochMs: number): string {
  const time = epochMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether PostgreSQL would take it as a uuid, so that a malformed id is an unknown id and never a driver error. */
export function isId(value: string): boolean {
  return uuid.test(value);
}
