import type { OpenTransaction, Queryable } from "../../database/database.ts";
import type { BusinessEvent } from "../../events/business-event.ts";
import type { Job } from "../../jobs/job.ts";
import type { Effect } from "./effect.ts";

/** Where a reply can stand. A reply whose session was deleted has no row any more: it is forgotten. */
export type ReplyStatus =
  | "queued"
  | "streaming"
  | "paused"
  | "complete"
  | "cancelled"
  | "interrupted"
  | "failed";

/** Not over: something will still happen to it. */
export const unfinishedStatuses = ["queued", "streaming", "paused"] as const;

const ended = ["complete", "cancelled", "interrupted", "failed"] as const;

/**
 * The whole state machine: what can happen to a reply, from which states and to which. Each has exactly one
 * implementation in this folder, whose SQL names the states by `statesBefore`; nobody else writes `status`.
 */
export const transitionTable = {
  /** A message was stored; its reply runs here or waits. With `interrupt`, what was unfinished gives way first. */
  accept: { from: [], to: ["streaming", "queued"] },
  /** It waits, and answers one message more of the same user. */
  join: { from: ["queued"], to: ["queued"] },
  /** The session is free: what has waited longest is this node's. */
  start: { from: ["queued"], to: ["streaming"] },
  /** Nobody makes it: it ends at once. */
  cancel: { from: ["queued", "paused"], to: ["cancelled"] },
  /** Its owner is asked to end it; whoever finds it without an owner does. */
  stop: { from: ["streaming"], to: ["streaming"] },
  /** Its owner says how it ended, or that a person must decide. */
  finish: { from: ["streaming"], to: [...ended, "paused"] },
  /** A person has decided. */
  continue: { from: ["paused"], to: ["streaming"] },
  /** Its owner has died: the next attempt is this node's. */
  "take over": { from: ["streaming"], to: ["streaming"] },
  /** It cannot even be taken over: it ends with the text that is stored, and nothing else. */
  "give up": { from: ["streaming"], to: ["failed", "cancelled"] },
  /** Of a spoken reply that was talked over: its text is what was heard. */
  "cut to what was heard": { from: ended, to: ended },
  /** Its message becomes part of the reply that runs, which takes its place. */
  "take in": { from: ["queued"], to: [] },
  /** What will be answered is said otherwise before its time has come. */
  amend: { from: ["queued"], to: ["queued"] },
  /** It goes with its message before its time has come; what waits behind it stays. */
  withdraw: { from: ["queued"], to: [] },
  /** Its message, or one above it, is deleted. */
  remove: { from: [...unfinishedStatuses, ...ended], to: [] },
  /** Its session is deleted. */
  forget: { from: [...unfinishedStatuses, ...ended], to: [] },
} as const satisfies Readonly<
  Record<string, { readonly from: readonly ReplyStatus[]; readonly to: readonly ReplyStatus[] }>
>;

export type TransitionName = keyof typeof transitionTable;

/** The states that a transition starts from, as SQL: `('queued', 'paused')`. */
export function statesBefore(name: TransitionName): string {
  return `(${transitionTable[name].from.map((status) => `'${status}'`).join(", ")})`;
}

/** What a transition has come to, to be committed as one. */
export interface Change<Result> {
  readonly result: Result;
  /** Performed in this order after the commit, and never without it. */
  readonly effects: readonly Effect[];
  /** Effects that must happen even if this process dies now: rows of the same transaction. */
  readonly jobs?: readonly Job[];
  /** What other services are told: rows of the same transaction too. */
  readonly events?: readonly BusinessEvent[];
}

export interface Transition<Input, Result> {
  readonly name: TransitionName;
  /**
   * Locks the session's row first, then changes the rows. `isRepeat`: an earlier try may have been committed although
   * its answer was lost; then the same result and effects are returned once more. `before`: what that try came to, for
   * transitions that leave nothing to tell it by.
   */
  apply(
    tx: OpenTransaction,
    input: Input,
    isRepeat: boolean,
    before?: Change<Result> | null,
  ): Promise<Change<Result>>;
  /**
   * What it mostly comes to, in one round trip: statements that are all asked at once, and committed whatever they come
   * to. Resolves with null where they have changed nothing, because it is not that simple: then `apply` is next. No jobs,
   * and no events. Absent, or null for this input: it never is, or not here.
   */
  readonly atOnce?: (
    input: Input,
  ) => ((tx: OpenTransaction) => Promise<Change<Result> | null>) | null;
}

/** What has to be deleted is gone: by the try before this one, if there was any, whose effects nobody has performed. */
export function goneBefore(
  isRepeat: boolean,
  before: Change<boolean> | null | undefined,
): Change<boolean> {
  return { result: before?.result ?? isRepeat, effects: before?.effects ?? [] };
}

/** Every transition of a session's replies waits here for the one before it. False when the session is gone. */
export async function lockSession(tx: Queryable, sessionId: string): Promise<boolean> {
  const { rowCount } = await tx.query(locking, [sessionId]);
  return rowCount > 0;
}

/** The same for what is asked behind it and sees by itself whether the session is there. */
export function askForSession(tx: OpenTransaction, sessionId: string): void {
  tx.ask(locking, [sessionId]);
}

const locking = "SELECT 1 FROM sessions WHERE session_id = $1 FOR UPDATE";
