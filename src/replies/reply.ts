import type { Requirement } from "../agents/agent-backend.ts";
import type { JoinedMessage } from "./asked.ts";
import type { TreeRow } from "../tree/tree.ts";
import type { Spent } from "../agents/spent.ts";
import type { Extras } from "./extras.ts";
import type { OutputFormat } from "./structured-output.ts";
import type { Turn } from "./turn.ts";

/** A reply that this node may now make: it holds the lease of this attempt. */
export interface ClaimedReply {
  readonly replyId: string;
  readonly sessionId: string;
  readonly userMessageId: string;
  readonly agentId: string;
  readonly attempt: number;
  /** How often it was taken over since its text has last grown in its row. */
  readonly recoveries: number;
  /** Number of the last event known to be covered by `content`. */
  readonly eventSeq: number;
  readonly content: string;
  readonly reasoning: string;
  readonly turn: Turn;
  readonly backendState: Readonly<Record<string, unknown>> | null;
  readonly toolCalls: readonly StoredToolCall[] | null;
  readonly media: readonly object[] | null;
  readonly extras: Extras | null;
  /** Its speech up to a pause. */
  readonly audio: object | null;
  readonly message: string;
  readonly messageSeq: number;
  /** What it answers together with that message, oldest first. */
  readonly joined: readonly JoinedMessage[];
  /** Its own number. */
  readonly seq: number;
  /** As it was when the reply was claimed: what the path to it is read from. */
  readonly conversation: TreeRow;
}

/** A user's message that has become part of a running reply. */
export interface TakenIn {
  readonly messageId: string;
  readonly content: string;
  readonly hasAttachments: boolean;
}

/** A stored tool call, as messages show it. */
export interface StoredToolCall {
  readonly tool_call_id: string;
  readonly name: string;
  status: "started" | "completed" | "failed";
  arguments?: unknown;
  result?: unknown;
  readonly agent_id: string;
}

/** What a reply has come to so far: the content of a checkpoint. */
export interface ReplyProgress {
  readonly content: string;
  readonly reasoning: string;
  readonly eventSeq: number;
  readonly toolCalls: readonly StoredToolCall[];
  readonly media: readonly object[];
  readonly extras: Extras;
  readonly backendState: Readonly<Record<string, unknown>> | null;
}

/** How much of the conversation a reply's model was sent. */
export interface ReplyContext {
  readonly messages: number;
  readonly estimated_tokens: number;
  readonly dropped: number;
  /** Absent: summaries are of no use there. */
  readonly summarised?: number;
}

/** How a reply ended, or why it stopped for now. */
export interface ReplyEnd {
  readonly status: "complete" | "cancelled" | "interrupted" | "failed" | "paused";
  readonly finishReason: string;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number } | null;
  /** The same by model; absent or empty: nothing is known. */
  readonly spent?: readonly Spent[];
  /** What its model was sent; absent where nobody said. */
  readonly context?: ReplyContext | null;
  /** The form that was asked for, of a reply that has come to its end. */
  readonly outputFormat?: OutputFormat | null;
  readonly error: {
    readonly type: string;
    readonly code: number;
    readonly message: string;
    /** What the problem was built from, so that it can be told again in another language. */
    readonly data: unknown;
  } | null;
  readonly requirements: readonly Requirement[] | null;
  readonly audio: object | null;
  readonly durationMs: number;
  readonly timeToFirstTokenMs: number | null;
}

/** The state of a reply as a view needs it. */
export interface ReplyState {
  readonly replyId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly status: string;
  readonly attempt: number;
  readonly eventSeq: number;
  readonly content: string;
  readonly reasoning: string;
  readonly extras: Extras | null;
  readonly finishReason: string | null;
  readonly usage: ReplyEnd["usage"];
  readonly context: ReplyContext | null;
  readonly outputFormat: OutputFormat | null;
  readonly error: ReplyEnd["error"];
  readonly requirements: readonly Requirement[] | null;
  readonly durationMs: number | null;
  readonly timeToFirstTokenMs: number | null;
  readonly userMessageId: string;
  readonly userMessage: string;
  readonly turn: Turn | null;
  readonly backendState: Readonly<Record<string, unknown>> | null;
  readonly createdAt: Date;
  /** Somebody wants the running reply to stop, and why. */
  readonly cancelReason: string | null;
}

/** A message as the agent is told of it. */
export interface HistoryMessage {
  readonly role: "user" | "assistant" | "system";
  readonly content: string;
  readonly status: string;
  readonly agentId: string | null;
  readonly seq: number;
  /** Of a reply: what its agent was sent. */
  readonly context: ReplyContext | null;
  readonly files?: readonly {
    readonly id: string;
    readonly name: string;
    readonly mediaType: string;
    readonly size: number;
  }[];
  /** What was said up to `seq`, in few words. */
  readonly isSummary?: boolean;
}
