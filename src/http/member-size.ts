import { Problem, type ProblemDetail } from "../problems/problem.ts";

/** Of what callers may put into an object of their own: it is stored, and comes back with every page of a list. */
export const maxObjectBytes = 64 * 1024;

/** For a schema whose object must not be larger as JSON; the documents show it. */
export const boundedObject = { "x-max-bytes": maxObjectBytes };

interface Schema {
  readonly "x-max-bytes"?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
}

/** Finds the members of a value that are larger than their schema lets them be. */
export function memberSizes(schema: unknown): (value: unknown) => ProblemDetail[] {
  const bounds = boundsOf(schema as Schema, []);
  return (value) =>
    bounds.flatMap(({ names, maxBytes }) => {
      const member = names.reduce<unknown>(
        (object, name) => (object as Record<string, unknown> | null | undefined)?.[name],
        value,
      );
      return tooLarge(member, `/${names.join("/")}`, maxBytes);
    });
}

/** Raises `validation_failed` for an object that has become too large by what was added to it. */
export function checkObjectSize(value: object, path: string): void {
  const details = tooLarge(value, path, maxObjectBytes);
  if (details.length > 0) throw new Problem("validation_failed", {}, { details });
}

function boundsOf(
  schema: Schema,
  names: readonly string[],
): { readonly names: readonly string[]; readonly maxBytes: number }[] {
  const maxBytes = schema["x-max-bytes"];
  if (maxBytes !== undefined) return [{ names, maxBytes }];
  return [
    ...(schema.anyOf ?? []).flatMap((each) => boundsOf(each, names)),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
      boundsOf(member, [...names, name]),
    ),
  ];
}

function tooLarge(value: unknown, path: string, maxBytes: number): ProblemDetail[] {
  if (typeof value !== "object" || value === null) return [];
  const isTooLarge = Buffer.byteLength(JSON.stringify(value)) > maxBytes;
  return isTooLarge
    ? [
        {
          path,
          message: `must not be larger than ${maxBytes} bytes as JSON`,
          zh: `作为 JSON 不得超过 ${maxBytes} 字节`,
        },
      ]
    : [];
}
