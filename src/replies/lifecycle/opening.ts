import type { ReplyEventBody } from "../reply-event.ts";
import type { ClaimedReply } from "../reply.ts";

/** Always the first event of a reply. */
export function openingEvent(
  reply: Pick<ClaimedReply, "replyId" | "userMessageId" | "message"> & {
    readonly turn: Pick<ClaimedReply["turn"], "processedMessage">;
  },
): ReplyEventBody {
  const { processedMessage } = reply.turn;
  return {
    type: "user_message",
    message: reply.message,
    user_message_id: reply.userMessageId,
    reply_message_id: reply.replyId,
    ...(processedMessage !== undefined && { processed_message: processedMessage }),
  };
}
