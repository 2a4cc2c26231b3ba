import type { JsonObject } from "../lib/json-shape.ts";

/**
 * Something that has to happen outside the database because of what was committed in it, however often it is tried and
 * whichever node does it. Doing it twice does no harm. Holds ids and states, never what somebody wrote.
 */
export type Job =
  /** Nobody will go on with this run: its source may let go of it. */
  | {
      readonly type: "abandon-run";
      readonly data: {
        readonly replyId: string;
        readonly attempt: number;
        readonly sessionId: string;
        readonly userId: string;
        readonly agentId: string;
        readonly requestId: string;
        readonly language: string;
        readonly state: JsonObject;
      };
    }
  /** A session was deleted: agents that keep one of their own delete it too. */
  | {
      readonly type: "forget-session";
      readonly data: {
        readonly sessionId: string;
        readonly userId: string;
        readonly agentIds: readonly string[];
        /** How often it was looked at again since; absent: nobody can have written to it once more. */
        readonly looks?: number;
      };
    }
  /** A user wants to be forgotten: agents that remember something of that user delete it. */
  | {
      readonly type: "forget-memories";
      readonly data: {
        readonly userId: string;
        /** How often it was done. */
        readonly looks: number;
      };
    }
  /** Something of a session was not told to its model any more: it is to be put into few words. */
  | { readonly type: "summary"; readonly data: WritingData }
  /** A session has its first whole reply, and a title that nobody has chosen. */
  | { readonly type: "title"; readonly data: WritingData };

/** The reply that something is to be written after; its agent's model writes it. */
export interface WritingData {
  readonly sessionId: string;
  readonly replyId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly language: string;
  /** Of the API key that pays. */
  readonly keyName?: string;
}

export type JobType = Job["type"];

/** A job is done, and has to be done once more after a while. */
export interface Again {
  readonly data: Job["data"];
  readonly inMs: number;
}

/**
 * What is done for a job. Raises when it should be tried again, and ends soon after `signal` aborts: then another node
 * does it.
 */
export type JobHandlers = {
  readonly [T in JobType]: (
    data: Extract<Job, { type: T }>["data"],
    signal: AbortSignal,
  ) => Promise<Again | void>;
};
