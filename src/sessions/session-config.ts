import { Type } from "typebox";
import { boundedObject } from "../http/member-size.ts";
import { nullable } from "../http/schemas.ts";

const members = {
  title: Type.String({ maxLength: 500 }),
  model: Type.String({
    maxLength: 200,
    description: "One of GET /chat/models, if the agent lets it be chosen.",
  }),
  temperature: Type.Number({ minimum: 0, maximum: 2 }),
  instructions: Type.String({ maxLength: 20_000, description: "Extra system text." }),
  voice: Type.Record(Type.String(), Type.Unknown(), { description: "Defaults for voice_config." }),
  on_busy: Type.Union([Type.Literal("enqueue"), Type.Literal("reject"), Type.Literal("interrupt")]),
};

/** `session_config`: the members that mean something here; others are kept as given. */
export const sessionConfigSchema = Type.Object(
  {
    title: Type.Optional(members.title),
    model: Type.Optional(members.model),
    temperature: Type.Optional(members.temperature),
    instructions: Type.Optional(members.instructions),
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
    voice: Type.Optional(nullable(members.voice)),
    on_busy: Type.Optional(nullable(members.on_busy)),
  },
  { ...boundedObject, additionalProperties: true, title: "SessionConfigPatch" },
);

export const metadataSchema = Type.Record(Type.String(), Type.Unknown(), {
  ...boundedObject,
  description: "Yours; kept as given.",
});
