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
        { path: "/cursor", message: "must be a next_cursor that this list has returned before" },
      ],
    },
  );
}
