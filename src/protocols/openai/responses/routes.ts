import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { Catalogue } from "../../../agents/catalogue.ts";
import type { Commands } from "../../../chat/commands.ts";
import { maxMessageBytes } from "../../../chat/message-body.ts";
import type { MessageStore, StoredMessage } from "../../../chat/message-store.ts";
import { requireAction } from "../../../http/caller.ts";
import { goneSignal } from "../../../http/gone-signal.ts";
import { idempotencyHeaders } from "../../../idempotency/idempotency-header.ts";
import type { IdentityProvider } from "../../../identity/identity.ts";
import { timeOfId } from "../../../lib/ids.ts";
import { Problem } from "../../../problems/problem.ts";
import type { FollowReply } from "../../../replies/reading/follow-reply.ts";
import type { SseView } from "../../../replies/reading/sse.ts";
import { conversationName } from "../../conversation-name.ts";
import type { OpenedTurn, ProtocolTurn, TurnOpener } from "../../open-turn.ts";
import { folded, view } from "../../view.ts";
import { keyOf, userOf } from "../caller.ts";
import { readMetadata } from "../metadata.ts";
import { conversationHeaders, errorResponses, security, tags } from "../schemas.ts";
import { settingsFor } from "../settings.ts";
import {
  isOver,
  responseOf,
  responseProjection,
  type ResponseEcho,
  type ResponseName,
  type ResponseObject,
  type ResponseOptions,
  type ResponseState,
} from "./project.ts";
import {
  conversationId,
  formatOf,
  readInput,
  refuseUnsupportedOfResponse,
  responseName,
  type ResponseBody,
} from "./request.ts";
import { responseBody, responseSchema } from "./schemas.ts";

interface ResponseRoutesOptions {
  readonly turns: TurnOpener;
  readonly commands: Pick<Commands, "state" | "cancel" | "remove">;
  readonly follow: FollowReply;
  readonly messages: Pick<MessageStore, "find">;
  readonly catalogue: Pick<Catalogue, "resolve">;
  readonly sse: SseView;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
  readonly maxUploadBytes: number;
  readonly maxBodyBytes: number;
}

const operation = "POST /v1/responses";
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
  const { turns, commands, follow, messages, catalogue, sse, identity } = options;

  const nameOf = (id: string): ResponseName => {
    const name = responseName(id);
    if (name === null) throw new Problem("message_not_found", { messageId: id });
    return name;
  };

  const found = async (messageId: string): Promise<StoredMessage> => {
    const message = await messages.find(messageId);
    if (message === null) throw new Problem("message_not_found", { messageId });
    return message;
  };

  /** What a response says of itself beside what its log tells. */
  const about = async (name: ResponseName): Promise<ResponseOptions> => {
    const reply = await found(name.messageId);
    const question = reply.replyTo === null ? null : await messages.find(reply.replyTo);
    const { response } = (question?.metadata ?? {}) as { response?: ResponseEcho };
    return {
      ...name,
      sessionId: reply.sessionId,
      model: reply.agentId,
      created: Math.floor(timeOfId(reply.messageId) / 1000),
      echo: response ?? {},
      storedCalls: (reply.toolCalls ?? []) as ResponseOptions["storedCalls"],
    };
  };

  /** As it has come to its end, or as it stands in its row while it is made. */
  const asItIs = async (told: ResponseOptions, signal: AbortSignal): Promise<ResponseObject> => {
    const { status, content, reasoning } = await found(told.messageId);
    const projection = responseProjection(told);
    if (status !== "queued" && status !== "streaming") {
      const state = await folded(follow(told.messageId, 0, signal), projection);
      signal.throwIfAborted();
      if (isOver(state)) return responseOf(told, state);
    }
    const [state] = projection.project(
      {
        ...projection.initial,
        segment: told.segment,
        status: status === "queued" ? "queued" : "in_progress",
        hasBegun: true,
      },
      {
        type: "snapshot",
        session_id: told.sessionId,
        message_id: told.messageId,
        timestamp: "",
        content,
        ...(reasoning !== null && { reasoning }),
      },
      0,
    );
    return responseOf(told, status === "queued" ? { ...state, status: "queued" } : state);
  };

  /** How many parts the reply has come to, with the one that waits now. */
  const partsOf = async (told: ResponseOptions, signal: AbortSignal): Promise<number> => {
    const all = responseProjection({ ...told, segment: Number.MAX_SAFE_INTEGER });
    let { segment } = all.initial;
    const onState = (state: ResponseState) => (segment = Math.min(state.segment, 10_000));
    for await (const _ of view(follow(told.messageId, 0, signal), all, { onState }));
    signal.throwIfAborted();
    return segment;
  };

  /**
   * Raises `message_not_found` for a part of a reply that has not come to so many. Where its log is gone nobody knows any
   * more how many there were.
   */
  const checkPart = async (
    { messageId, segment }: ResponseName,
    { status, eventSeq }: Awaited<ReturnType<Commands["state"]>>,
    signal: AbortSignal,
  ): Promise<void> => {
    let parts = 1;
    const stopped = new AbortController();
    const events =
      segment === 1 ? [] : follow(messageId, 0, AbortSignal.any([signal, stopped.signal]));
    try {
      for await (const some of events) {
        for (const { seq, type } of some ?? []) {
          if (type === "snapshot") return;
          // Behind the pause that is open there is nothing yet.
          if (type === "paused" && !(status === "paused" && seq >= eventSeq)) parts += 1;
          if (parts >= segment) return;
          if (seq >= eventSeq) throw notThere({ messageId, segment });
        }
      }
    } finally {
      stopped.abort();
    }
    if (parts < segment) throw notThere({ messageId, segment });
  };

  const open = async (
    request: FastifyRequest<{ Body: ResponseBody }>,
    reply: FastifyReply,
  ): Promise<{ turn: OpenedTurn; name: ResponseName }> => {
    const { body } = request;
    refuseUnsupportedOfResponse(body);
    const metadata = readMetadata(body.metadata);
    const previousId = body.previous_response_id ?? null;
    const isNamed = body.conversation !== undefined && body.conversation !== null;
    if (previousId !== null && isNamed) {
      throw new Problem("bad_request", {
        en: "conversation and previous_response_id cannot both be given.",
        zh: "conversation 与 previous_response_id 不能同时提供。",
      });
    }
    const sessionId = conversationId(body.conversation);
    const input = readInput(body, previousId !== null || sessionId !== null, options);
    await requireAction(request, identity, "send_message");
    const userId = userOf(request);
    const previous = previousId === null ? null : nameOf(previousId);
    const conversation = previous === null && sessionId === null ? conversationName(request) : null;
    const key = keyOf(request, operation, conversation);
    if (input.decisions.length > 0) {
      if (previous === null) {
        throw new Problem("bad_request", {
          en: "What was decided needs previous_response_id: the response that asked for it.",
          zh: "提交决定时需要 previous_response_id，即提出请求的那个响应。",
        });
      }
      const { messageId } = previous;
      const state = await commands.state(request, { messageId, userId });
      await checkPart(previous, state, goneSignal(reply));
      const told = await about({ messageId, segment: previous.segment });
      const isWaiting = state.status === "paused";
      const parts = isWaiting ? await partsOf(told, goneSignal(reply)) : previous.segment + 1;
      const turn = await turns.decide(request, { messageId, userId }, input.decisions, key);
      return { turn, name: { messageId, segment: Math.max(parts, previous.segment + 1) } };
    }
    let place: ProtocolTurn["place"];
    if (previous !== null) {
      const before = await commands.state(request, { messageId: previous.messageId, userId });
      await checkPart(previous, before, goneSignal(reply));
      place = {
        sessionId: before.sessionId,
        at: { kind: "below", messageId: before.replyId },
        interrupts: before.status === "paused",
      };
    } else if (sessionId !== null) place = { sessionId, at: { kind: "head" }, interrupts: false };
    const agent = await catalogue.resolve(body.model ?? undefined);
    const { text, files, earlier, instructions } = input;
    const format = formatOf((body as { text?: unknown }).text);
    const echo: ResponseEcho = {
      ...(body.instructions && { instructions: body.instructions }),
      ...(Object.keys(metadata).length > 0 && { metadata }),
      ...(previousId !== null && { previous_response_id: previousId }),
      ...(body.background === true && { background: true }),
      ...(body.store === false && { store: false }),
      ...(body.temperature !== undefined && { temperature: body.temperature }),
      ...(body.top_p !== undefined && { top_p: body.top_p }),
      ...(body.max_output_tokens !== undefined && { max_output_tokens: body.max_output_tokens }),
    };
    const turn = await turns.open({
      caller: request,
      userId,
      conversation,
      ...(place && { place }),
      isKept: body.store !== false,
      earlier,
      message: {
        text: text.trim() === "" ? files.map(({ name }) => name).join(", ") : text,
        type: "text",
        metadata: { response: echo },
        audio: null,
        attachments: files,
      },
      agentId: agent.agentId,
      ownSettings: settingsFor(
        agent,
        {
          instructions: instructions === "" ? undefined : instructions,
          temperature: body.temperature,
          top_p: body.top_p,
          max_tokens: body.max_output_tokens,
          response_format: format,
        },
        "/text/format",
      ),
      turn: {
        language: request.language,
        requestId: request.id,
        ...(request.traceparent !== undefined && { traceparent: request.traceparent }),
      },
      key,
      isWanted: () => !reply.raw.destroyed && !reply.raw.closed,
    });
    return { turn, name: { messageId: turn.replyId, segment: 1 } };
  };

  /** A response that exists for the caller. */
  const owned = async (
    request: FastifyRequest,
    reply: FastifyReply,
    id: string,
  ): Promise<ResponseOptions> => {
    const name = nameOf(id);
    const named = { messageId: name.messageId, userId: userOf(request) };
    await checkPart(name, await commands.state(request, named), goneSignal(reply));
    return about(name);
  };

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
            ...errorResponses(
              "malformed_json",
              "unsupported_parameter",
              "agent_not_found",
              "session_not_found",
              ...ofOne,
              "session_busy",
              "session_archived",
              "idempotency_conflict",
              "message_not_running",
              "budget_exceeded",
              "queue_full",
              "storage_quota_exceeded",
              "agent_unavailable",
              "overloaded",
              "shutting_down",
            ),
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
        const told = await about(name);
        if (viewer !== null) {
          await viewer.show(request, reply, {
            headers,
            fields: { replyId: turn.replyId },
            follow: (signal) => view(follow(turn.replyId, 0, signal), responseProjection(told)),
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
        await viewer.show(request, reply, {
          headers: { "X-Session-ID": told.sessionId, "X-Message-ID": told.messageId },
          fields: { replyId: told.messageId },
          follow: (signal) =>
            view(follow(told.messageId, 0, signal), responseProjection(told), { after }),
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
        const data = request.query.after === id ? [] : [item];
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

function notThere({ messageId, segment }: ResponseName): Problem {
  return new Problem("message_not_found", { messageId: `resp_${messageId}_${segment}` });
}
