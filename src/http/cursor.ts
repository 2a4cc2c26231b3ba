import { Problem } from "../problems/problem.ts";

/** Opaque positions in lists: Base64url of JSON, so that nobody is tempted to make them up. */
export function encodeCursor(position: object): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/** Raises `validation_failed` for anything that `encodeCursor` has not made for this kind of list. */
export function decodeCursor<T extends object>(
  cursor: string,
  isPosition: (value: unknown) => value is T,
): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    value = undefined; // not ours; refused below with everything else that is not
  }
  if (isPosition(value)) return value;
  throw new Problem(
    "validation_failed",
    {},
    {
      details: [
        {
          path: "/cursor",
          message: "must be a next_cursor that this list has returned before",
          zh: "必须是此列表返回过的 next_cursor",
        },
      ],
    },
  );
}

/** Whether something is a position in a history that a database takes: its numbers are 32 bits wide. */
export function isRowNumber(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 2_147_483_647;
}

const moment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/;

/** Whether something is a moment as cursors hold it, to the microsecond, and as a database takes it. */
export function isMoment(value: unknown): value is string {
  if (typeof value !== "string" || !moment.test(value) || value.startsWith("0000")) return false;
  // The 30th of February is none, though it can be read.
  const milliseconds = value.slice(0, 23);
  const date = new Date(`${milliseconds}Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(milliseconds);
}
