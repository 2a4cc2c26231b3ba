import { Type, type Static } from "typebox";
import { attachmentsSchema } from "../attachments/read-attachments.ts";
import { boundedObject } from "../http/member-size.ts";
import { nullable } from "../http/schemas.ts";
import {
  metadataSchema,
  onBusyOfBranchSchema,
  onBusySchema,
  responseFormatSchema,
  sessionConfigSchema,
} from "../sessions/session-config.ts";

export const voiceConfigSchema = Type.Object(
  {
    enable_tts: Type.Optional(Type.Boolean()),
    stream_audio: Type.Optional(
      Type.Boolean({ description: "Speech sentence by sentence while the text is being written." }),
    ),
    voice: Type.Optional(Type.String({ maxLength: 200 })),
    format: Type.Optional(Type.String({ maxLength: 20 })),
    speed: Type.Optional(Type.Number({ minimum: 0.25, maximum: 4 })),
  },
  { ...boundedObject, title: "VoiceConfig" },
);

/** Bytes of a message with its files: Base64 takes four bytes for three. */
export function maxMessageBytes(maxBodyBytes: number, maxUploadBytes: number): number {
  return maxBodyBytes + Math.ceil((maxUploadBytes * 4) / 3);
}

const turnAgentSchema = nullable(
  Type.String({ minLength: 1, maxLength: 200, description: "For this turn only." }),
);

/** Another reply to a message that is there. */
export const regenerateBody = Type.Object(
  {
    agent_id: Type.Optional(turnAgentSchema),
    model: Type.Optional(Type.String({ maxLength: 200 })),
    temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
    instructions: Type.Optional(
      Type.String({ maxLength: 20_000, description: "Extra system text." }),
    ),
    on_busy: Type.Optional(onBusyOfBranchSchema),
    voice_config: Type.Optional(nullable(voiceConfigSchema)),
  },
  {
    title: "Regenerate",
    examples: [{ temperature: 1, instructions: "Shorter." }],
  },
);

export type RegenerateBody = Static<typeof regenerateBody>;

/** A message said otherwise: as a new one, but for where it goes. */
export function editBody(maxLength: number) {
  const {
    session_id: _session,
    user_id: _user,
    parent_message_id: _parent,
    stream: _stream,
    ...properties
  } = messageBody(maxLength).properties;
  const edit = { ...properties, on_busy: Type.Optional(onBusyOfBranchSchema) };
  return Type.Object(edit, {
    title: "Edit",
    examples: [{ message: "What is 2 + 3?" }],
  });
}

/** A message that waits, said otherwise: what becomes of it at a busy session is decided already. */
export function amendBody(maxLength: number) {
  const { on_busy: _onBusy, ...properties } = editBody(maxLength).properties;
  return Type.Object(properties, {
    title: "Amend",
    examples: [{ message: "What is 2 + 3?" }],
  });
}

export type AmendBody = Static<ReturnType<typeof amendBody>>;

export type EditBody = Static<ReturnType<typeof editBody>>;

/** The body of both paths that send a message. */
export function messageBody(maxLength: number) {
  return Type.Object(
    {
      session_id: Type.Optional(
        nullable(Type.String({ description: "Without one a session is made for user_id." })),
      ),
      user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128, pattern: "\\S" })),
      parent_message_id: Type.Optional(
        nullable(
          Type.String({
            maxLength: 64,
            description:
              "The reply that it follows; one that has an answer already gets a branch. Null: it begins a conversation of its " +
              "own. Absent: the last message of the active path.",
          }),
        ),
      ),
      message: Type.String({ minLength: 1, maxLength, pattern: "\\S" }),
      message_type: Type.Union([Type.Literal("text"), Type.Literal("voice")], { default: "text" }),
      stream: Type.Optional(Type.Boolean()),
      voice_config: Type.Optional(nullable(voiceConfigSchema)),
      agent_id: Type.Optional(turnAgentSchema),
      session_config: Type.Optional(
        nullable({
          ...sessionConfigSchema,
          description:
            "Of a new session; of one that exists, merged into its own member by member.",
        }),
      ),
      response_format: Type.Optional(nullable(responseFormatSchema)),
      context: Type.Optional(nullable(Type.Record(Type.String(), Type.Unknown(), boundedObject))),
      metadata: Type.Optional(nullable(metadataSchema)),
      attachments: Type.Optional(nullable(attachmentsSchema)),
      on_busy: Type.Optional(onBusySchema),
    },
    {
      title: "SendMessage",
      examples: [
        { session_id: "019aab3e-7f1c-7c3a-9d52-0d6f4c1e8a11", message: "What is 2 + 2?" },
        { user_id: "alice", message: "你好" },
      ],
    },
  );
}

export type MessageBody = Static<ReturnType<typeof messageBody>>;
