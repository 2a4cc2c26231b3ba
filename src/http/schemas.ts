import { Type, type TSchema } from "typebox";

/** Schemas that many routes share; registered once and referred to by `$ref`. */

export const problemSchema = Type.Object(
  {
    success: Type.Literal(false),
    error: Type.Object({
      code: Type.Integer({ description: "The HTTP status." }),
      type: Type.String({ description: "Stable name of the error." }),
      message: Type.String(),
      details: Type.Optional(
        Type.Array(Type.Object({ path: Type.String(), message: Type.String() })),
      ),
    }),
    request_id: Type.String(),
    timestamp: Type.String({ format: "date-time" }),
    path: Type.String(),
  },
  { $id: "Problem", title: "Problem", description: "Every error has this shape." },
);

export const paginationSchema = Type.Object(
  {
    total: Type.Integer({ minimum: 0 }),
    limit: Type.Integer({ minimum: 1 }),
    offset: Type.Integer({ minimum: 0 }),
    has_more: Type.Boolean(),
    next_cursor: Type.Union([Type.String(), Type.Null()]),
  },
  { $id: "Pagination", title: "Pagination" },
);

/** A reference to a schema registered with its `$id`. */
export function ref(id: string): TSchema {
  return { $ref: `${id}#` };
}

export function nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()]);
}

export const timestampSchema = Type.String({
  format: "date-time",
  examples: ["2026-11-22T10:00:00.000Z"],
});

/** An id from a path. Its form is not validated here: a malformed id is an unknown one, 404. */
export function idParameter(description: string) {
  return Type.String({ description, examples: ["019aab3e-7f1c-7c3a-9d52-0d6f4c1e8a11"] });
}
