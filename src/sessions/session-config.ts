import { Type } from "typebox";
import { boundedObject } from "../http/member-size.ts";
import { nullable } from "../http/schemas.ts";

/** The form of a whole reply, as OpenAI's protocol has it. */
export const responseFormatSchema = Type.Union(
  [
    Type.Object({ type: Type.Union([Type.Literal("text"), Type.Literal("json_object")]) }),
    Type.Object({
      type: Type.Literal("json_schema"),
      json_schema: Type.Object({
        name: Type.String({ minLength: 1, maxLength: 64, pattern: "^[A-Za-z0-9_-]+$" }),
        description: Type.Optional(Type.String({ maxLength: 1_000 })),
        schema: Type.Record(Type.String(), Type.Unknown()),
        strict: Type.Optional(Type.Boolean()),
      }),
    }),
  ],
  {
    ...boundedObject,
    title: "ResponseFormat",
    description:
      "For agents that can: the form in which the model is to answer. The text is in `content`, what it says in `output`.",
  },
);

const stopWord = Type.String({ minLength: 1, maxLength: 200 });

const ofTurn = [
  Type.Literal("enqueue"),
  Type.Literal("reject"),
  Type.Literal("interrupt"),
  Type.Literal("rollback"),
] as const;

export const onBusySchema = Type.Union([...ofTurn, Type.Literal("merge"), Type.Literal("steer")], {
  description:
    "What becomes of a message for a session that is still answering. `merge`: messages that wait are answered together; " +
    "`steer`: the running reply takes it in at its next step.",
});

/** Of what is asked again or said otherwise: that stands for itself. */
export const onBusyOfBranchSchema = Type.Union([...ofTurn], {
  description: "What becomes of it while the session is still answering.",
});

const members = {
  title: Type.String({ maxLength: 500 }),
  model: Type.String({
    maxLength: 200,
    description: "One of GET /chat/models, if the agent lets it be chosen.",
  }),
  temperature: Type.Number({ minimum: 0, maximum: 2 }),
  instructions: Type.String({ maxLength: 20_000, description: "Extra system text." }),
  max_tokens: Type.Integer({
    minimum: 1,
    maximum: 10_000_000,
    description: "Of a reply. This and what follows are refused where the agent cannot be told.",
  }),
  top_p: Type.Number({ minimum: 0, maximum: 1 }),
  stop: Type.Union([stopWord, Type.Array(stopWord, { minItems: 1, maxItems: 16 })]),
  seed: Type.Integer({ minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
  presence_penalty: Type.Number({ minimum: -2, maximum: 2 }),
  frequency_penalty: Type.Number({ minimum: -2, maximum: 2 }),
  reasoning_effort: Type.String({
    pattern: "^[a-z]{1,20}$",
    examples: ["none", "low", "medium", "high"],
  }),
  response_format: responseFormatSchema,
  voice: Type.Record(Type.String(), Type.Unknown(), { description: "Defaults for voice_config." }),
  on_busy: onBusySchema,
};

/** `session_config`: the members that mean something here; others are kept as given. */
export const sessionConfigSchema = Type.Object(
  {
    title: Type.Optional(members.title),
    model: Type.Optional(members.model),
    temperature: Type.Optional(members.temperature),
    instructions: Type.Optional(members.instructions),
    max_tokens: Type.Optional(members.max_tokens),
    top_p: Type.Optional(members.top_p),
    stop: Type.Optional(members.stop),
    seed: Type.Optional(members.seed),
    presence_penalty: Type.Optional(members.presence_penalty),
    frequency_penalty: Type.Optional(members.frequency_penalty),
    reasoning_effort: Type.Optional(members.reasoning_effort),
    response_format: Type.Optional(members.response_format),
    voice: Type.Optional(members.voice),
    on_busy: Type.Optional(members.on_busy),
  },
  { ...boundedObject, additionalProperties: true, title: "SessionConfig" },
);

/** The same as a patch: null removes a member. */
export const sessionConfigPatchSchema = Type.Object(
  {
    title: Type.Optional(nullable(members.title)),
    model: Type.Optional(nullable(members.model)),
    temperature: Type.Optional(nullable(members.temperature)),
    instructions: Type.Optional(nullable(members.instructions)),
    max_tokens: Type.Optional(nullable(members.max_tokens)),
    top_p: Type.Optional(nullable(members.top_p)),
    stop: Type.Optional(nullable(members.stop)),
    seed: Type.Optional(nullable(members.seed)),
    presence_penalty: Type.Optional(nullable(members.presence_penalty)),
    frequency_penalty: Type.Optional(nullable(members.frequency_penalty)),
    reasoning_effort: Type.Optional(nullable(members.reasoning_effort)),
    response_format: Type.Optional(nullable(members.response_format)),
    voice: Type.Optional(nullable(members.voice)),
    on_busy: Type.Optional(nullable(members.on_busy)),
  },
  { ...boundedObject, additionalProperties: true, title: "SessionConfigPatch" },
);

export const metadataSchema = Type.Record(Type.String(), Type.Unknown(), {
  ...boundedObject,
  description: "Yours; kept as given.",
});
