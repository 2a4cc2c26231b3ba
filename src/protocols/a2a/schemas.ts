import { Type } from "typebox";
import { errorDocs } from "../../http/problem-docs.ts";
import { rpcErrorSchema } from "../json-rpc.ts";
import { a2aErrors } from "./errors.ts";

export const a2aErrorSchema = rpcErrorSchema(
  "A2aError",
  "Errors below `/a2a`, as JSON-RPC has them.",
  "Of refusals of this service one `google.rpc.ErrorInfo`, whose `metadata.type` is the error's stable name.",
);

export const errorResponses = errorDocs("A2aError", a2aErrors.body);

/** Read by the protocol's own library, which says what is wrong with it. */
export const rpcRequest = Type.Unknown({
  description: "A request of JSON-RPC.",
  examples: [
    {
      jsonrpc: "2.0",
      id: 1,
      method: "SendMessage",
      params: {
        message: { messageId: "m-1", role: "ROLE_USER", parts: [{ text: "What is 2 + 2?" }] },
      },
    },
  ],
});

export const versionHeader = {
  type: "object",
  properties: {
    "a2a-version": {
      type: "string",
      description:
        "`1.0` or `0.3`. Without it the method says which: those of 0.3 are written with a slash.",
    },
  },
};

const open = { additionalProperties: true };

/** What both generations have, or one of them. */
export const cardSchema = Type.Object(
  {
    name: Type.String(),
    description: Type.Optional(Type.String()),
    version: Type.String(),
    supportedInterfaces: Type.Optional(Type.Array(Type.Object({}, open))),
  },
  { ...open, title: "AgentCard" },
);

export const stream = `data: {"jsonrpc":"2.0","id":1,"result":{"task":{"id":"019b…","contextId":"019b…","status":{"state":"TASK_STATE_SUBMITTED"}}}}

data: {"jsonrpc":"2.0","id":1,"result":{"statusUpdate":{"taskId":"019b…","contextId":"019b…","status":{"state":"TASK_STATE_WORKING"}}}}

data: {"jsonrpc":"2.0","id":1,"result":{"artifactUpdate":{"taskId":"019b…","contextId":"019b…","artifact":{"artifactId":"text","parts":[{"text":"4"}]},"lastChunk":true}}}

data: {"jsonrpc":"2.0","id":1,"result":{"statusUpdate":{"taskId":"019b…","contextId":"019b…","status":{"state":"TASK_STATE_COMPLETED"}}}}

`;

export const tags = ["A2A"];
export const security = [{ bearer: [] }, { apiKey: [] }, {}];
