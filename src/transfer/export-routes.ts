import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { AttachmentStore } from "../attachments/attachment-store.ts";
import { messageSchema } from "../chat/message-info.ts";
import type { MessageStore } from "../chat/message-store.ts";
import { callerUser, requireAction } from "../http/caller.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, nullable, ref } from "../http/schemas.ts";
import { bodyOf, takePlace } from "../http/send-pieces.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import type { Places } from "../lib/places.ts";
import { createOwnedSession } from "../sessions/session-access.ts";
import type { SessionStore } from "../sessions/session-store.ts";
import { headOf, pathTo } from "../tree/tree.ts";
import { markdownOf } from "./export/markdown.ts";
import { messagesOf } from "./export/messages-of.ts";
import { sessionDocument } from "./export/session-document.ts";

interface ExportRoutesOptions {
  readonly messages: Pick<MessageStore, "history">;
  readonly attachments: Pick<AttachmentStore, "find">;
  readonly sessions: Pick<SessionStore, "find" | "idsOf">;
  readonly identity: IdentityProvider;
  /** So many exports at a time on this node. */
  readonly places: Places;
}

const tags = ["Import and export"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const jsonLines = "application/jsonl";
const userId = Type.Optional(Type.String({ minLength: 1, maxLength: 128 }));

const { attachments: _linked, ...shown } = messageSchema.properties;
const documentSchema = Type.Object({
  format: Type.Literal("chat-service"),
  version: Type.Literal(1),
  exported_at: Type.String({ format: "date-time" }),
  session: ref("SessionInfo"),
  messages: Type.Array(
    Type.Object({
      ...shown,
      output_format: Type.Optional(Type.String()),
      attachments: Type.Optional(
        Type.Array(
          Type.Object({
            attachment_id: Type.String({ format: "uuid" }),
            name: Type.String(),
            media_type: Type.String(),
            size: Type.Integer({ description: "Bytes." }),
            data: nullable(
              Type.String({
                contentEncoding: "base64",
                description: "Null: it went while this was written.",
              }),
            ),
          }),
        ),
      ),
    }),
    { description: "Of all branches, each behind its parent." },
  ),
});

/** Not told to the compiler: what is sent depends on what was asked for. */
const documentResponse: object = {
  description: "The conversation.",
  content: {
    "application/json": { schema: documentSchema },
    "text/markdown": { schema: Type.String() },
  },
};
const linesResponse: object = {
  description: "A document of one session in each line.",
  content: { [jsonLines]: { schema: Type.String() } },
};

/** What users take with them: one conversation, or all of theirs. */
export function exportRoutes(options: ExportRoutesOptions): FastifyPluginAsyncTypebox {
  const { messages, attachments, sessions, identity, places } = options;
  const owned = createOwnedSession(sessions);

  const send = (
    request: FastifyRequest,
    reply: FastifyReply,
    pieces: AsyncGenerator<string>,
    file: { readonly type: string; readonly name: string },
  ) => {
    takePlace(places, reply);
    const name = encodeURIComponent(file.name).replaceAll("'", "%27");
    return reply
      .type(file.type)
      .header("Content-Disposition", `attachment; filename*=UTF-8''${name}`)
      .header("Cache-Control", "no-store")
      .send(bodyOf(request, pieces));
  };

  async function* linesOf(sessionIds: readonly string[]): AsyncGenerator<string> {
    for (const sessionId of sessionIds) {
      const session = await sessions.find(sessionId);
      // Deleted meanwhile.
      if (session === null) continue;
      yield* sessionDocument(session, { messages, attachments });
      yield "\n";
    }
  }

  return async (app) => {
    app.get(
      "/sessions/:session_id/export",
      {
        schema: {
          tags,
          security,
          summary: "A conversation as a file",
          description:
            "`json`: all of it, with every branch and the bytes of its files, in a form that `POST /import` takes. " +
            "`markdown`: the active path, for people to read.",
          params: Type.Object({ session_id: idParameter("A session.") }),
          querystring: Type.Object({
            user_id: userId,
            format: Type.Union([Type.Literal("json"), Type.Literal("markdown")], {
              default: "json",
            }),
          }),
          response: {
            200: documentResponse,
            ...problemResponses("session_not_found", "overloaded"),
          },
        },
      },
      async (request, reply) => {
        const sessionId = request.params.session_id;
        const { format, user_id: named } = request.query;
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, sessionId, named);
        const name = fileName(session.title) ?? sessionId;
        if (format === "json") {
          const pieces = sessionDocument(session, { messages, attachments });
          return send(request, reply, pieces, { type: "application/json", name: `${name}.json` });
        }
        const path = pathTo(session.tree, headOf(session.tree));
        const pieces = markdownOf(session, messagesOf(messages, session, path), request.language);
        return send(request, reply, pieces, {
          type: "text/markdown; charset=utf-8",
          name: `${name}.md`,
        });
      },
    );

    app.get(
      "/export",
      {
        schema: {
          tags,
          security,
          summary: "All conversations of a user as JSON Lines",
          description:
            "One document of `GET /sessions/{session_id}/export` a line, the oldest session first. `POST /import` takes it.",
          querystring: Type.Object({ user_id: userId }),
          response: { 200: linesResponse, ...problemResponses("overloaded") },
        },
      },
      async (request, reply) => {
        const user = callerUser(request, request.query.user_id);
        await requireAction(request, identity, "access_chat_session");
        const pieces = linesOf(await sessions.idsOf(user));
        const day = new Date().toISOString().slice(0, 10);
        return send(request, reply, pieces, { type: jsonLines, name: `chats-${day}.jsonl` });
      },
    );
  };
}

/** A title as the name of a file; null where nothing is left of it. */
function fileName(title: string | null): string | null {
  const name = (title ?? "")
    .replaceAll(/[\p{Cc}\p{Cf}<>:"/\\|?*]/gu, " ")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/^[\s.]+|[\s.]+$/g, "");
  return name === "" ? null : [...name].slice(0, 80).join("");
}
