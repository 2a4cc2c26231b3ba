import { Type } from "typebox";
import { errorDocs } from "../../http/problem-docs.ts";
import { nullable } from "../../http/schemas.ts";
import { openAiErrors } from "./errors.ts";

export const openAiErrorSchema = Type.Object(
  {
    error: Type.Object({
      message: Type.String(),
      type: Type.String({ examples: ["invalid_request_error", "server_error"] }),
      code: nullable(Type.String({ description: "Stable name of the error." })),
      param: nullable(Type.String()),
    }),
  },
  {
    $id: "OpenAiError",
    title: "OpenAiError",
    description: "Errors below `/v1`, as OpenAI's clients read them.",
  },
);

export const errorResponses = errorDocs("OpenAiError", openAiErrors.body);

export const tags = ["OpenAI"];
export const security = [{ bearer: [] }, { apiKey: [] }, {}];

/** Headers in which front ends name their conversation, and their user where nobody proves anything. */
export const conversationHeaders = {
  "x-session-id": {
    type: "string",
    description:
      "A session's id, or any name for one of at most 256 characters; `X-Conversation-Id` and `X-OpenWebUI-Chat-Id` likewise.",
  },
};
