import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply } from "fastify";
import { Type } from "typebox";
import type { AttachmentStore } from "../attachments/attachment-store.ts";
import { fileHeaders, fileResponse } from "../attachments/file-answer.ts";
import type { MessageStore, StoredMessage } from "../chat/message-store.ts";
import { requireAction } from "../http/caller.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, nullable, timestampSchema } from "../http/schemas.ts";
import { bodyOf, takePlace } from "../http/send-pieces.ts";
import { idempotencyHeaders, idempotencyKey } from "../idempotency/idempotency-header.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import type { Places } from "../lib/places.ts";
import { prefersPage } from "../page/prefers-page.ts";
import { Problem } from "../problems/problem.ts";
import { createOwnedSession } from "../sessions/session-access.ts";
import type { SessionStore } from "../sessions/session-store.ts";
import { messagesOf } from "../transfer/export/messages-of.ts";
import { readTree } from "../tree/tree.ts";
import type { ShareSession } from "./share-session.ts";
import type { Share, ShareStore } from "./share-store.ts";
import {
  gonePage,
  saidOf,
  sharedJson,
  sharedPage,
  sharedPagePolicy,
} from "./shared-conversation.ts";

interface ShareRoutesOptions {
  readonly share: ShareSession;
  readonly shares: ShareStore;
  readonly messages: Pick<MessageStore, "history">;
  readonly attachments: Pick<AttachmentStore, "find">;
  readonly sessions: Pick<SessionStore, "find">;
  readonly identity: IdentityProvider;
  /** Where people reach the service; null: links are paths. */
  readonly publicUrl: string | null;
  /** So many are read at a time on this node. */
  readonly places: Places;
}

const daySeconds = 86_400;
const tags = ["Shared conversations"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const sessionParams = Type.Object({ session_id: idParameter("A session.") });
const shareId = Type.String({ description: "Of a link." });
const namedUser = Type.Object({
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
});
const shareBody = Type.Object(
  {
    expires_in: Type.Integer({
      minimum: 1,
      maximum: 366 * daySeconds,
      default: 7 * daySeconds,
      description: "Seconds from now on that the link works.",
    }),
    include_files: Type.Boolean({
      default: false,
      description: "Whoever has the link gets the files that came with the messages too.",
    }),
  },
  { title: "Share" },
);
const urlSchema = Type.String({
  description: "Whole where `server.public_url` is set, else a path of this service.",
  examples: ["https://chat.example.com/share/dGhpcyBpcyBub3QgYSByZWFsIGxpbms"],
});
const infoSchema = {
  share_id: Type.String(),
  url: urlSchema,
  expires_at: timestampSchema,
};
const sharedSchema = Type.Object({
  success: Type.Literal(true),
  title: nullable(Type.String()),
  created_at: timestampSchema,
  expires_at: timestampSchema,
  messages: Type.Array(
    Type.Object({
      role: Type.Union([Type.Literal("user"), Type.Literal("assistant")]),
      content: Type.String(),
      timestamp: timestampSchema,
      agent_id: Type.Optional(Type.String()),
      attachments: Type.Optional(
        Type.Array(
          Type.Object({
            name: Type.String(),
            media_type: Type.String(),
            size: Type.Integer(),
            url: Type.String(),
          }),
        ),
      ),
    }),
  ),
});
/** Not told to the compiler: what is sent depends on what was asked for. */
const sharedResponse: object = {
  description: "The conversation as it was when it was shared.",
  content: {
    "application/json": { schema: sharedSchema },
    "text/html": { schema: Type.String() },
  },
};

const refusals = problemResponses("share_not_found", "overloaded");

/** Browsers are told it on a page. */
function asPageToo(response: (typeof refusals)[number] | undefined): object {
  const page = { "text/html": { schema: Type.String() } };
  return { ...response, content: { ...response?.content, ...page } };
}

/** Nobody keeps it, finds it, or is told of it by a link in it. */
const unkept = {
  "Cache-Control": "private, no-store",
  "X-Robots-Tag": "noindex, nofollow",
  "Referrer-Policy": "no-referrer",
  Vary: "Accept, Accept-Language",
};
/** Numbers alone say what is shared; nothing of branches is shown. */
const unbranched = readTree({ lastSeq: Number.MAX_SAFE_INTEGER, tree: null });

/** Links that show a conversation to anybody: made, listed and ended by its owner, read by whoever has one. */
export function shareRoutes(options: ShareRoutesOptions): FastifyPluginAsyncTypebox {
  const { share: shareSession, shares, messages, attachments, identity, places } = options;
  const owned = createOwnedSession(options.sessions);
  const urlOf = ({ shareId }: Share) =>
    `${options.publicUrl?.replace(/\/+$/, "") ?? ""}/share/${shareId}`;
  const infoOf = (share: Share) => ({
    share_id: share.shareId,
    url: urlOf(share),
    expires_at: share.expiresAt.toISOString(),
  });

  /** Raises `share_not_found`, also when all that was shared is deleted. */
  const open = async (shareId: string) => {
    const share = await shares.find(shareId);
    if (share === null) throw new Problem("share_not_found", {});
    const session = { sessionId: share.sessionId, tree: unbranched };
    const said = saidOf(messagesOf(messages, session, share.path));
    const first = await said.next();
    if (first.done === true && share.path.length > 0) throw new Problem("share_not_found", {});
    return { share, said: first.done === true ? said : withFirst(first.value, said) };
  };

  const sendPage = (reply: FastifyReply) =>
    reply.type("text/html; charset=utf-8").header("Content-Security-Policy", sharedPagePolicy);

  return async (app) => {
    app.post(
      "/sessions/:session_id/share",
      {
        // Every member may be left out, and so may all of it.
        preValidation: (request, _reply, done) => {
          request.body ??= {} as typeof request.body;
          done();
        },
        schema: {
          tags,
          security,
          summary: "Share a conversation: a link to the active path as it is now",
          description:
            "Anybody who has the link may read it until `expires_at`: no user id, no files unless asked for, nothing that is " +
            "said later. What is deleted of the conversation is gone from the link too.",
          headers: idempotencyHeaders,
          params: sessionParams,
          querystring: namedUser,
          body: shareBody,
          response: {
            200: Type.Object({ success: Type.Literal(true), ...infoSchema }),
            ...problemResponses(
              "malformed_json",
              "session_not_found",
              "share_not_found",
              "message_running",
              "idempotency_conflict",
            ),
          },
        },
      },
      async (request) => {
        const { session_id: sessionId } = request.params;
        const { expires_in: expiresInSeconds, include_files: includeFiles } = request.body;
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, sessionId, request.query.user_id);
        const key = idempotencyKey(request, "POST /sessions/share", [sessionId, request.body]);
        const share = await shareSession(session, { expiresInSeconds, includeFiles }, key);
        return { success: true as const, ...infoOf(share) };
      },
    );

    app.get(
      "/sessions/:session_id/share",
      {
        schema: {
          tags,
          security,
          summary: "The links to a conversation, the newest first",
          params: sessionParams,
          querystring: namedUser,
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              shares: Type.Array(
                Type.Object({
                  ...infoSchema,
                  created_at: timestampSchema,
                  include_files: Type.Boolean(),
                }),
              ),
            }),
            ...problemResponses("session_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, request.params.session_id, request.query.user_id);
        const found = await shares.ofSession(session.sessionId);
        return {
          success: true as const,
          shares: found.map((share) => ({
            ...infoOf(share),
            created_at: share.createdAt.toISOString(),
            include_files: share.includeFiles,
          })),
        };
      },
    );

    app.delete(
      "/sessions/:session_id/share/:share_id",
      {
        config: { isPathSecret: true },
        schema: {
          tags,
          security,
          summary: "End a link",
          params: Type.Object({ ...sessionParams.properties, share_id: shareId }),
          querystring: namedUser,
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              message: Type.String(),
              share_id: Type.String(),
            }),
            ...problemResponses("malformed_json", "session_not_found", "share_not_found"),
          },
        },
      },
      async (request) => {
        const { session_id: sessionId, share_id: id } = request.params;
        await requireAction(request, identity, "access_chat_session");
        const session = await owned(request, sessionId, request.query.user_id);
        if (!(await shares.delete(session.sessionId, id))) throw new Problem("share_not_found", {});
        return {
          success: true as const,
          message: request.language === "zh" ? "分享链接已撤销" : "The link was ended",
          share_id: id,
        };
      },
    );

    app.get(
      "/share/:share_id",
      {
        config: { isPublic: true, isPathSecret: true },
        schema: {
          tags,
          security: [],
          summary: "A conversation that was shared",
          description:
            "For anybody. As a page for browsers (`Accept: text/html`), else as JSON. Read-only, and for no search engine.",
          params: Type.Object({ share_id: shareId }),
          response: { 200: sharedResponse, ...refusals, 404: asPageToo(refusals[404]) },
        },
      },
      async (request, reply) => {
        void reply.headers(unkept);
        const isPage = prefersPage(request.headers.accept);
        takePlace(places, reply);
        const found = await open(request.params.share_id).catch((error: unknown) => {
          if (isPage && error instanceof Problem && error.type === "share_not_found") return null;
          throw error;
        });
        if (found === null) return sendPage(reply).code(404).send(gonePage(request.language));
        const { share, said } = found;
        if (isPage) {
          return sendPage(reply).send(bodyOf(request, sharedPage(share, said, request.language)));
        }
        const pieces = sharedJson(share, said, `${urlOf(share)}/files`);
        return reply.type("application/json; charset=utf-8").send(bodyOf(request, pieces));
      },
    );

    app.get(
      "/share/:share_id/files/:attachment_id",
      {
        config: { isPublic: true, isPathSecret: true },
        schema: {
          tags,
          security: [],
          summary: "A file of a conversation that was shared with its files",
          params: Type.Object({ share_id: shareId, attachment_id: idParameter("An attachment.") }),
          response: { 200: fileResponse, ...problemResponses("share_not_found") },
        },
      },
      async (request, reply) => {
        void reply.headers(unkept);
        const { share_id: id, attachment_id: attachmentId } = request.params;
        const share = await shares.find(id);
        const isShared = share !== null && (await shares.holdsFile(share, attachmentId));
        const file = isShared ? await attachments.find(attachmentId) : null;
        if (file === null) throw new Problem("share_not_found", {});
        return reply.headers(fileHeaders(file)).send(Buffer.from(file.bytes));
      },
    );
  };
}

async function* withFirst(
  first: StoredMessage,
  rest: AsyncIterable<StoredMessage>,
): AsyncGenerator<StoredMessage> {
  yield first;
  yield* rest;
}
