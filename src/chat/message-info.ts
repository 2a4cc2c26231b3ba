import { Type } from "typebox";
import { nullable, timestampSchema } from "../http/schemas.ts";
import { wireExtras } from "../replies/extras.ts";
import {
  ContextSchema,
  extrasMembers,
  RequirementSchema,
  UsageSchema,
} from "../replies/reply-event.ts";
import { outputMembers, outputOf } from "../replies/structured-output.ts";
import { feedbackSchema } from "./feedback-info.ts";
import type { StoredMessage } from "./message-store.ts";

/** A message on the wire. */
export const messageSchema = Type.Object(
  {
    message_id: Type.String({ format: "uuid" }),
    session_id: Type.String({ format: "uuid" }),
    parent_id: nullable(
      Type.String({
        format: "uuid",
        description: "The message before it; null for the first one.",
      }),
    ),
    role: Type.Union([Type.Literal("user"), Type.Literal("assistant"), Type.Literal("system")]),
    content: Type.String(),
    timestamp: timestampSchema,
    agent_id: Type.String(),
    status: Type.Union(
      ["queued", "streaming", "paused", "complete", "cancelled", "interrupted", "failed"].map(
        (status) => Type.Literal(status),
      ),
    ),
    metadata: Type.Record(Type.String(), Type.Unknown()),
    reply_to: Type.Optional(
      Type.String({ format: "uuid", description: "Of an assistant message: the user's message." }),
    ),
    siblings: Type.Optional(
      Type.Object(
        { ids: Type.Array(Type.String({ format: "uuid" })), index: Type.Integer({ minimum: 0 }) },
        { description: "Where there are others of this role below the same parent: all of them." },
      ),
    ),
    usage: Type.Optional(nullable(UsageSchema)),
    context: Type.Optional(ContextSchema),
    ...outputMembers,
    finish_reason: Type.Optional(nullable(Type.String())),
    reasoning: Type.Optional(Type.String()),
    tool_calls: Type.Optional(Type.Array(Type.Object({}, { additionalProperties: true }))),
    media: Type.Optional(Type.Array(Type.Object({}, { additionalProperties: true }))),
    ...extrasMembers,
    audio: Type.Optional(Type.Object({}, { additionalProperties: true })),
    attachments: Type.Optional(
      Type.Array(
        Type.Object({
          attachment_id: Type.String({ format: "uuid" }),
          name: Type.String(),
          media_type: Type.String(),
          size: Type.Integer({ description: "Bytes." }),
          url: Type.String({ description: "Path of the bytes." }),
        }),
      ),
    ),
    unspoken: Type.Optional(
      Type.String({
        description:
          "Of a spoken reply that was interrupted: what follows `content` and nobody heard.",
      }),
    ),
    requirements: Type.Optional(Type.Array(RequirementSchema)),
    answers: Type.Optional(
      Type.Object(
        {
          message_id: Type.String({ format: "uuid" }),
          decisions: Type.Array(
            Type.Object({
              id: Type.String(),
              approved: Type.Boolean(),
              note: Type.Optional(Type.String()),
              result: Type.Optional(Type.Unknown()),
            }),
          ),
        },
        {
          description:
            "Of a user's message that was the answer to what this paused reply had asked: it has no reply of its own.",
        },
      ),
    ),
    feedback: Type.Optional(feedbackSchema),
    error: Type.Optional(
      Type.Object({ type: Type.String(), code: Type.Integer(), message: Type.String() }),
    ),
  },
  { $id: "Message", title: "Message" },
);

export function messageInfo(message: StoredMessage) {
  return {
    message_id: message.messageId,
    session_id: message.sessionId,
    parent_id: message.parentId,
    role: message.role,
    content: message.content,
    timestamp: message.createdAt.toISOString(),
    agent_id: message.agentId,
    status: message.status,
    metadata: message.metadata,
    ...(message.role === "assistant" && {
      reply_to: message.replyTo,
      usage: message.usage,
      finish_reason: message.finishReason,
      tool_calls: message.toolCalls ?? [],
    }),
    ...(message.siblings && {
      siblings: { ids: message.siblings, index: message.siblings.indexOf(message.messageId) },
    }),
    ...(message.context !== null && { context: message.context }),
    ...outputOf(message),
    ...(message.reasoning !== null && { reasoning: message.reasoning }),
    ...(message.media !== null && { media: message.media }),
    ...wireExtras(message.extras),
    ...(message.audio !== null && { audio: message.audio }),
    ...(message.attachments !== null && { attachments: message.attachments }),
    ...(message.unspoken !== null && { unspoken: message.unspoken }),
    ...(message.requirements !== null && { requirements: message.requirements }),
    ...(message.answers !== null && {
      answers: {
        message_id: message.answers.replyId,
        decisions: message.answers.decisions.map((decision) => ({ ...decision })),
      },
    }),
    ...(message.feedback !== null && { feedback: message.feedback }),
    ...(message.error !== null && {
      error: {
        type: message.error.type,
        code: message.error.code,
        message: message.error.message,
      },
    }),
  };
}
