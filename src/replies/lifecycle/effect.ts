import type { ReplyEventBody } from "../reply-event.ts";
import type { Decision, Requirement } from "../../agents/agent-backend.ts";
import type { ReplyStopped } from "../making/reply-stopped.ts";
import type { Ticket } from "./admission.ts";
import type { ClaimedReply } from "../reply.ts";

/** A reply as far as its events are concerned. */
export interface ToldReply {
  readonly replyId: string;
  readonly sessionId: string;
  readonly attempt: number;
}

/** What is to become of a reply that this node has claimed. */
export type StartMode =
  /** Its agent is called. */
  | { readonly kind: "run" }
  | {
      readonly kind: "continue";
      readonly decisions: readonly Decision[];
      /** What was decided, and is open again where its source has not taken the decisions. */
      readonly requirements: readonly Requirement[];
    }
  /** Its agent's run goes on that another node has lost; `requirements` as above, where it had paused. */
  | { readonly kind: "resume"; readonly requirements?: readonly Requirement[] | null }
  /** It ends with what had arrived. */
  | { readonly kind: "end"; readonly why: ReplyStopped };

/**
 * What follows from a transition once it is committed. All of them may be performed twice, and all may be lost with the
 * process: readers find the end in the row, owners find requests with their next checkpoint, and what was to start is
 * found by the next look for lost replies. What may not be lost is a job.
 */
export type Effect =
  /** Appends events to the reply's log, the first one with the number after `after`. */
  | {
      readonly do: "tell";
      readonly reply: ToldReply;
      readonly after: number;
      readonly events: readonly ReplyEventBody[];
    }
  /** Somebody wants something of a reply that runs: its owner looks at the row, wherever it is. */
  | { readonly do: "signal"; readonly replyId: string }
  /** This node holds the lease: it makes the reply. */
  | { readonly do: "start"; readonly reply: ClaimedReply; readonly mode: StartMode }
  /** The session may be free now: what waits in it is started, here if there is room. */
  | { readonly do: "wake"; readonly sessionId: string }
  /** Nothing of the reply's events may stay, once its readers have seen the end. */
  | { readonly do: "drop-log"; readonly replyId: string }
  /** For log and metrics. */
  | {
      readonly do: "count";
      readonly what: "session-created";
      readonly sessionId: string;
      readonly agentId: string;
    }
  | {
      readonly do: "count";
      readonly what: "turn-accepted";
      readonly sessionId: string;
      readonly replyId: string;
      readonly agentId: string;
      readonly type: "text" | "voice";
      readonly queued: boolean;
      /** Messages that it is answered together with. */
      readonly joins?: number;
    };

/** What those who ask for a transition pass on to the replies that it starts. */
export interface Handover {
  /** The place that was taken for it. */
  readonly ticket?: Ticket | undefined;
  /** The caller's own token, for agents that take it; never stored. */
  readonly userToken?: string | undefined;
}
