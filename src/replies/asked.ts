import type { Decision } from "../agents/agent-backend.ts";

/** So many messages of the user are answered as one at most. */
export const maxTogether = 50;

/** A message of the user in front of the one that a reply is to, answered together with it. */
export interface JoinedMessage {
  readonly messageId: string;
  readonly seq: number;
  readonly content: string;
}

/** What a reply answers, as its agent is told it. */
export function joinedText(texts: readonly string[]): string {
  return texts.join("\n\n");
}

/** The ids of the messages in front of the one that a reply is to, as SQL: a uuid[]. */
export const earlierIds = (turn: string) =>
  `ARRAY(SELECT jsonb_array_elements_text(${turn} -> 'joins')::uuid)`;

/** The same messages, oldest first, as a column. */
export const joinedMessages = (sessionId: string, turn: string) => `
  coalesce((
    SELECT jsonb_agg(jsonb_build_object('messageId', e.message_id, 'seq', e.seq, 'content', e.content) ORDER BY e.seq)
    FROM messages e WHERE e.session_id = ${sessionId} AND e.message_id = ANY(${earlierIds(turn)})), '[]') AS joined`;

/** The turn of a user's message that was the answer to what a paused reply asks: it has no reply of its own. */
export interface AnswerTurn {
  readonly answers: {
    readonly replyId: string;
    /** Number of the last event of that reply before it. */
    readonly after: number;
    readonly decisions: readonly Decision[];
  };
}

/** Whether a row of messages is such a message, as SQL: its agent was told it as a decision, and is never told it again. */
export const isAnswer = `coalesce(turn ? 'answers', false)`;
