import type { ReplyEventType } from "../reply-event.ts";

/** An event as it stands in the log: serialised once, shown by every view. */
export interface LoggedEvent {
  /** 1, 2, 3 … without gaps, per reply. */
  readonly seq: number;
  readonly type: ReplyEventType;
  /** The event as JSON, without line breaks. */
  readonly json: string;
}

export interface LogPage {
  /** Contiguous, from the event after the one asked for, unless that is no longer kept. */
  readonly events: readonly LoggedEvent[];
  /** Oldest event kept; null when nothing is. */
  readonly first: number | null;
}

export interface LogState {
  readonly first: number;
  readonly last: number;
  /** Attempt that wrote the last event. */
  readonly epoch: number;
}

/** A later attempt has taken the reply over: this writer must stop and drop its results. */
export class ReplyFenced extends Error {
  override readonly name = "ReplyFenced";
}

/** What the log is asked for, and what a follower is handed, at once. */
export const pageEvents = 200;
export const pageBytes = 64 * 1024;

/**
 * The events of each reply, in order, for delivery: a rebuildable tail, the truth is in the database. Trims the head of
 * a reply past a byte limit, and drops replies that have ended or been released after the retention time. What a node
 * holds of all replies together has a limit too: then ended ones go first, and of those being made the longest lose
 * their oldest events; the newest event of a reply that this node makes always stays.
 */
export interface ReplyLog {
  readonly kind: "memory" | "redis" | "forwarded";
  /**
   * Appends `events`, which continue the log without a gap. Idempotent: events that this epoch has appended before are
   * skipped. Raises ReplyFenced when a later epoch has written. One call at a time per reply. A log that cannot be
   * reached takes the events all the same, within a moment, and makes up for it later. Undefined when it has them already:
   * to wait for nothing costs time, for each token.
   */
  append(replyId: string, epoch: number, events: readonly LoggedEvent[]): Promise<void> | undefined;
  /**
   * Events after `after` (exclusive; 0 for all), at most `limit` and about `maxBytes`, at least one if there is one.
   * A log that cannot be reached answers as if it kept nothing.
   */
  read(replyId: string, after: number, limit: number, maxBytes: number): Promise<LogPage>;
  /** Null when nothing is kept, or when the log cannot be reached. */
  stat(replyId: string): Promise<LogState | null>;
  /** This node makes the reply from now on: until `release` its own events are answered without asking anybody. */
  own(replyId: string): void;
  /** This node no longer makes the reply: it has ended, waits for a person, or is another's. */
  release(replyId: string): void;
  /** Calls `listener` when there may be something new; may call without cause and may miss one. Returns the end of it. */
  onBell(replyId: string, listener: () => void): () => void;
  /** Tells the node that owns the reply to look at its row (somebody wants it cancelled). Best effort. */
  signal(replyId: string): Promise<void>;
  /** Hears the signals of all nodes, this one included. Returns the end of it. */
  onSignal(listener: (replyId: string) => void): () => void;
  /** Forgets a reply (its session was deleted). */
  drop(replyId: string): Promise<void>;
  /** May be called twice. */
  close(): Promise<void>;
}
