import type { FastifyReply, FastifyRequest } from "fastify";
import type { Commands } from "../../../chat/commands.ts";
import type { MessageStore, StoredMessage } from "../../../chat/message-store.ts";
import { goneSignal } from "../../../http/gone-signal.ts";
import { timeOfId } from "../../../lib/ids.ts";
import { Problem } from "../../../problems/problem.ts";
import type { FollowReply } from "../../../replies/reading/follow-reply.ts";
import { userOf } from "../../caller.ts";
import { folded } from "../../view.ts";
import { createParts } from "./parts.ts";
import {
  isOver,
  responseOf,
  responseProjection,
  type ResponseEcho,
  type ResponseName,
  type ResponseObject,
  type ResponseOptions,
} from "./project.ts";
import { nameOf } from "./request.ts";

interface ReaderParts {
  readonly commands: Pick<Commands, "state">;
  readonly follow: FollowReply;
  readonly messages: Pick<MessageStore, "find">;
}

export type ResponseReader = ReturnType<typeof createResponseReader>;

/** Responses that there are: those of replies that are stored. */
export function createResponseReader({ commands, follow, messages }: ReaderParts) {
  const parts = createParts(follow);

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

  /** A response that exists for the caller. */
  const owned = async (
    request: FastifyRequest,
    reply: FastifyReply,
    id: string,
  ): Promise<ResponseOptions> => {
    const name = nameOf(id);
    const named = { messageId: name.messageId, userId: userOf(request) };
    await parts.check(name, await commands.state(request, named), goneSignal(reply));
    return about(name);
  };

  return { found, about, asItIs, owned, parts };
}
