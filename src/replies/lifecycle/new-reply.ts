import type { ClaimedReply } from "../reply.ts";
import type { ReplyEventBody } from "../reply-event.ts";
import type { Turn } from "../turn.ts";
import type { Acceptance } from "./acceptance.ts";
import type { Question } from "./anchor.ts";
import type { Effect } from "./effect.ts";
import type { Place } from "./make-place.ts";
import { openingEvent } from "./opening.ts";
import { queuedEvent } from "./tell-waiting.ts";

interface NewReply {
  readonly request: Pick<Acceptance, "replyId" | "sessionId">;
  readonly question: Pick<Question, "messageId" | "seq" | "content">;
  /** Answered together with it, oldest first. */
  readonly earlier: readonly Question[];
  readonly agentId: string;
  readonly turn: Turn;
  readonly waits: boolean;
  /** With the reply as its last message. */
  readonly conversation: ClaimedReply["conversation"];
}

/** Of which nothing is made yet. */
export function newReply(given: NewReply): ClaimedReply {
  const { request, question, earlier, agentId, turn, waits, conversation } = given;
  return {
    replyId: request.replyId,
    sessionId: request.sessionId,
    userMessageId: question.messageId,
    agentId,
    attempt: waits ? 0 : 1,
    recoveries: 0,
    eventSeq: waits ? 2 : 1,
    content: "",
    reasoning: "",
    turn,
    backendState: null,
    toolCalls: null,
    media: null,
    extras: null,
    audio: null,
    message: question.content,
    messageSeq: question.seq,
    joined: earlier.map(({ messageId, seq, content }) => ({ messageId, seq, content })),
    seq: conversation.lastSeq,
    conversation,
  };
}

/** The reply is told from its first event on; it starts here unless it waits. */
export function opening(
  reply: ClaimedReply,
  request: Acceptance,
  { queuePosition, waitsFor }: Pick<Place, "queuePosition" | "waitsFor">,
): readonly Effect[] {
  const { replyId, sessionId, agentId } = reply;
  const events: ReplyEventBody[] = [openingEvent(reply)];
  if (queuePosition !== null) events.push(queuedEvent(queuePosition, waitsFor));
  return [
    {
      do: "count",
      what: "turn-accepted",
      sessionId,
      replyId,
      agentId,
      type: request.message?.type ?? "text",
      queued: queuePosition !== null,
    },
    { do: "tell", reply, after: 0, events },
    ...(queuePosition === null ? [{ do: "start", reply, mode: { kind: "run" } } as const] : []),
  ];
}

/** A session without a title is called by the beginning of its first message. */
export function titleOf(message: string): string {
  const line = message.trim().replaceAll(/\s+/g, " ");
  const characters = Array.from(line);
  return characters.length <= 60 ? line : `${characters.slice(0, 59).join("")}…`;
}
