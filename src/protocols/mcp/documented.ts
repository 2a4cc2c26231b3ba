import { Type } from "typebox";
import { problemResponses } from "../../http/problem-docs.ts";
import { ref } from "../../http/schemas.ts";
import type { ProblemType } from "../../problems/catalogue.ts";

const id = Type.Union([Type.String(), Type.Number(), Type.Null()]);

export const resultSchema = Type.Object({
  jsonrpc: Type.Literal("2.0"),
  id,
  result: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.Unknown()),
});

export const mcpErrorSchema = Type.Object(
  {
    jsonrpc: Type.Literal("2.0"),
    id,
    error: Type.Object({
      code: Type.Integer(),
      message: Type.String(),
      data: Type.Optional(
        Type.Unknown({
          description: "Of refusals of this service `{type}`: the error's stable name.",
        }),
      ),
    }),
  },
  { $id: "McpError", title: "McpError", description: "Errors at `/mcp`, as JSON-RPC has them." },
);

/** The error responses of the door, as JSON-RPC has them. */
export function errorResponses(...types: ProblemType[]) {
  const content = { "application/json": { schema: ref("McpError") } };
  const described = Object.entries(problemResponses(...types)).map(([status, { description }]) => [
    status,
    { description, content },
  ]);
  const accept = "`Accept` must have `application/json` and `text/event-stream`";
  return Object.fromEntries([...described, ["406", { description: accept, content }]]) as Record<
    string,
    object
  >;
}

export const metadataSchema = Type.Object({
  resource: Type.String(),
  authorization_servers: Type.Array(Type.String()),
  bearer_methods_supported: Type.Array(Type.String()),
  resource_name: Type.String(),
});
