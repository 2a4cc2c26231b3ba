import { Type } from "typebox";
import { nullable } from "../../../http/schemas.ts";

/** Whatever else these clients send is taken and means nothing here. */
const open = { additionalProperties: true };

/** The body of `POST /v1/chat/completions`, as far as it means something. */
export const completionBody = Type.Object(
  {
    model: Type.Optional(
      nullable(Type.String({ maxLength: 200, description: "An agent of GET /v1/models." })),
    ),
    messages: Type.Array(
      Type.Object(
        {
          role: Type.Union(
            ["system", "developer", "user", "assistant", "tool", "function"].map((role) =>
              Type.Literal(role),
            ),
          ),
          content: Type.Optional(
            Type.Unknown({
              description:
                "Text, or parts: `text`, `image_url` and `file` as data URLs, `input_audio`.",
            }),
          ),
          tool_call_id: Type.Optional(nullable(Type.String({ maxLength: 1_000 }))),
        },
        open,
      ),
      {
        minItems: 1,
        maxItems: 10_000,
        description:
          "The last one is the turn. What stands before it says where in a stored conversation it goes on; it is never taken " +
          "for what was said there.",
      },
    ),
    stream: Type.Optional(nullable(Type.Boolean())),
    stream_options: Type.Optional(
      nullable(Type.Object({ include_usage: Type.Optional(nullable(Type.Boolean())) }, open)),
    ),
    store: Type.Optional(
      nullable(
        Type.Boolean({
          description: "True: a conversation begins, although no header names one.",
        }),
      ),
    ),
    temperature: Type.Optional(nullable(Type.Number({ minimum: 0, maximum: 2 }))),
    top_p: Type.Optional(nullable(Type.Number({ minimum: 0, maximum: 1 }))),
    max_tokens: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 10_000_000 }))),
    max_completion_tokens: Type.Optional(
      nullable(Type.Integer({ minimum: 1, maximum: 10_000_000 })),
    ),
    presence_penalty: Type.Optional(nullable(Type.Number({ minimum: -2, maximum: 2 }))),
    frequency_penalty: Type.Optional(nullable(Type.Number({ minimum: -2, maximum: 2 }))),
    seed: Type.Optional(
      nullable(
        Type.Integer({ minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
      ),
    ),
    stop: Type.Optional(
      nullable(
        Type.Union([
          Type.String({ maxLength: 200 }),
          Type.Array(Type.String({ maxLength: 200 }), { maxItems: 16 }),
        ]),
      ),
    ),
    reasoning_effort: Type.Optional(nullable(Type.String({ pattern: "^[a-z]{1,20}$" }))),
    response_format: Type.Optional(
      nullable(
        Type.Object(
          { type: Type.String() },
          { ...open, description: "For agents that can; refused with 400 otherwise." },
        ),
      ),
    ),
  },
  {
    ...open,
    title: "ChatCompletionRequest",
    description: "As OpenAI has it. `tools`, `functions`, `n` above 1 and `logprobs` are refused.",
    examples: [
      { model: "general-chat", messages: [{ role: "user", content: "What is 2 + 2?" }] },
      {
        model: "general-chat",
        stream: true,
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "你好" },
        ],
      },
    ],
  },
);

const usage = Type.Object({
  prompt_tokens: Type.Integer(),
  completion_tokens: Type.Integer(),
  total_tokens: Type.Integer(),
});

const toolCall = Type.Object({
  id: Type.String(),
  type: Type.Literal("function"),
  function: Type.Object({ name: Type.String(), arguments: Type.String() }),
});

export const completionSchema = Type.Object(
  {
    id: Type.String({ description: "`chatcmpl-` and the message's id." }),
    object: Type.Literal("chat.completion"),
    created: Type.Integer(),
    model: Type.String(),
    choices: Type.Array(
      Type.Object({
        index: Type.Literal(0),
        message: Type.Object({
          role: Type.Literal("assistant"),
          content: nullable(Type.String()),
          refusal: Type.Null(),
          reasoning_content: Type.Optional(Type.String()),
          tool_calls: Type.Optional(Type.Array(toolCall)),
        }),
        logprobs: Type.Null(),
        finish_reason: Type.String({ examples: ["stop", "length", "tool_calls"] }),
      }),
    ),
    usage,
    chat_service: Type.Optional(
      Type.Object(
        { message_id: Type.String(), requirements: Type.Optional(Type.Array(Type.Unknown())) },
        { description: "What a paused reply waits for." },
      ),
    ),
  },
  { title: "ChatCompletion" },
);
