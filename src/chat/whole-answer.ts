import type { FastifyReply } from "fastify";
import { goneSignal } from "../http/gone-signal.ts";
import { Problem } from "../problems/problem.ts";
import { answer } from "./answer.ts";
import type { Commands, SentMessage } from "./commands.ts";
import type { MessageStore, StoredMessage } from "./message-store.ts";

export type WholeAnswer = (
  sent: SentMessage,
  response: FastifyReply,
) => Promise<ReturnType<typeof answer>>;

/** The whole reply, as soon as it has ended. Raises the problem that it ended in, and `message_not_found` when it was deleted meanwhile. */
export function createWholeAnswer(
  commands: Pick<Commands, "ended">,
  messages: Pick<MessageStore, "find">,
  audioResponse: (reply: StoredMessage) => Promise<object | null>,
): WholeAnswer {
  const found = async (messageId: string): Promise<StoredMessage> => {
    const message = await messages.find(messageId);
    if (message === null) throw new Problem("message_not_found", { messageId });
    return message;
  };
  return async ({ replyId }, response) => {
    await commands.ended(replyId, goneSignal(response));
    const reply = await found(replyId);
    const question = await found(reply.replyTo ?? "");
    return answer(reply, question, null, await audioResponse(reply));
  };
}
