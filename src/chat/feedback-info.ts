import { Type } from "typebox";
import { nullable, timestampSchema } from "../http/schemas.ts";
import type { GivenFeedback } from "./feedback-store.ts";

export const maxFeedbackTags = 20;
export const feedbackTagSchema = Type.String({ minLength: 1, maxLength: 40, pattern: "\\S" });
export const ratingSchema = Type.Union([Type.Literal("up"), Type.Literal("down")]);

/** `feedback` of a message on the wire. */
export const feedbackSchema = Type.Object({
  rating: ratingSchema,
  tags: Type.Array(Type.String()),
  comment: nullable(Type.String()),
  timestamp: timestampSchema,
});

/** One of all feedback, with what was asked and answered. */
export const givenFeedbackSchema = Type.Object({
  message_id: Type.String({ format: "uuid" }),
  session_id: Type.String({ format: "uuid" }),
  user_id: Type.String(),
  agent_id: Type.String(),
  model: nullable(Type.String()),
  ...feedbackSchema.properties,
  question: nullable(Type.String({ description: "Null: it was deleted." })),
  answer: Type.String(),
});

export function feedbackInfo(given: GivenFeedback) {
  return {
    message_id: given.messageId,
    session_id: given.sessionId,
    user_id: given.userId,
    agent_id: given.agentId,
    model: given.model,
    ...given.feedback,
    question: given.question,
    answer: given.answer,
  };
}
