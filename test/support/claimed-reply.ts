import type { ClaimedReply } from "../../src/replies/reply.ts";

/** A reply that has just been claimed, but for what is given. */
export function claimedReply(changes: Partial<ClaimedReply> = {}): ClaimedReply {
  return {
    replyId: "r",
    sessionId: "s",
    userMessageId: "u",
    agentId: "agent",
    attempt: 1,
    recoveries: 0,
    eventSeq: 1,
    content: "",
    reasoning: "",
    turn: { userId: "ann", language: "en", requestId: "q", settings: {} },
    backendState: null,
    toolCalls: null,
    media: null,
    extras: null,
    audio: null,
    message: "hello",
    messageSeq: 1,
    joined: [],
    seq: 2,
    conversation: { lastSeq: 2, tree: null },
    ...changes,
  };
}
