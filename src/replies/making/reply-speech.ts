import type { ReplyEventBody } from "../reply-event.ts";
import type { ClaimedReply } from "../reply.ts";

/** Says one reply while it is being written. */
export interface ReplySpeech {
  /** The next piece of the reply's text. */
  push(text: string): void;
  /** The text is complete, or stops for a person to decide; resolves with what the message stores about its audio, after the last event was emitted. */
  finish(): Promise<object | null>;
  /** Stops synthesis at once; nothing is emitted any more. May be called after `finish`. */
  stop(): void;
}

/** Speech for replies that ask for it; null for those that do not. A failure of speech never fails the reply. */
export type SpeakReply = (
  reply: ClaimedReply,
  emit: (event: ReplyEventBody) => void,
) => ReplySpeech | null;
