import { Type } from "typebox";
import { nullable, timestampSchema } from "../http/schemas.ts";
import { problemCatalogue, type ProblemType } from "../problems/catalogue.ts";
import { Problem } from "../problems/problem.ts";
import {
  AudioResponseSchema,
  ContextSchema,
  RequirementSchema,
  UsageSchema,
} from "../replies/reply-event.ts";
import { outputMembers, outputOf } from "../replies/structured-output.ts";
import type { LoggedEvent } from "../replies/log/reply-log.ts";
import type { SentMessage } from "./commands.ts";
import type { StoredMessage } from "./message-store.ts";
import type { WaitsFor } from "./waits-for-decision.ts";

/** The answer of POST /chat/message and /chat/voice. */
export const answerSchema = Type.Object(
  {
    success: Type.Literal(true),
    session_id: Type.String({ format: "uuid" }),
    message_id: Type.String({ format: "uuid", description: "The assistant's message." }),
    user_message_id: Type.String({ format: "uuid" }),
    response: Type.String(),
    timestamp: timestampSchema,
    agent_id: Type.String(),
    original_message: Type.String(),
    processed_message: nullable(
      Type.String({ description: "The transcript of a spoken message." }),
    ),
    audio_response: nullable(AudioResponseSchema),
    usage: nullable(UsageSchema),
    context: Type.Optional(ContextSchema),
    ...outputMembers,
    finish_reason: Type.String(),
    status: Type.String({ examples: ["complete", "cancelled", "paused"] }),
    requirements: Type.Optional(Type.Array(RequirementSchema)),
  },
  { $id: "Answer", title: "Answer" },
);

/** Given while it waits: as in the `queued` event of its stream. */
const waitingMembers = {
  position: Type.Optional(Type.Integer({ minimum: 1 })),
  reason: Type.Optional(
    Type.Union([Type.Literal("running"), Type.Literal("decision")], {
      description:
        "`decision`: nothing goes on before a person has decided about `requirements` of the reply `waits_for`.",
    }),
  ),
  waits_for: Type.Optional(Type.String({ format: "uuid", description: "The reply in front." })),
  requirements: Type.Optional(Type.Array(RequirementSchema)),
};

/** What a caller is told who does not wait for the answer, or would wait for a person. */
export const acceptedSchema = Type.Object(
  {
    success: Type.Literal(true),
    session_id: Type.String({ format: "uuid" }),
    message_id: Type.String({ format: "uuid", description: "The assistant's message." }),
    user_message_id: Type.String({ format: "uuid" }),
    agent_id: Type.String(),
    processed_message: nullable(
      Type.String({ description: "The transcript of a spoken message." }),
    ),
    status: Type.String({ examples: ["streaming", "queued"] }),
    timestamp: timestampSchema,
    ...waitingMembers,
  },
  { $id: "Accepted", title: "Accepted" },
);

/** The reply as it stands now: it runs, waits, or has ended where the same request came before. */
export function accepted(
  reply: StoredMessage,
  sent: SentMessage,
  processedMessage: string | null,
  waiting: WaitsFor | null = null,
) {
  return {
    success: true as const,
    session_id: reply.sessionId,
    message_id: reply.messageId,
    user_message_id: sent.made?.userMessageId ?? reply.replyTo ?? "",
    agent_id: reply.agentId,
    processed_message: processedMessage,
    status: reply.status,
    timestamp: reply.createdAt.toISOString(),
    // It may have begun meanwhile.
    ...(reply.status === "queued" ? waiting : null),
  };
}

/** Raises the problem that the reply ended in, if it did. */
export function answer(
  reply: StoredMessage,
  question: StoredMessage,
  processedMessage: string | null,
  audioResponse: object | null,
) {
  if (reply.error !== null) throw replyProblem(reply.error, reply.agentId);
  return {
    success: true as const,
    session_id: reply.sessionId,
    message_id: reply.messageId,
    user_message_id: question.messageId,
    response: reply.content,
    timestamp: reply.createdAt.toISOString(),
    agent_id: reply.agentId,
    original_message: question.content,
    processed_message: processedMessage,
    audio_response: audioResponse,
    usage: reply.usage,
    ...(reply.context !== null && { context: reply.context }),
    ...outputOf(reply),
    finish_reason: reply.finishReason ?? "stop",
    status: reply.status,
    ...(reply.requirements !== null && { requirements: reply.requirements }),
  };
}

/** Of a message that was withdrawn before its turn came, and is stored nowhere any more; null when it was not. */
export function withdrawnAnswer(
  { sessionId, replyId, made }: SentMessage,
  end: LoggedEvent | null,
  processedMessage: string | null,
) {
  if (made === undefined || end?.type !== "cancelled") return null;
  const { reason, timestamp } = JSON.parse(end.json) as { reason: string; timestamp: string };
  if (reason !== "withdrawn") return null;
  return {
    success: true as const,
    session_id: sessionId,
    message_id: replyId,
    user_message_id: made.userMessageId,
    response: "",
    timestamp,
    agent_id: made.agentId,
    original_message: made.message,
    processed_message: processedMessage,
    audio_response: null,
    usage: null,
    finish_reason: reason,
    status: "cancelled",
  };
}

/** A stored fault told again, in the language of whoever asks now. */
export function replyProblem(error: NonNullable<StoredMessage["error"]>, agentId: string): Problem {
  const { type, code, data } = error;
  const retry = code === 503 ? { retryAfterSeconds: 5 } : {};
  // The agent's connection broke, which is told as an interruption too.
  if (type === "interrupted" && code !== 503) return new Problem("agent_failed", { agentId });
  if (type in problemCatalogue) return new Problem(type as ProblemType, data ?? {}, retry);
  return new Problem("agent_failed", { agentId });
}
