import { Problem, type ProblemDetail } from "../problems/problem.ts";

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
}

/**
 * The schema of a native body, in which only members that are described may stand: a misspelt one is told instead of
 * being left out in silence. An object that takes `additionalProperties` is left as it is, with all that is in it.
 */
export function closed<T extends object>(schema: T): T {
  const { properties, additionalProperties, anyOf, items } = schema as Schema;
  if ((additionalProperties ?? false) !== false) return schema;
  return {
    ...schema,
    ...(anyOf !== undefined && { anyOf: anyOf.map(closed) }),
    ...(items !== undefined && { items: closed(items) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, member]) => [name, closed(member)]),
      ),
      additionalProperties: false,
    }),
  };
}

/** What is told of a member that does not belong where it stands; `schemaPath` leads to the object that it stands in. */
export function unknownMember(path: string, schema: object, schemaPath: string): ProblemDetail {
  let object: unknown = schema;
  for (const part of schemaPath.split("/").slice(1)) {
    object = (object as Readonly<Record<string, unknown>> | undefined)?.[part];
  }
  return describe(path, Object.keys((object as Schema | undefined)?.properties ?? {}));
}

/** The same for the fields of a form. Raises `validation_failed`. */
export function checkNames(fields: object, known: readonly string[]): void {
  const details = Object.keys(fields)
    .filter((name) => !known.includes(name))
    .map((name) => describe(`/${name}`, known));
  if (details.length > 0) throw new Problem("validation_failed", {}, { details });
}

const maxPathLength = 200;

function describe(path: string, known: readonly string[]): ProblemDetail {
  const names = known.join(", ");
  const fault =
    known.length === 0
      ? { message: "is not known; nothing is known here", zh: "没有这一项；此处不接受任何成员" }
      : { message: `is not known; known are ${names}`, zh: `没有这一项；可用的有 ${names}` };
  return {
    path: path.length > maxPathLength ? `${path.slice(0, maxPathLength)}…` : path,
    ...fault,
  };
}
