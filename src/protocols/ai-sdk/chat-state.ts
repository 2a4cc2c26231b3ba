import type { ReplyEvent } from "../../replies/reply-event.ts";
import type { Media, Speech } from "./parts.ts";
import type { Call, Chunk, StoredCall } from "./tool-parts.ts";

/** What a client has answered of what a reply had waited for, by the id of the part that it has. */
export interface AnsweredPart {
  readonly toolCallId: string;
  /** Null: it is no approval, but what a tool of the client has given. */
  readonly isApproved: boolean | null;
}

export interface ChatOptions {
  readonly messageId: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly createdAt: Date;
  /** What follows this event is shown: of what is before, the client has a message that goes on. */
  readonly after?: number;
  /** The text up to there, for when the log begins later. */
  readonly shown?: string;
  readonly answered?: readonly AnsweredPart[];
  /** What the row has beside its text, for when that is all the log knows any more. */
  readonly stored?: {
    readonly toolCalls?: readonly StoredCall[];
    readonly media?: readonly Media[];
    readonly audio?: Speech | null;
  };
}

/** A part of the message that comes again when its step begins anew; its text does not. */
export type Item =
  | {
      readonly kind: "thought";
      readonly id: string;
      readonly from: number;
      readonly to: number;
      readonly by: string;
    }
  | { readonly kind: "call"; readonly id: string }
  | { readonly kind: "chunk"; readonly chunk: Chunk };

export interface ChatState {
  readonly hasBegun: boolean;
  readonly isOver: boolean;
  /** All of the reply's text and thinking that the log has told. */
  readonly content: string;
  readonly reasoning: string;
  /** How much of the text is in steps before this one, which cannot be taken back. */
  readonly settled: number;
  /** What is being written, and where in the thinking it began. */
  readonly open:
    | { readonly kind: "text"; readonly id: string }
    | { readonly kind: "thought"; readonly id: string; readonly from: number; readonly by: string }
    | null;
  readonly counts: {
    readonly text: number;
    readonly thought: number;
    readonly sources: number;
    readonly custom: number;
    readonly steered: number;
  };
  readonly calls: readonly Call[];
  readonly items: readonly Item[];
  readonly paused: Extract<ReplyEvent, { type: "paused" }> | null;
}

export const initialState: ChatState = {
  hasBegun: false,
  isOver: false,
  content: "",
  reasoning: "",
  settled: 0,
  open: null,
  counts: { text: 0, thought: 0, sources: 0, custom: 0, steered: 0 },
  calls: [],
  items: [],
  paused: null,
};
