import { Type } from "typebox";
import type { Language } from "../problems/catalogue.ts";
import type { Problem } from "../problems/problem.ts";

const id = Type.Union([Type.String(), Type.Number(), Type.Null()]);

/** An answer of JSON-RPC. */
export const rpcResultSchema = Type.Object({
  jsonrpc: Type.Literal("2.0"),
  id,
  result: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.Unknown()),
});

/** An error of JSON-RPC at a door, with what its protocol says in `data`. */
export function rpcErrorSchema(name: string, description: string, data: string) {
  return Type.Object(
    {
      jsonrpc: Type.Literal("2.0"),
      id,
      error: Type.Object({
        code: Type.Integer(),
        message: Type.String(),
        data: Type.Optional(Type.Unknown({ description: data })),
      }),
    },
    { $id: name, title: name, description },
  );
}

/** What a problem says, with every fault, for whoever is to mend it: often a model. */
export function textOf(problem: Problem, language: Language): string {
  const faults = problem.faults(language) ?? [];
  return [
    problem.text(language),
    ...faults.map(({ path, message }) => `${path.slice(1) || "/"}: ${message}`),
  ].join("\n");
}
