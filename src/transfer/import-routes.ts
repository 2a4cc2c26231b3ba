import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { callerUser, requireAction, type Caller } from "../http/caller.ts";
import { takeForms, unvalidated } from "../http/form-bodies.ts";
import { goneSignal } from "../http/gone-signal.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { nullable } from "../http/schemas.ts";
import { idempotencyHeaders, idempotencyKey } from "../idempotency/idempotency-header.ts";
import type { IdempotencyStore } from "../idempotency/idempotency-store.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { newId } from "../lib/ids.ts";
import type { Places, PlacesByOwner } from "../lib/places.ts";
import type { Language } from "../problems/catalogue.ts";
import { Problem } from "../problems/problem.ts";
import { importFile, type ImportedConversation, type ImportParts } from "./import/import-file.ts";
import { diskFull, isDiskFull, receiveUpload } from "./receive-upload.ts";

interface ImportRoutesOptions extends Omit<ImportParts, "agents"> {
  /** Of those that there are now for the caller. */
  readonly agents: (caller: Caller) => ReturnType<ImportParts["agents"]>;
  readonly identity: IdentityProvider;
  readonly idempotency: Pick<IdempotencyStore, "findAnswer" | "claim">;
  /** So many files come in at a time on this node: each lies on its disk. */
  readonly uploads: Places;
  readonly uploadsOfUser: PlacesByOwner;
  /** So many of those that have come whole are imported at a time; the others wait. */
  readonly places: Places;
}

const statusSchema = Type.Union([
  Type.Literal("imported"),
  Type.Literal("updated"),
  Type.Literal("skipped"),
  Type.Literal("failed"),
]);
const resultSchema = Type.Object({
  success: Type.Boolean({ description: "Whether none of them failed." }),
  imported: Type.Integer(),
  updated: Type.Integer({ description: "Were there, and have got what was new." }),
  skipped: Type.Integer({ description: "Were there as they are in the file." }),
  failed: Type.Integer(),
  conversations: Type.Array(
    Type.Object({
      source_id: nullable(Type.String()),
      source: nullable(Type.String({ examples: ["chatgpt"] })),
      session_id: nullable(Type.String({ format: "uuid" })),
      title: nullable(Type.String()),
      messages: Type.Integer({ description: "Stored now." }),
      status: statusSchema,
      error: Type.Optional(Type.String()),
    }),
    { description: "The first 10,000." },
  ),
});

const maxListed = 10_000;
const fileContent = { type: "string", format: "binary" };

/** Conversations of other services, and of this one, from a file. */
export function importRoutes(options: ImportRoutesOptions): FastifyPluginAsyncTypebox {
  const { identity, idempotency, uploads, uploadsOfUser, places, limits } = options;
  return async (app) => {
    // Every body is a file, whatever it is called.
    app.removeContentTypeParser(["application/json", "text/plain"]);
    await takeForms(app);
    app.post(
      "/import",
      {
        ...unvalidated,
        bodyLimit: limits.maxImportBytes + 64 * 1024,
        schema: {
          tags: ["Import and export"],
          security: [{ bearer: [] }, { apiKey: [] }, {}],
          summary: "Import conversations from a file",
          description:
            "Exports of this service, ChatGPT (`conversations.json` or the whole archive), LibreChat and Open WebUI, also zipped; " +
            "as the `file` of a form, or as the body itself. Importing the same again adds what is new.",
          consumes: [
            "multipart/form-data",
            "application/json",
            "application/jsonl",
            "application/zip",
          ],
          headers: idempotencyHeaders,
          querystring: Type.Object({
            user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
          }),
          body: { type: "object", required: ["file"], properties: { file: fileContent } },
          response: {
            200: resultSchema,
            ...problemResponses(
              "unsupported_media_type",
              "import_failed",
              "idempotency_conflict",
              "overloaded",
              "storage_unavailable",
            ),
          },
        },
      },
      async (request, reply) => {
        const { user_id: named } = request.query as { user_id?: unknown };
        const userId = callerUser(request, typeof named === "string" ? named : undefined);
        await requireAction(request, identity, "create_chat_session");
        // The rest of a body that is refused is not read.
        const refuse = (error: unknown) => {
          void reply.header("Connection", "close");
          throw error;
        };
        const own = uploadsOfUser.take(userId);
        const any = own && uploads.take();
        if (any === null) {
          own?.();
          return refuse(new Problem("overloaded", {}, { retryAfterSeconds: 10 }));
        }
        let giveBack = () => {};
        const bring = async (): Promise<Result> => {
          await using file = await receiveUpload(request, limits.maxImportBytes).catch(refuse);
          request.forgetBody();
          giveBack = await places.wait(goneSignal(reply));
          const key = idempotencyKey(request, "POST /import", file.sha256);
          const earlier = key && (await idempotency.findAnswer<Result>(userId, key));
          if (earlier) return earlier;
          const result = emptyResult();
          const parts = { ...options, agents: () => options.agents(request) };
          for await (const each of importFile(parts, userId, file, goneSignal(reply))) {
            count(result, each);
          }
          if (key !== null) {
            await idempotency.claim(
              options.database,
              userId,
              key,
              { sessionId: newId(), messageId: null },
              result,
            );
          }
          return result;
        };
        // Its places are free before it is answered: who has the answer may send the next one.
        const result = await bring()
          .catch((error: unknown) => {
            throw isDiskFull(error) ? diskFull(error) : error;
          })
          .finally(() => {
            for (const back of [giveBack, any, own]) back?.();
          });
        return inLanguage(result, request.language);
      },
    );
  };
}

interface Result {
  imported: number;
  updated: number;
  skipped: number;
  failed: number;
  readonly conversations: ImportedConversation[];
}

function emptyResult(): Result {
  return { imported: 0, updated: 0, skipped: 0, failed: 0, conversations: [] };
}

function count(result: Result, each: ImportedConversation): void {
  result[each.status] += 1;
  if (result.conversations.length < maxListed) result.conversations.push(each);
}

function inLanguage({ conversations, ...counts }: Result, language: Language) {
  return {
    success: counts.failed === 0,
    ...counts,
    conversations: conversations.map(
      ({ sourceId, source, sessionId, title, messages, status, error }) => ({
        source_id: sourceId,
        source,
        session_id: sessionId,
        title: title === null ? null : title.slice(0, 500),
        messages,
        status,
        ...(error !== null && { error: error[language] }),
      }),
    ),
  };
}
