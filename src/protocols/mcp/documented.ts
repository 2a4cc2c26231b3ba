import { Type } from "typebox";
import { errorDocs } from "../../http/problem-docs.ts";
import { ref } from "../../http/schemas.ts";
import type { ProblemType } from "../../problems/catalogue.ts";
import { rpcErrorSchema } from "../json-rpc.ts";
import { mcpErrors } from "./errors.ts";

export const mcpErrorSchema = rpcErrorSchema(
  "McpError",
  "Errors at `/mcp`, as JSON-RPC has them.",
  "Of refusals of this service `{type}`: the error's stable name.",
);

const ofDoor = errorDocs("McpError", mcpErrors.body);

/** The error responses of the door, as JSON-RPC has them. */
export function errorResponses(...types: ProblemType[]): Record<string, object> {
  const description = "`Accept` must have `application/json` and `text/event-stream`";
  const content = { "application/json": { schema: ref("McpError") } };
  return {
    ...ofDoor(...types),
    "406": { description, content },
  };
}

export const metadataSchema = Type.Object({
  resource: Type.String(),
  authorization_servers: Type.Array(Type.String()),
  bearer_methods_supported: Type.Array(Type.String()),
  resource_name: Type.String(),
});
