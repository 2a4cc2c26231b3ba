import { Type } from "typebox";
import { nullable, timestampSchema } from "../http/schemas.ts";
import type { Session } from "./session-store.ts";

/** `session_info` on the wire. */
export const sessionInfoSchema = Type.Object(
  {
    session_id: Type.String({ format: "uuid" }),
    user_id: Type.String(),
    agent_id: Type.String(),
    title: nullable(Type.String()),
    status: Type.Union([Type.Literal("active"), Type.Literal("archived")]),
    created_at: timestampSchema,
    last_activity: timestampSchema,
    message_count: Type.Integer({
      minimum: 0,
      description: "Messages of the active path, of both sides, those being made included.",
    }),
    total_message_count: Type.Integer({ minimum: 0, description: "Of all branches." }),
    head_message_id: nullable(
      Type.String({
        format: "uuid",
        description: "The last message of the active path: what is sent next hangs below it.",
      }),
    ),
    pinned: Type.Boolean(),
    tags: Type.Array(Type.String()),
    config: Type.Record(Type.String(), Type.Unknown()),
    metadata: Type.Record(Type.String(), Type.Unknown()),
    active_message_id: nullable(
      Type.String({ format: "uuid", description: "The reply now being generated, or paused." }),
    ),
    active_message_status: nullable(
      Type.Union([Type.Literal("streaming"), Type.Literal("paused")]),
    ),
  },
  { $id: "SessionInfo", title: "SessionInfo" },
);

export function sessionInfo(session: Session) {
  return {
    session_id: session.sessionId,
    user_id: session.userId,
    agent_id: session.agentId,
    title: session.title,
    status: session.status,
    created_at: session.createdAt.toISOString(),
    last_activity: session.lastActivity.toISOString(),
    message_count: session.messageCount,
    total_message_count: session.totalMessageCount,
    head_message_id: session.headMessageId,
    pinned: session.pinned,
    tags: session.tags,
    config: session.config,
    metadata: session.metadata,
    active_message_id: session.activeMessageId,
    active_message_status: session.activeMessageStatus,
  };
}
