import { Type } from "typebox";
import { nullable } from "../../../http/schemas.ts";

const open = { additionalProperties: true };

/** The body of `POST /v1/responses`, as far as it means something. */
export const responseBody = Type.Object(
  {
    model: Type.Optional(
      nullable(Type.String({ maxLength: 200, description: "An agent of GET /v1/models." })),
    ),
    input: Type.Unknown({
      description:
        "A text, or items: messages, `mcp_approval_response` and `function_call_output`.",
    }),
    instructions: Type.Optional(nullable(Type.String({ description: "For this turn only." }))),
    conversation: Type.Optional(
      Type.Unknown({ description: "Of a session: `conv_…`, or an object with that `id`." }),
    ),
    previous_response_id: Type.Optional(
      nullable(
        Type.String({
          maxLength: 200,
          description: "What this follows; one that has been followed already gets a branch.",
        }),
      ),
    ),
    stream: Type.Optional(nullable(Type.Boolean())),
    background: Type.Optional(
      nullable(Type.Boolean({ description: "Answers at once; the rest is fetched." })),
    ),
    store: Type.Optional(
      nullable(Type.Boolean({ description: "False: leaves no conversation behind." })),
    ),
    metadata: Type.Optional(nullable(Type.Record(Type.String(), Type.Unknown()))),
    temperature: Type.Optional(nullable(Type.Number({ minimum: 0, maximum: 2 }))),
    top_p: Type.Optional(nullable(Type.Number({ minimum: 0, maximum: 1 }))),
    max_output_tokens: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 10_000_000 }))),
  },
  {
    ...open,
    title: "ResponseRequest",
    description: "As OpenAI has it. `tools` of the caller's own are refused.",
    examples: [
      { model: "general-chat", input: "What is 2 + 2?" },
      { model: "general-chat", input: [{ role: "user", content: "你好" }], stream: true },
    ],
  },
);

export const responseSchema = Type.Object(
  {
    id: Type.String({ description: "`resp_` and the message's id." }),
    object: Type.Literal("response"),
    created_at: Type.Integer(),
    status: Type.String({
      examples: ["queued", "in_progress", "completed", "incomplete", "cancelled", "failed"],
    }),
    model: Type.String(),
    output: Type.Array(Type.Unknown()),
    usage: Type.Optional(Type.Object({}, open)),
    error: nullable(Type.Object({}, open)),
  },
  { ...open, title: "Response" },
);
