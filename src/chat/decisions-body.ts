import { Type } from "typebox";

/** What a person has decided about what a paused reply waits for. */
export const decisionsBody = Type.Object(
  {
    decisions: Type.Array(
      Type.Object({
        id: Type.String(),
        approved: Type.Boolean(),
        note: Type.Optional(Type.String({ maxLength: 10_000 })),
        result: Type.Optional(Type.Unknown()),
      }),
      { minItems: 1, maxItems: 100 },
    ),
  },
  { examples: [{ decisions: [{ id: "call_1", approved: true }] }] },
);
