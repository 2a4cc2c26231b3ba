import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { Catalogue } from "../../../agents/catalogue.ts";
import type { Commands } from "../../../chat/commands.ts";
import { maxMessageBytes } from "../../../chat/message-body.ts";
import type { MessageStore } from "../../../chat/message-store.ts";
import { requireAction } from "../../../http/caller.ts";
import { goneSignal } from "../../../http/gone-signal.ts";
import { idempotencyHeaders } from "../../../idempotency/idempotency-header.ts";
import type { IdentityProvider } from "../../../identity/identity.ts";
import { Problem } from "../../../problems/problem.ts";
import type { FollowReply, OpenReply } from "../../../replies/reading/follow-reply.ts";
import type { SseView } from "../../../replies/reading/sse.ts";
import { userMembers, userOf } from "../../caller.ts";
import type { TurnOpener } from "../../open-turn.ts";
import { turnRefusals } from "../../refusals.ts";
import { openView, view } from "../../view.ts";
import { conversationHeaders, errorResponses, security, tags } from "../schemas.ts";
import type { ExternalIds } from "../../conversation-name.ts";
import { createResponseOpener } from "./open-response.ts";
import { responseProjection } from "./project.ts";
import { createResponseReader } from "./read-response.ts";
import { responseBody, responseSchema } from "./schemas.ts";

interface ResponseRoutesOptions {
  readonly externalIds: Pick<ExternalIds, "isKept">;
  readonly turns: TurnOpener;
  readonly commands: Pick<Commands, "state" | "cancel" | "remove">;
  readonly openReply: OpenReply;
  readonly follow: FollowReply;
  readonly messages: Pick<MessageStore, "find">;
  readonly catalogue: Pick<Catalogue, "seenBy">;
  readonly sse: SseView;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
  readonly maxUploadBytes: number;
  readonly maxBodyBytes: number;
}

const params = Type.Object({
  response_id: Type.String({
    description:
      "`resp_` and the id of a reply; `_2` and so on behind it: its part after a decision.",
  }),
});

const example = `event: response.created
id: 64
data: {"type":"response.created","sequence_number":64,"response":{"id":"resp_019b…","object":"response","status":"in_progress", …}}

event: response.output_text.delta
id: 130
data: {"type":"response.output_text.delta","sequence_number":130,"item_id":"msg_019b…_0","output_index":0,"content_index":0,"delta":"4","logprobs":[]}

event: response.completed
id: 195
data: {"type":"response.completed","sequence_number":195,"response":{"id":"resp_019b…","status":"completed", …}}

data: [DONE]

`;

/** Responses of OpenAI's, each a reply or, where that waits for decisions, a part of one. */
export function responseRoutes(options: ResponseRoutesOptions): FastifyPluginAsyncTypebox {
  const { commands, openReply, follow, sse, identity } = options;
  const reader = createResponseReader(options);
  const { asItIs, found, owned } = reader;
  const open = createResponseOpener(options, reader);

  const json = { "application/json": { schema: responseSchema } };
  const whole = { 200: { description: "The response.", content: json } };
  const stream = {
    200: {
      description: "With `stream` as server-sent events.",
      content: { ...json, "text/event-stream": { schema: { type: "string" }, example } },
    },
  };
  const ofOne = ["message_not_found"] as const;

  return async (app) => {
    app.post(
      "/v1/responses",
      {
        bodyLimit: maxMessageBytes(options.maxBodyBytes, options.maxUploadBytes),
        config: { userMembers },
        schema: {
          tags,
          security,
          summary: "A response of an agent: whole, as a stream, or in the background",
          headers: {
            ...idempotencyHeaders,
            properties: { ...idempotencyHeaders.properties, ...conversationHeaders },
          },
          body: responseBody,
          response: {
            ...stream,
            ...errorResponses(...turnRefusals, "session_not_found"),
          },
        },
      },
      async (request, reply) => {
        const { stream: isStream, background } = request.body;
        using viewer = isStream === true ? sse.admit(request) : null;
        const { turn, name } = await open(request, reply);
        // Files are stored by now, and a request lives as long as its stream.
        (request as FastifyRequest).body = undefined;
        request.forgetBody();
        const headers = { "X-Session-ID": turn.sessionId, "X-Message-ID": turn.replyId };
        const told = await reader.about(name);
        if (viewer !== null) {
          viewer.show(request, reply, {
            headers,
            fields: { replyId: turn.replyId },
            open: openView(openReply(turn.replyId, 0), responseProjection(told)),
          });
          return undefined;
        }
        void reply.headers(headers);
        const signal = goneSignal(reply);
        if (background !== true) {
          for await (const _ of view(follow(turn.replyId, 0, signal), responseProjection(told)));
          signal.throwIfAborted();
        }
        return reply.send(await asItIs(told, signal));
      },
    );

    // What there is at OpenAI and nothing of is here: clients are told so, and the document of what is here does not have it.
    const schema = { hide: true };
    for (const path of ["/v1/responses/compact", "/v1/responses/input_tokens"]) {
      app.post(path, { schema }, async () => {
        throw new Problem("unsupported", { what: `POST ${path}` });
      });
    }

    app.get(
      "/v1/responses/:response_id",
      {
        schema: {
          tags,
          security,
          summary: "A response as it is now, or its stream from any event on",
          params,
          querystring: Type.Object({
            stream: Type.Optional(Type.Boolean()),
            starting_after: Type.Optional(
              Type.Integer({
                minimum: 0,
                description: "`sequence_number` of the last event seen.",
              }),
            ),
          }),
          response: { ...stream, ...errorResponses(...ofOne, "overloaded") },
        },
      },
      async (request, reply) => {
        await requireAction(request, identity, "access_chat_session");
        const told = await owned(request, reply, request.params.response_id);
        if (request.query.stream !== true) {
          return reply.send(await asItIs(told, goneSignal(reply)));
        }
        const after = request.query.starting_after ?? -1;
        using viewer = sse.admit(request);
        viewer.show(request, reply, {
          headers: { "X-Session-ID": told.sessionId, "X-Message-ID": told.messageId },
          fields: { replyId: told.messageId },
          open: openView(openReply(told.messageId, 0), responseProjection(told), after),
        });
        return undefined;
      },
    );

    app.post(
      "/v1/responses/:response_id/cancel",
      {
        schema: {
          tags,
          security,
          summary: "Stop a response; one that is over stays as it is",
          params,
          response: { ...whole, ...errorResponses(...ofOne) },
        },
      },
      async (request, reply) => {
        await requireAction(request, identity, "send_message");
        const told = await owned(request, reply, request.params.response_id);
        const named = { messageId: told.messageId, userId: userOf(request) };
        await commands.cancel(request, named).catch((error: unknown) => {
          if (error instanceof Problem && error.type === "message_not_running") return;
          throw error;
        });
        return reply.send(await asItIs(told, goneSignal(reply)));
      },
    );

    app.delete(
      "/v1/responses/:response_id",
      {
        schema: {
          tags,
          security,
          summary: "Delete a response, its question and what followed them",
          params,
          response: {
            200: Type.Object({
              id: Type.String(),
              object: Type.Literal("response"),
              deleted: Type.Literal(true),
            }),
            ...errorResponses(...ofOne),
          },
        },
      },
      async (request, reply) => {
        await requireAction(request, identity, "access_chat_session");
        const told = await owned(request, reply, request.params.response_id);
        const { replyTo } = await found(told.messageId);
        const named = { messageId: replyTo ?? told.messageId, userId: userOf(request) };
        await commands.remove(request, named);
        const id = request.params.response_id;
        return { id, object: "response" as const, deleted: true as const };
      },
    );

    app.get(
      "/v1/responses/:response_id/input_items",
      {
        schema: {
          tags,
          security,
          summary: "What a response answers",
          params,
          querystring: Type.Object({
            after: Type.Optional(Type.String({ maxLength: 200 })),
            include: Type.Optional(Type.Unknown()),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
            order: Type.Optional(Type.Union([Type.Literal("asc"), Type.Literal("desc")])),
          }),
          response: {
            200: Type.Object({
              object: Type.Literal("list"),
              data: Type.Array(Type.Unknown()),
              first_id: Type.Union([Type.String(), Type.Null()]),
              last_id: Type.Union([Type.String(), Type.Null()]),
              has_more: Type.Literal(false),
            }),
            ...errorResponses(...ofOne),
          },
        },
      },
      async (request, reply) => {
        await requireAction(request, identity, "access_chat_session");
        const told = await owned(request, reply, request.params.response_id);
        const { replyTo } = await found(told.messageId);
        const { messageId, content, attachments } = await found(replyTo ?? "");
        const id = `msg_${messageId}`;
        const item = {
          id,
          type: "message",
          role: "user",
          status: "completed",
          content: [
            { type: "input_text", text: content },
            ...(attachments ?? []).map((file) => ({
              type: "input_file",
              file_id: file.attachment_id,
              filename: file.name,
            })),
          ],
        };
        const { after } = request.query;
        if (after !== undefined && after !== id) {
          throw new Problem("message_not_found", { messageId: after });
        }
        const data = after === id ? [] : [item];
        const [first_id = null] = data.map((each) => each.id);
        return {
          object: "list" as const,
          data,
          first_id,
          last_id: first_id,
          has_more: false as const,
        };
      },
    );
  };
}
