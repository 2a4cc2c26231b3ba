import type { FastifyReply } from "fastify";
import { goneSignal } from "../http/gone-signal.ts";
import { acceptedAsync, acceptedLater, prefersAsync } from "../http/prefer.ts";
import { Problem } from "../problems/problem.ts";
import { accepted, answer, withdrawnAnswer } from "./answer.ts";
import type { Commands, SentMessage } from "./commands.ts";
import type { MessageStore, StoredMessage } from "./message-store.ts";
import { waitsForDecision } from "./waits-for-decision.ts";

export type WholeAnswer = (
  sent: SentMessage,
  response: FastifyReply,
) => Promise<ReturnType<typeof answer> | ReturnType<typeof accepted>>;

/**
 * The whole reply, as soon as it has ended; how it stands now for who prefers not to wait, and where it waits for a
 * person's decision about an earlier one. Raises the problem that it
 * ended in, and `message_not_found` when it was deleted meanwhile.
 */
export function createWholeAnswer(
  commands: Pick<Commands, "answered" | "waitsFor">,
  messages: Pick<MessageStore, "find">,
  audioResponse: (reply: StoredMessage) => Promise<object | null>,
): WholeAnswer {
  const found = async (messageId: string): Promise<StoredMessage> => {
    const message = await messages.find(messageId);
    if (message === null) throw new Problem("message_not_found", { messageId });
    return message;
  };
  return async (sent, response) => {
    if (prefersAsync(response.request)) {
      acceptedAsync(response, `/chat/message/${sent.replyId}`);
      const waiting = await commands.waitsFor(sent);
      return accepted(await found(sent.replyId), sent, null, waiting);
    }
    const { replyId, end } = await commands.answered(sent, goneSignal(response));
    const waiting = waitsForDecision(end);
    if (waiting !== null) {
      acceptedLater(response, `/chat/message/${replyId}`);
      return accepted(await found(replyId), sent, null, waiting);
    }
    const withdrawn = withdrawnAnswer(sent, end, null);
    if (withdrawn !== null) return withdrawn;
    const reply = await found(replyId);
    // Of messages that were answered together, the caller's own; it may have been withdrawn alone.
    const own = sent.made?.userMessageId ?? reply.replyTo ?? "";
    const question = (await messages.find(own)) ?? (await found(reply.replyTo ?? ""));
    return answer(reply, question, null, await audioResponse(reply));
  };
}
