import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { mayAccess, requireAction, requireAdmin, type Caller } from "../http/caller.ts";
import { decodeCursor, encodeCursor, isMoment } from "../http/cursor.ts";
import { problemResponses } from "../http/problem-docs.ts";
import { idParameter, nullable, ref } from "../http/schemas.ts";
import { bodyOf } from "../http/send-pieces.ts";
import type { IdentityProvider } from "../identity/identity.ts";
import { isId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import {
  feedbackInfo,
  feedbackTagSchema,
  givenFeedbackSchema,
  maxFeedbackTags,
  ratingSchema,
} from "./feedback-info.ts";
import type { FeedbackFilter, FeedbackPosition, FeedbackStore } from "./feedback-store.ts";
import { messageInfo } from "./message-info.ts";
import type { MessageStore } from "./message-store.ts";
import { moment } from "../http/moment.ts";

interface FeedbackRoutesOptions {
  readonly feedback: FeedbackStore;
  readonly messages: Pick<MessageStore, "find">;
  readonly identity: IdentityProvider;
  readonly telemetry: Pick<Telemetry, "rated">;
}

const security = [{ bearer: [] }, { apiKey: [] }, {}];
const jsonLines = "application/jsonl";
/** Read at a time where all of it is sent. */
const linesAtOnce = 100;

const feedbackQuery = Type.Object({
  agent_id: Type.Optional(Type.String({ maxLength: 200 })),
  rating: Type.Optional(ratingSchema),
  since: Type.Optional(Type.String({ format: "date-time" })),
  cursor: Type.Optional(Type.String({ maxLength: 500 })),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 200,
      description: "50 where nothing is said; of JSON Lines: all there is.",
    }),
  ),
});

const pageSchema = Type.Object({
  success: Type.Literal(true),
  feedback: Type.Array(givenFeedbackSchema),
  pagination: Type.Object({
    limit: Type.Integer(),
    has_more: Type.Boolean(),
    next_cursor: nullable(Type.String()),
  }),
});

/** Not told to the compiler: what is sent depends on what was asked for. */
const pageResponse: object = {
  description: "A page, or all of it as JSON Lines.",
  content: {
    "application/json": { schema: pageSchema },
    [jsonLines]: { schema: Type.String() },
  },
};

/** Users say what they think of a reply; administrators see what all of them have said. */
export function feedbackRoutes(options: FeedbackRoutesOptions): FastifyPluginAsyncTypebox {
  const { feedback, messages, identity, telemetry } = options;

  const found = async (caller: Caller, messageId: string, named: string | undefined) => {
    const message = isId(messageId) ? await messages.find(messageId) : null;
    // Others may look at it, but have no opinion in the owner's name unless they say so.
    const owner = caller.identity === null ? message?.userId : (named ?? caller.identity.userId);
    if (
      message === null ||
      message.userId !== owner ||
      !(await mayAccess(caller, message.userId, named))
    ) {
      throw new Problem("message_not_found", { messageId });
    }
    return message;
  };

  async function* linesOf(
    filter: FeedbackFilter,
    start: FeedbackPosition | undefined,
    limit: number,
  ): AsyncGenerator<string> {
    let after = start;
    for (let left = limit; left > 0;) {
      const page = await feedback.list(filter, { limit: Math.min(left, linesAtOnce), after });
      for (const given of page.feedback) yield `${JSON.stringify(feedbackInfo(given))}\n`;
      const last = page.feedback.at(-1);
      if (!page.hasMore || last === undefined) return;
      left -= page.feedback.length;
      after = positionOf(last);
    }
  }

  return async (app) => {
    app.put(
      "/chat/message/:message_id/feedback",
      {
        schema: {
          tags: ["Messages"],
          security,
          summary: "Say what one thinks of a reply",
          description:
            "In place of what was said before; `rating: null` takes it back. Only whoever owns the session may.",
          params: Type.Object({ message_id: idParameter("An assistant message.") }),
          querystring: Type.Object({
            user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
          }),
          body: Type.Object(
            {
              rating: nullable(ratingSchema),
              tags: Type.Optional(Type.Array(feedbackTagSchema, { maxItems: maxFeedbackTags })),
              comment: Type.Optional(nullable(Type.String({ maxLength: 4_000 }))),
            },
            { examples: [{ rating: "down", tags: ["wrong"], comment: "2 + 2 is 4." }] },
          ),
          response: {
            200: ref("Message"),
            ...problemResponses("malformed_json", "message_not_found"),
          },
        },
      },
      async (request) => {
        const messageId = request.params.message_id;
        const { rating, tags = [], comment } = request.body;
        await requireAction(request, identity, "access_chat_session");
        const message = await found(request, messageId, request.query.user_id);
        if (message.role !== "assistant") {
          const details = [
            {
              path: "/message_id",
              message: "must name an assistant message",
              zh: "必须是助手的消息",
            },
          ];
          throw new Problem("validation_failed", {}, { details });
        }
        const { sessionId, agentId } = message;
        const given =
          rating === null
            ? null
            : {
                rating,
                tags: [...new Set(tags.map((tag) => tag.trim()))],
                comment: comment?.trim() ? comment : null,
                timestamp: new Date().toISOString(),
              };
        const rated = await feedback.put({ ...message, messageId }, given);
        if (rated === null) throw new Problem("message_not_found", { messageId });
        const { model } = rated;
        if (given !== null && given.rating !== message.feedback?.rating) {
          telemetry.rated({ sessionId, replyId: messageId, agentId, model, rating: given.rating });
        }
        return messageInfo({ ...message, feedback: given });
      },
    );

    app.get(
      "/feedback",
      {
        schema: {
          tags: ["Messages"],
          security,
          summary: "What users think of replies, newest first (admin)",
          description:
            "With the question and the answer. With `Accept: application/jsonl` one object a line, all of them behind `cursor`.",
          querystring: feedbackQuery,
          response: {
            200: pageResponse,
            ...problemResponses(),
          },
        },
      },
      async (request, reply) => {
        await requireAdmin(request);
        await requireAction(request, identity, "manage_sessions");
        const { query } = request;
        const filter = {
          agentId: query.agent_id,
          rating: query.rating,
          since: moment("since", query.since),
        };
        const after =
          query.cursor === undefined ? undefined : decodeCursor(query.cursor, isFeedbackPosition);
        if (request.headers.accept?.includes(jsonLines) === true) {
          const lines = bodyOf(request, linesOf(filter, after, query.limit ?? Infinity));
          return reply.type(jsonLines).header("Cache-Control", "no-store").send(lines);
        }
        const limit = query.limit ?? 50;
        const page = await feedback.list(filter, { limit, after });
        const last = page.feedback.at(-1);
        return reply.send({
          success: true as const,
          feedback: page.feedback.map(feedbackInfo),
          pagination: {
            limit,
            has_more: page.hasMore,
            next_cursor: page.hasMore && last !== undefined ? encodeCursor(positionOf(last)) : null,
          },
        });
      },
    );
  };
}

/** Moments of feedback are whole milliseconds. */
function positionOf({ createdAt, messageId }: { createdAt: Date; messageId: string }) {
  return { createdAt: createdAt.toISOString().replace("Z", "000Z"), messageId };
}

function isFeedbackPosition(value: unknown): value is FeedbackPosition {
  if (typeof value !== "object" || value === null) return false;
  const { createdAt, messageId } = value as Partial<FeedbackPosition>;
  return isMoment(createdAt) && typeof messageId === "string" && isId(messageId);
}
