import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { Catalogue } from "../../agents/catalogue.ts";
import { localized } from "../../agents/localized.ts";
import type { Commands } from "../../chat/commands.ts";
import { requireAction } from "../../http/caller.ts";
import { Problem } from "../../problems/problem.ts";
import type { RunAgent, RunOptions } from "../ag-ui/open-run.ts";
import { isOfOldClient, runKeyOf, threadName } from "../ag-ui/request.ts";
import { runRoute } from "../ag-ui/routes.ts";
import type { Message } from "../ag-ui/run/messages.ts";
import { errorResponses, security, tags } from "../ag-ui/schemas.ts";
import { userOf } from "../caller.ts";
import { createThreadHistory, type HistoryParts } from "./history.ts";
import { pagesOf } from "../../replies/reading/pages.ts";
import type { IdempotencyStore } from "../../idempotency/idempotency-store.ts";

interface CopilotKitRoutesOptions
  extends
    HistoryParts,
    Pick<RunOptions, "externalIds" | "sse" | "identity" | "maxBodyBytes" | "maxUploadBytes"> {
  readonly runAgent: RunAgent;
  readonly commands: Pick<Commands, "cancel">;
  readonly catalogue: Pick<Catalogue, "seenBy">;
  readonly idempotency: Pick<IdempotencyStore, "ledTo">;
  readonly version: string;
  /** Whether what is said can be heard. */
  readonly hears: boolean;
}

/** What CopilotKit's clients ask of their runtime: `runtimeUrl` is `/copilotkit`. */
export function copilotKitRoutes(options: CopilotKitRoutesOptions): FastifyPluginAsyncTypebox {
  const { runAgent, commands, catalogue, externalIds, idempotency, sse, identity } = options;
  const history = createThreadHistory(options);

  return async (app) => {
    app.get(
      "/copilotkit/info",
      {
        schema: {
          tags,
          security,
          summary: "What there is for CopilotKit",
          response: {
            200: Type.Object({
              version: Type.String(),
              agents: Type.Record(
                Type.String(),
                Type.Object({
                  name: Type.String(),
                  description: Type.String(),
                  className: Type.String(),
                }),
              ),
              audioFileTranscriptionEnabled: Type.Boolean(),
              mode: Type.Literal("sse"),
              threadEndpoints: Type.Object({
                list: Type.Boolean(),
                inspect: Type.Boolean(),
                mutations: Type.Boolean(),
                realtimeMetadata: Type.Boolean(),
              }),
            }),
            ...errorResponses(),
          },
        },
      },
      async (request) => ({
        version: options.version,
        agents: Object.fromEntries(
          catalogue
            .seenBy(request)
            .list()
            .map(({ agentId, descriptor }) => [
              agentId,
              {
                name: localized(descriptor.name, request.language),
                description: localized(descriptor.description, request.language),
                className: "HttpAgent",
              },
            ]),
        ),
        audioFileTranscriptionEnabled: options.hears,
        mode: "sse" as const,
        threadEndpoints: { list: true, inspect: false, mutations: true, realtimeMetadata: false },
      }),
    );

    app.post(
      "/copilotkit/agent/:agent_id/run",
      runRoute("A run of an agent, for CopilotKit", options),
      async (request, reply) => {
        await runAgent(request, reply, request.params.agent_id);
        return undefined;
      },
    );

    app.post(
      "/copilotkit/agent/:agent_id/connect",
      runRoute("A thread: its turns as runs, and what is being made until it is over", options),
      async (request, reply) => {
        await requireAction(request, identity, "access_chat_session");
        using viewer = sse.admit(request);
        const { threadId, runId, messages } = request.body;
        await catalogue.seenBy(request).resolve(request.params.agent_id);
        const session = await externalIds.find(userOf(request), threadName(threadId));
        const opening = {
          threadId,
          runId,
          isOld: isOfOldClient(request.body),
          has: messages.filter((message): message is Message => typeof message.id === "string"),
        };
        (request as FastifyRequest).body = undefined;
        request.forgetBody();
        viewer.show(request, reply, {
          headers: session === null ? {} : { "X-Session-ID": session.sessionId },
          fields: { sessionId: session?.sessionId },
          hasEndLine: false,
          // Of a thread that has not begun there is nothing to tell.
          open: pagesOf((signal) =>
            session === null ? nothing() : history(session, opening, signal),
          ),
        });
        return undefined;
      },
    );

    app.post(
      "/copilotkit/agent/:agent_id/stop/:thread_id",
      {
        // The client says that JSON comes, and sends none where it knows of no run.
        onRequest: async ({ headers }) => {
          if (headers["content-length"] === "0") delete headers["content-type"];
        },
        schema: {
          tags,
          security,
          summary: "Stop a run, or whatever is being made in a thread",
          params: Type.Object({ agent_id: Type.String(), thread_id: Type.String() }),
          body: Type.Optional(
            Type.Object(
              { runId: Type.Optional(Type.String({ maxLength: 256 })) },
              { additionalProperties: true, examples: [{ runId: "run-1" }] },
            ),
          ),
          response: {
            200: Type.Object({
              stopped: Type.Boolean({ description: "False: nothing was being made." }),
            }),
            ...errorResponses("malformed_json", "session_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "send_message");
        const { thread_id: threadId } = request.params;
        const userId = userOf(request);
        const session = await externalIds.find(userId, threadName(threadId, "/thread_id"));
        if (session === null) throw new Problem("session_not_found", { sessionId: threadId });
        const runId = request.body?.runId;
        const run = runId === undefined ? null : await idempotency.ledTo(userId, runKeyOf(runId));
        const isThere = runId === undefined || run?.sessionId === session.sessionId;
        const messageId = runId === undefined ? session.activeMessageId : run?.messageId;
        if (!isThere || messageId === null || messageId === undefined) return { stopped: false };
        try {
          await commands.cancel(request, { messageId, userId });
          return { stopped: true };
        } catch (error) {
          if (error instanceof Problem && error.type === "message_not_running") {
            return { stopped: false };
          }
          throw error;
        }
      },
    );
  };
}

async function* nothing(): AsyncGenerator<never, void, void> {}
