import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { mayAccess, requireAction } from "../http/caller.ts";
import { isCurrent, privateFileHeaders } from "../http/etag.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { AttachmentStore } from "./attachment-store.ts";
import { fileHeaders, fileResponse } from "./file-answer.ts";

/** The files that came with messages, for those who may see the session. */
export function attachmentRoutes({
  store,
  identity,
}: {
  readonly store: AttachmentStore;
  readonly identity: IdentityProvider;
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/chat/attachments/:attachment_id",
      {
        schema: {
          tags: ["Messages"],
          security: [{ bearer: [] }, { apiKey: [] }, {}],
          summary: "The bytes of a file that came with a message",
          params: Type.Object({ attachment_id: idParameter("An attachment.") }),
          querystring: Type.Object({
            user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
          }),
          response: {
            200: fileResponse,
            304: { description: "What the caller has is what there is." },
            ...problemResponses("attachment_not_found"),
          },
        },
      },
      async (request, reply) => {
        const attachmentId = request.params.attachment_id;
        await requireAction(request, identity, "access_chat_session");
        const found = isId(attachmentId) ? await store.find(attachmentId) : null;
        if (found === null || !(await mayAccess(request, found.userId, request.query.user_id))) {
          throw new Problem("attachment_not_found", { attachmentId });
        }
        const kept = privateFileHeaders(attachmentId);
        if (isCurrent(request.headers["if-none-match"], kept.ETag)) {
          return reply.headers(kept).code(304).send();
        }
        return reply.headers({ ...fileHeaders(found), ...kept }).send(Buffer.from(found.bytes));
      },
    );
  };
}
