import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { mayAccess, requireAction } from "../http/caller.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, ref } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { SessionStore } from "../sessions/session-store.ts";
import type { Commands } from "./commands.ts";
import { amendBody, maxMessageBytes } from "./message-body.ts";
import { messageInfo } from "./message-info.ts";
import type { MessageStore } from "./message-store.ts";
import { amendmentOf } from "./to-turn.ts";

interface QueueRoutesOptions {
  readonly commands: Pick<Commands, "amend">;
  readonly messages: Pick<MessageStore, "find" | "waiting">;
  readonly sessions: Pick<SessionStore, "find">;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
  readonly maxUploadBytes: number;
  readonly maxBodyBytes: number;
}

const tags = ["Messages"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const querystring = Type.Object({
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
});

/** Messages that wait for an earlier reply of their session. They are withdrawn by deleting them. */
export function queueRoutes(options: QueueRoutesOptions): FastifyPluginAsyncTypebox {
  const { commands, messages, sessions, identity, maxUploadBytes } = options;

  return async (app) => {
    app.get(
      "/sessions/:session_id/queue",
      {
        schema: {
          tags,
          security,
          summary: "What waits in a session, in its order",
          description:
            "Each reply that waits, with the user's messages that it will answer in front of it.",
          params: Type.Object({ session_id: idParameter("A session.") }),
          querystring,
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              messages: Type.Array(ref("Message")),
            }),
            ...problemResponses("session_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const { session_id: sessionId } = request.params;
        const session = isId(sessionId) ? await sessions.find(sessionId) : null;
        if (
          session === null ||
          !(await mayAccess(request, session.userId, request.query.user_id))
        ) {
          throw new Problem("session_not_found", { sessionId });
        }
        const waiting = await messages.waiting(session);
        return { success: true as const, messages: waiting.map(messageInfo) };
      },
    );

    app.patch(
      "/chat/message/:message_id",
      {
        bodyLimit: maxMessageBytes(options.maxBodyBytes, maxUploadBytes),
        schema: {
          tags,
          security,
          summary: "Say a message otherwise that still waits",
          description:
            "By the id of the user's message or of its reply; of messages that are answered together the last one is meant by the " +
            "reply's. What is absent stays as it is; an empty list of attachments " +
            "takes them away. To withdraw it, delete it.",
          params: Type.Object({ message_id: idParameter("A message that waits.") }),
          querystring,
          body: amendBody(options.maxMessageLength),
          response: {
            200: ref("Message"),
            ...problemResponses(
              "malformed_json",
              "message_not_found",
              "message_not_queued",
              "agent_not_found",
              "agent_unavailable",
              "storage_quota_exceeded",
            ),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "send_message");
        const { message_id: messageId } = request.params;
        const named = { messageId, userId: request.query.user_id };
        const change = amendmentOf(request.body, { maxUploadBytes });
        const { userMessageId } = await commands.amend(request, named, change);
        const message = await messages.find(userMessageId);
        if (message === null) throw new Problem("message_not_found", { messageId });
        return messageInfo(message);
      },
    );
  };
}
