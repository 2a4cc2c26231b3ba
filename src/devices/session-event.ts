import { Type } from "typebox";
import { feedbackSchema } from "../chat/feedback-info.ts";
import { nullable, ref, timestampSchema } from "../http/schemas.ts";

/** What devices are told, on the wire. */
export const sessionEventSchema = Type.Object(
  {
    type: Type.Union(
      [
        "ready",
        "reset",
        "session_created",
        "session_updated",
        "session_deleted",
        "message_created",
        "reply_started",
        "reply_ended",
        "feedback",
      ].map((type) => Type.Literal(type)),
      {
        description:
          "`ready` comes first: `GET /sessions` read after it has everything before. `reset`: what was missed is kept no " +
          "longer, the list is to be read anew.",
      },
    ),
    timestamp: timestampSchema,
    session_id: Type.Optional(Type.String({ format: "uuid" })),
    session_info: Type.Optional(ref("SessionInfo")),
    changed: Type.Optional(
      Type.Array(Type.String(), {
        description:
          "Of `session_updated`: names of members; `messages` where a message was changed.",
      }),
    ),
    message_id: Type.Optional(Type.String({ format: "uuid" })),
    parent_id: Type.Optional(
      nullable(Type.String({ format: "uuid", description: "Of `message_created`." })),
    ),
    role: Type.Optional(Type.String()),
    agent_id: Type.Optional(Type.String()),
    reply_to: Type.Optional(Type.String({ format: "uuid" })),
    status: Type.Optional(
      Type.String({ description: "Of `reply_ended`: how; `paused` where a person must decide." }),
    ),
    feedback: Type.Optional(nullable(feedbackSchema)),
  },
  { $id: "SessionEvent", title: "SessionEvent" },
);
