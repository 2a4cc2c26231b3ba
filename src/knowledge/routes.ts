import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { Knowledge } from "../agents/agent-backend.ts";
import { attachmentSchema, readAttachment } from "../attachments/read-attachments.ts";
import { checkAdmin, isAllowed, mayRun, requireAction, requireAdmin } from "../http/caller.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { nullable } from "../http/schemas.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import type { SharedKnowledge } from "./knowledge.ts";

interface KnowledgeRoutesOptions {
  readonly knowledge: SharedKnowledge;
  readonly identity: IdentityProvider;
  readonly maxUploadBytes: number;
  /** Of a request with a document in it. */
  readonly bodyLimit: number;
}

const tags = ["Knowledge"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const listTimeoutMs = 10_000;
const changeTimeoutMs = 60_000;

const statusSchema = Type.Union(
  [
    Type.Literal("processing"),
    Type.Literal("completed"),
    Type.Literal("partial"),
    Type.Literal("failed"),
  ],
  {
    description: "How far its source is with reading it; `partial`: only some of it can be found.",
  },
);
const knowledgeIdSchema = Type.String({ minLength: 1, maxLength: 1_000 });
const documentIdSchema = Type.String({ minLength: 1, maxLength: 500 });

/** Documents that agents look things up in: to be seen by everybody, to be changed by administrators. */
export function knowledgeRoutes(options: KnowledgeRoutesOptions): FastifyPluginAsyncTypebox {
  const { knowledge, identity, maxUploadBytes } = options;
  return async (app) => {
    app.get(
      "/chat/knowledge",
      {
        schema: {
          tags,
          security,
          summary: "The documents that agents look things up in",
          description:
            "At the agents' own source (AgentOS): all users share them. The newest first, at most 1000 of each knowledge.",
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              knowledge: Type.Array(
                Type.Object({
                  knowledge_id: Type.String(),
                  name: Type.String(),
                  description: nullable(Type.String()),
                  agent_ids: Type.Array(Type.String(), {
                    description: "The agents that look things up in it, as in `GET /chat/agents`.",
                  }),
                  documents: Type.Array(
                    Type.Object({
                      document_id: Type.String(),
                      name: Type.String(),
                      media_type: nullable(Type.String()),
                      size: nullable(Type.Integer({ minimum: 0, description: "Bytes." })),
                      status: statusSchema,
                      updated_at: nullable(Type.String({ format: "date-time" })),
                    }),
                  ),
                }),
              ),
              may_change: Type.Boolean({
                description: "Whether the caller may add documents and take them away.",
              }),
              complete: Type.Boolean({
                description: "False: a server could not be asked, and may have more.",
              }),
            }),
            ...problemResponses(),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "access_chat_session");
        const [found, mayChange] = await Promise.all([
          knowledge.list(AbortSignal.timeout(listTimeoutMs)),
          isAllowed(async () => {
            checkAdmin(request);
            await requireAction(request, identity, "manage_sessions");
          }),
        ]);
        return {
          success: true as const,
          may_change: mayChange,
          knowledge: found.knowledge.flatMap((each) => {
            const agentIds = each.agentIds.filter((agentId) => mayRun(request, agentId));
            // Of agents that do not exist for the caller alone.
            const isHidden = agentIds.length === 0 && each.agentIds.length > 0;
            return isHidden ? [] : [knowledgeInfo({ ...each, agentIds })];
          }),
          complete: found.isComplete,
        };
      },
    );

    app.post(
      "/chat/knowledge/:knowledge_id/documents",
      {
        bodyLimit: options.bodyLimit,
        schema: {
          tags,
          security,
          summary: "Give agents a document to look things up in",
          description:
            "For administrators, because all users share it. Its source reads it from then on: `GET /chat/knowledge` tells " +
            "the `status`. The same content again is the same document.",
          params: Type.Object({ knowledge_id: knowledgeIdSchema }),
          body: attachmentSchema,
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              document_id: Type.String(),
              status: statusSchema,
            }),
            ...problemResponses(
              "malformed_json",
              "knowledge_not_found",
              "agent_unavailable",
              "agent_failed",
            ),
          },
        },
      },
      async (request) => {
        await requireAdmin(request);
        await requireAction(request, identity, "manage_sessions");
        const file = readAttachment(request.body, maxUploadBytes);
        const { id, status } = await knowledge.add(
          request.params.knowledge_id,
          file,
          AbortSignal.timeout(changeTimeoutMs),
        );
        return { success: true as const, document_id: id, status };
      },
    );

    app.delete(
      "/chat/knowledge/:knowledge_id/documents/:document_id",
      {
        schema: {
          tags,
          security,
          summary: "Take a document away from agents",
          description: "For administrators, because all users share it.",
          params: Type.Object({ knowledge_id: knowledgeIdSchema, document_id: documentIdSchema }),
          response: {
            200: Type.Object({ success: Type.Literal(true) }),
            ...problemResponses("knowledge_not_found", "agent_unavailable", "agent_failed"),
          },
        },
      },
      async (request) => {
        await requireAdmin(request);
        await requireAction(request, identity, "manage_sessions");
        const { knowledge_id: knowledgeId, document_id: documentId } = request.params;
        await knowledge.remove(knowledgeId, documentId, AbortSignal.timeout(changeTimeoutMs));
        return { success: true as const };
      },
    );
  };
}

function knowledgeInfo({ id, name, description, agentIds, documents }: Knowledge) {
  return {
    knowledge_id: id,
    name,
    description,
    agent_ids: [...agentIds],
    documents: documents.map((document) => ({
      document_id: document.id,
      name: document.name,
      media_type: document.mediaType,
      size: document.size,
      status: document.status,
      updated_at: document.updatedAt,
    })),
  };
}
