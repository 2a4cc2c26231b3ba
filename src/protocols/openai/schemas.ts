import { Type } from "typebox";
import { problemResponses } from "../../http/problem-docs.ts";
import { nullable, ref } from "../../http/schemas.ts";
import type { ProblemType } from "../../problems/catalogue.ts";
import { errorCodeOf, errorTypeOf } from "./errors.ts";

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

interface Example {
  readonly value: { readonly error: { readonly type: string; readonly message: string } };
}

/** The error responses of a route for its description, in this protocol's shape. */
export function errorResponses(...types: ProblemType[]) {
  return Object.fromEntries(
    Object.entries(problemResponses(...types)).map(([status, { description, content }]) => {
      const { examples } = content["application/json"];
      const shown = Object.entries(examples as Record<string, Example>).map(([name, { value }]) => [
        name,
        {
          value: {
            error: {
              message: value.error.message,
              type: errorTypeOf(Number(status)),
              code: errorCodeOf(value.error.type),
              param: null,
            },
          },
        },
      ]);
      const json = { schema: ref("OpenAiError"), examples: Object.fromEntries(shown) as object };
      return [status, { description, content: { "application/json": json } }];
    }),
  );
}

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
