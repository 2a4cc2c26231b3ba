import type { Attachment } from "../../agents/agent-backend.ts";
import type { AttachmentStore } from "../../attachments/attachment-store.ts";
import type { Queryable } from "../../database/database.ts";
import type { IdempotencyKey, IdempotencyStore } from "../../idempotency/idempotency-store.ts";
import type { ClaimedReply } from "../reply.ts";
import type { Turn } from "../turn.ts";
import type { Anchor } from "./anchor.ts";
import type { Claimant } from "./claim.ts";
import type { KnownSessions } from "./known-sessions.ts";
import type { OnBusy } from "./make-place.ts";

/** A session that begins with a message. */
export interface BeginningSession {
  readonly sessionId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly title: string | null;
  /** The title, where nobody has chosen it: a model may find a better one. */
  readonly autoTitle?: string | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What the front end calls it. */
  readonly externalId?: ExternalId | null;
  /** What was said elsewhere before, oldest first. */
  readonly earlier?: readonly EarlierMessage[];
  /** It holds this turn alone, and goes soon after it. */
  readonly isTemporary?: boolean;
}

/** What another program calls a conversation. */
export interface ExternalId {
  /** Whose way of naming it is. */
  readonly namespace: string;
  readonly id: string;
}

/** What a client says was said. */
export interface EarlierMessage {
  readonly role: "user" | "assistant";
  readonly text: string;
}

/** What a user says, as it is stored. */
export interface UserMessage {
  readonly text: string;
  readonly type: "text" | "voice";
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What it says about the audio it was spoken in. */
  readonly audio: object | null;
  /** Files that come with it; null: those of the message that it stands beside. */
  readonly attachments: readonly Attachment[] | null;
}

/** A turn that a user wants, checked as far as that is possible without the database. */
export interface Acceptance {
  readonly replyId: string;
  readonly userMessageId: string;
  readonly sessionId: string;
  /** To be made in the same transaction; null: the session exists. */
  readonly newSession: BeginningSession | null;
  /** Null: whoever owns the session (nobody has proven to be anybody). */
  readonly ownerId: string | null;
  /** Where it hangs. */
  readonly at: Anchor;
  /** Null: another reply to a message that is there. */
  readonly message: UserMessage | null;
  /** For this turn only; undefined: the session's. */
  readonly agentId: string | undefined;
  /** Null: the session's `on_busy`, else enqueue. */
  readonly onBusy: OnBusy | null;
  /** Its reply is to answer this message alone: instead of merging and steering it is enqueued. */
  readonly isAlone?: boolean;
  readonly turn: Omit<Turn, "userId" | "settings" | "hasAttachments">;
  /** Merged into the session's configuration, member by member; absent: nothing. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Raises when the agent cannot do what this message, its files or the configuration ask for. */
  readonly check?: (agentId: string) => void;
  readonly idempotency: IdempotencyKey | null;
  /** Takes the place for it when it starts at once; raises when there is none for a reply of this agent and user. */
  readonly admit: (agentId: string, userId: string) => void;
}

export interface AcceptParts extends Claimant {
  readonly idempotency: Pick<IdempotencyStore, "claim" | "claiming">;
  readonly knownSessions: KnownSessions;
  readonly attachments: Pick<AttachmentStore, "insert" | "copy">;
  /** With numbers for its first `messages` messages taken. */
  readonly insertSession: (
    tx: Queryable,
    session: BeginningSession,
    messages: number,
  ) => Promise<unknown>;
  readonly maxQueued: number;
  /** Whether an agent asks between its steps for what is to be taken in. */
  readonly canSteer: (agentId: string) => boolean;
  /** Whether a message may be the answer to what a reply of this agent asks. */
  readonly answersInWords: (agentId: string) => boolean;
  /** Of messages that are answered together too. */
  readonly maxMessageLength: number;
  readonly maxUploadBytes: number;
}

/** A reply that will be made to a message. */
export interface Accepted extends ClaimedReply {
  /** Number of the last event that was told before the message came. */
  readonly after: number;
}
