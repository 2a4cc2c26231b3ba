import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Catalogue } from "../../../agents/catalogue.ts";
import { replyProblem } from "../../../chat/answer.ts";
import { maxMessageBytes } from "../../../chat/message-body.ts";
import type { MessageStore } from "../../../chat/message-store.ts";
import { requireAction } from "../../../http/caller.ts";
import { goneSignal } from "../../../http/gone-signal.ts";
import { idempotencyHeaders } from "../../../idempotency/idempotency-header.ts";
import type { IdentityProvider } from "../../../identity/identity.ts";
import { timeOfId } from "../../../lib/ids.ts";
import { Problem } from "../../../problems/problem.ts";
import type { FollowReply, OpenReply } from "../../../replies/reading/follow-reply.ts";
import type { SseView } from "../../../replies/reading/sse.ts";
import { keyOf, userMembers, userOf } from "../../caller.ts";
import { conversationName } from "../../conversation-name.ts";
import type { WatchDisconnect } from "../../disconnect.ts";
import type { OpenedTurn, TurnOpener } from "../../open-turn.ts";
import { turnRefusals } from "../../refusals.ts";
import { folded, openView } from "../../view.ts";
import { conversationHeaders, errorResponses, security, tags } from "../schemas.ts";
import { settingsFor } from "../settings.ts";
import { completionProjection, wholeCompletion } from "./project.ts";
import { readCompletion, type CompletionBody, type CompletionRequest } from "./request.ts";
import { completionBody, completionSchema } from "./schemas.ts";

export interface CompletionRoutesOptions {
  readonly turns: TurnOpener;
  readonly disconnect: WatchDisconnect;
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

const operation = "POST /v1/chat/completions";

const example = `id: 64
data: {"id":"chatcmpl-019b…","object":"chat.completion.chunk","created":1795300000,"model":"general-chat","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}

id: 128
data: {"id":"chatcmpl-019b…","object":"chat.completion.chunk","created":1795300000,"model":"general-chat","choices":[{"index":0,"delta":{"content":"4"},"logprobs":null,"finish_reason":null}]}

id: 192
data: {"id":"chatcmpl-019b…","object":"chat.completion.chunk","created":1795300000,"model":"general-chat","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}

data: [DONE]

`;

/** Chat completions, over the same replies as everything else. */
export function completionRoutes(options: CompletionRoutesOptions): FastifyPluginAsyncTypebox {
  const { turns, disconnect, openReply, follow, messages, catalogue, sse, identity } = options;

  const open = async (
    request: FastifyRequest<{ Body: CompletionBody }>,
    reply: FastifyReply,
    asked: CompletionRequest,
  ): Promise<{ turn: OpenedTurn; model: string }> => {
    const { body } = request;
    const userId = userOf(request);
    const conversation = conversationName(request);
    const key = keyOf(request, operation, conversation);
    const ofKey = request.identity?.onDisconnect;
    if (asked.kind === "decisions") {
      const { messageId, answers } = asked;
      const decisions = answers.map((answer) => ({ ...answer, approved: true }));
      const turn = await turns.decide(request, { messageId, userId }, decisions, key);
      disconnect.watch(reply.raw, turn, { userId, key, ofKey });
      return { turn, model: body.model ?? "" };
    }
    const agent = await catalogue.seenBy(request).resolve(body.model ?? undefined);
    const turn = await turns.open({
      request,
      reply,
      userId,
      conversation,
      isKept: body.store === true,
      earlier: asked.earlier,
      said: asked.said,
      agentId: agent.agentId,
      ownSettings: settingsFor(
        agent,
        {
          instructions: asked.instructions === "" ? undefined : asked.instructions,
          temperature: body.temperature,
          top_p: body.top_p,
          max_tokens: body.max_completion_tokens ?? body.max_tokens,
          presence_penalty: body.presence_penalty,
          frequency_penalty: body.frequency_penalty,
          seed: body.seed,
          stop: body.stop === "" || body.stop?.length === 0 ? undefined : body.stop,
          reasoning_effort: body.reasoning_effort,
          response_format: body.response_format,
        },
        "/response_format",
      ),
      key,
    });
    disconnect.watch(reply.raw, turn, { userId, key, ofKey });
    return { turn, model: agent.agentId };
  };

  /** Of a stored message that ended in a fault. To ask for it again would end likewise. */
  const raise = async (reply: FastifyReply, messageId: string): Promise<never> => {
    const message = await messages.find(messageId);
    void reply.header("x-should-retry", "false");
    if (message === null || message.error === null) {
      throw new Problem("message_not_found", { messageId });
    }
    throw replyProblem(message.error, message.agentId);
  };

  return async (app) => {
    app.post(
      "/v1/chat/completions",
      {
        bodyLimit: maxMessageBytes(options.maxBodyBytes, options.maxUploadBytes),
        config: { userMembers },
        schema: {
          tags,
          security,
          summary: "A chat completion by an agent, whole or as a stream",
          headers: {
            ...idempotencyHeaders,
            properties: { ...idempotencyHeaders.properties, ...conversationHeaders },
          },
          body: completionBody,
          response: {
            200: {
              description: "With `stream: true` as server-sent events.",
              headers: {
                "X-Session-ID": { type: "string" },
                "X-Message-ID": { type: "string" },
              },
              content: {
                "application/json": { schema: completionSchema },
                "text/event-stream": { schema: { type: "string" }, example },
              },
            },
            ...errorResponses(...turnRefusals, "agent_failed", "agent_timeout"),
          },
        },
      },
      async (request, reply) => {
        const isStream = request.body.stream === true;
        using viewer = isStream ? sse.admit(request) : null;
        const asked = readCompletion(request.body, options);
        await requireAction(request, identity, "send_message");
        const includesUsage = request.body.stream_options?.include_usage === true;
        const { turn, model } = await open(request, reply, asked);
        const { replyId, sessionId, after, shown } = turn;
        // Files are stored by now, and a request lives as long as its stream.
        (request as FastifyRequest).body = undefined;
        request.forgetBody();
        const shownText =
          shown === 0 ? "" : ((await messages.find(replyId))?.content ?? "").slice(0, shown);
        const created = Math.floor(timeOfId(replyId) / 1000);
        const about = { messageId: replyId, created, model, includesUsage, shown: shownText };
        const projection = completionProjection(about);
        if (viewer !== null) {
          viewer.show(request, reply, {
            headers: { "X-Session-ID": sessionId, "X-Message-ID": replyId },
            fields: { replyId },
            open: openView(openReply(replyId, after), projection),
          });
          return undefined;
        }
        const signal = goneSignal(reply);
        const state = await folded(follow(replyId, after, signal), projection);
        signal.throwIfAborted();
        if (state.finishReason === null || state.finishReason === "error") {
          return raise(reply, replyId);
        }
        void reply.headers({ "X-Session-ID": sessionId, "X-Message-ID": replyId });
        return wholeCompletion(about, state);
      },
    );
  };
}
