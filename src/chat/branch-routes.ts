import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { requireAction } from "../http/caller.ts";
import { acceptedResponse, prefersAsync, withPrefer } from "../http/prefer.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, ref } from "../http/schemas.ts";
import { idempotencyHeaders, idempotencyKey } from "../idempotency/idempotency-header.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import type { SseView } from "../replies/reading/sse.ts";
import type { Commands, SentMessage } from "./commands.ts";
import { editBody, maxMessageBytes, regenerateBody } from "./message-body.ts";
import { streamResponse } from "./stream-docs.ts";
import { editOf, settingsOfTurn, turnAt } from "./to-turn.ts";
import { wantsJson } from "./wants-json.ts";
import type { WholeAnswer } from "./whole-answer.ts";

interface BranchRoutesOptions {
  readonly commands: Commands;
  readonly sse: SseView;
  readonly identity: IdentityProvider;
  readonly wholeAnswer: WholeAnswer;
  readonly maxMessageLength: number;
  readonly maxUploadBytes: number;
  readonly maxBodyBytes: number;
}

interface AtMessage {
  Params: { message_id: string };
  Querystring: { user_id?: string };
}

const tags = ["Messages"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];
const params = Type.Object({ message_id: idParameter("A message.") });
const querystring = Type.Object({
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
});
const streamOrAnswer = {
  200: {
    description: `${streamResponse.description} With \`Accept: application/json\` the whole reply instead.`,
    content: { ...streamResponse.content, "application/json": { schema: ref("Answer") } },
  },
  202: acceptedResponse,
};

/** What people do with messages that are there: ask again, say otherwise, delete. */
export function branchRoutes(options: BranchRoutesOptions): FastifyPluginAsyncTypebox {
  const { commands, sse, identity } = options;

  const named = ({ params, query }: FastifyRequest<AtMessage>) => ({
    messageId: params.message_id,
    userId: query.user_id,
  });

  const originOf = (request: FastifyRequest<AtMessage>, operation: string) => ({
    caller: request,
    requestId: request.id,
    traceparent: request.traceparent,
    language: request.language,
    idempotency: idempotencyKey(request, operation, [request.params.message_id, request.body]),
    maxUploadBytes: options.maxUploadBytes,
  });

  /** As a stream unless JSON is asked for; what can be refused is refused before it begins. */
  const reply = async (
    request: FastifyRequest,
    response: FastifyReply,
    send: () => Promise<SentMessage>,
  ) => {
    if (prefersAsync(request) || wantsJson(request.headers.accept))
      return options.wholeAnswer(await send(), response);
    using viewer = sse.admit(request);
    const sent = await send();
    // Attachments may be large, are stored by now, and a request lives as long as its stream.
    request.body = undefined;
    request.forgetBody();
    viewer.stream(request, response, { ...sent, after: 0 });
    return undefined;
  };

  return async (app) => {
    const sendProblems = problemResponses(
      "malformed_json",
      "message_not_found",
      "agent_not_found",
      "message_running",
      "session_busy",
      "session_archived",
      "idempotency_conflict",
      "budget_exceeded",
      "queue_full",
      "agent_failed",
      "agent_unavailable",
      "overloaded",
      "shutting_down",
      "agent_timeout",
    );

    app.post(
      "/chat/message/:message_id/regenerate",
      {
        schema: {
          tags,
          security,
          summary: "Ask again: another reply to the same message, beside the one that is there",
          description:
            "Of an ended reply, or of the user's message itself. What is set holds for this turn only.",
          headers: withPrefer(idempotencyHeaders),
          params,
          querystring,
          body: regenerateBody,
          response: { ...streamOrAnswer, ...sendProblems },
        },
      },
      async (request, response) => {
        await requireAction(request, identity, "send_message");
        const { body } = request;
        const origin = originOf(request, "POST /chat/message/regenerate");
        const turn = { ...turnAt(body, origin), ownSettings: settingsOfTurn(body) };
        return reply(request, response, () => commands.regenerate(request, named(request), turn));
      },
    );

    app.post(
      "/chat/message/:message_id/edit",
      {
        bodyLimit: maxMessageBytes(options.maxBodyBytes, options.maxUploadBytes),
        schema: {
          tags,
          security,
          summary:
            "Say it otherwise: a message beside the user's message that is there, and its reply",
          description:
            "Without `attachments` those of the original go along; an empty list leaves them out.",
          headers: withPrefer(idempotencyHeaders),
          params,
          querystring,
          body: editBody(options.maxMessageLength),
          response: { ...streamOrAnswer, ...sendProblems },
        },
      },
      async (request, response) => {
        await requireAction(request, identity, "send_message");
        const { body } = request;
        const origin = originOf(request, "POST /chat/message/edit");
        const message = editOf(body, origin);
        const turn = turnAt(body, origin);
        return reply(request, response, () =>
          commands.edit(request, named(request), message, turn),
        );
      },
    );

    app.delete(
      "/chat/message/:message_id",
      {
        schema: {
          tags,
          security,
          summary: "Delete a message and everything below it",
          description:
            "With files, speech and search entries; what runs or waits among it ends as cancelled. The head moves to the " +
            "newest leaf that is left beside or above it.",
          params,
          querystring,
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              message: Type.String(),
              message_id: Type.String(),
            }),
            ...problemResponses("malformed_json", "message_not_found"),
          },
        },
      },
      async (request) => {
        await requireAction(request, identity, "send_message");
        await commands.remove(request, named(request));
        return {
          success: true as const,
          message: request.language === "zh" ? "消息已删除" : "The message was deleted",
          message_id: request.params.message_id,
        };
      },
    );
  };
}
