import type { Language } from "../problems/catalogue.ts";
import type { LoggedEvent } from "../replies/log/reply-log.ts";
import type { ReplyState } from "../replies/reply.ts";

/** A message made of speech. */
export interface SpokenMessage {
  /** As `chat` of the same connection: where to, for whom, how to answer. */
  readonly body: Readonly<Record<string, unknown>>;
  /** What the stored user message says about its recording. */
  readonly audio: object;
}

/** A reply that a connection shows. */
export interface FollowedReply {
  readonly replyId: string;
  /** The first event shown is the one after this. */
  readonly after: number;
  /** Speech was asked for with it. */
  readonly isSpoken: boolean;
  /** The client may have heard some of it elsewhere. */
  readonly isResumed: boolean;
}

/** What a spoken conversation may do with the connection that it runs over. */
export interface ConversationLine {
  readonly language: Language;
  /** Of the whole connection; null when it has none. */
  readonly sessionId: string | null;
  /** Sends a message; what cannot be sent any more is dropped. */
  send(message: object): void;
  /** Tells the client what went wrong, with `fields` beside it, and goes on. */
  tell(error: unknown, fields?: object): void;
  /** Raises what is told to a caller who may not send messages (any more). */
  authorize(): Promise<unknown>;
  /** Raises what `say` would raise for such a message before it is stored. */
  check(body: Readonly<Record<string, unknown>>): Promise<void>;
  /** Stores a message and shows its reply. Raises what `chat` raises. */
  say(message: SpokenMessage): Promise<ReplyState>;
}

/** Speech on one connection: sound in, who speaks when, what of a reply has been heard. */
export interface SpokenConversation {
  /** A message of one of `spokenMessageTypes`. Raises what is told to the client. */
  receive(message: Readonly<Record<string, unknown>>): Promise<void>;
  /** A binary frame. Raises what is told to the client. */
  sound(frame: Uint8Array): void;
  /** A reply is shown from now on. */
  following(reply: FollowedReply): void;
  /** An event was sent to the client. */
  shown(replyId: string, event: LoggedEvent): void;
  /** The connection is gone. What was said completely is still answered. */
  close(): void;
}

export const spokenMessageTypes = [
  "voice_start",
  "voice_commit",
  "voice_stop",
  "played",
  "interrupt",
] as const;

export type OpenSpokenConversation = (line: ConversationLine) => SpokenConversation;
