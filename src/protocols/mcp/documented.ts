import { Type } from "typebox";
import { problemResponses } from "../../http/problem-docs.ts";
import type { ProblemType } from "../../problems/catalogue.ts";

const id = Type.Union([Type.String(), Type.Number(), Type.Null()]);

export const resultSchema = Type.Object({
  jsonrpc: Type.Literal("2.0"),
  id,
  result: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.Unknown()),
});

const errorSchema = Type.Object({
  jsonrpc: Type.Literal("2.0"),
  id: Type.Null(),
  error: Type.Object({
    code: Type.Integer(),
    message: Type.String(),
    data: Type.Optional(Type.Object({ type: Type.String() })),
  }),
});

/** The error responses of the door, as JSON-RPC has them. */
export function errorResponses(...types: ProblemType[]) {
  return Object.fromEntries(
    Object.entries(problemResponses(...types)).map(([status, { description }]) => [
      status,
      { description, content: { "application/json": { schema: errorSchema } } },
    ]),
  );
}

export const metadataSchema = Type.Object({
  resource: Type.String(),
  authorization_servers: Type.Array(Type.String()),
  bearer_methods_supported: Type.Array(Type.String()),
  resource_name: Type.String(),
});
