import type { Message, Told } from "./messages.ts";

/** A tool's call, as replies keep it. */
export interface StoredCall {
  readonly tool_call_id?: string;
  readonly name: string;
  readonly status: string;
  readonly arguments?: unknown;
  readonly result?: unknown;
  readonly agent_id?: string;
}

export interface RunOptions {
  readonly messageId: string;
  readonly threadId: string;
  readonly runId: string;
  /** The run begins behind this event: before it are those of the same reply that ended with an interrupt. */
  readonly after?: number;
  /** The text up to there, for when the log begins later. */
  readonly shown?: string;
  /** What was said before, where the client may not know it. */
  readonly input?: readonly Message[];
  /** What the client has beside this run; null: that is not known. */
  readonly held?: readonly Message[] | null;
  /** The reply's tools, for when the log has only its text any more. */
  readonly storedCalls?: readonly StoredCall[];
  /** Clients from before 1.0, which do not say a version, know of no run that was cancelled. */
  readonly isOld?: boolean;
  /** What follows an interrupt is shown too, as a further run. */
  readonly goesOn?: boolean;
}

interface Member {
  readonly id: string;
  readonly agentId: string;
}

export interface RunState extends Told {
  readonly hasBegun: boolean;
  readonly isOver: boolean;
  /** Which run of the reply it is, from 1. */
  readonly segment: number;
  /** How many of each there have been in the reply. */
  readonly counts: { readonly text: number; readonly reasoning: number; readonly members: number };
  /** At work now. */
  readonly members: readonly Member[];
  readonly steps: readonly { readonly key: string; readonly name: string }[];
}

export const initialState: RunState = {
  hasBegun: false,
  isOver: false,
  segment: 1,
  content: "",
  reasoning: "",
  open: null,
  items: [],
  counts: { text: 0, reasoning: 0, members: 0 },
  members: [],
  steps: [],
};

/** One event of a log while it is told: what the run has come to, and what its client hears of that. */
export interface Telling {
  readonly options: RunOptions;
  readonly state: RunState;
  set(more: Partial<RunState>): void;
  /** `note` is what of it the protocol has no member for. */
  emit(type: string, more: object, note?: object): void;
}
