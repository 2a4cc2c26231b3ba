import { Problem } from "../../problems/problem.ts";

export interface ReplyLimits {
  /** Replies that this node makes at a time. */
  readonly perNode: number;
  /** Of these, from one source of agents. */
  readonly perSource: number;
  /** Of these, for one user; 0: no limit. */
  readonly perUser: number;
}

/**
 * A place for one reply on this node, from before its transaction until its end. Shared like a handle: whoever passes
 * it on lets the other `hold` it and then releases it for himself; with the last release the place is free again.
 */
export interface Ticket {
  /** The place is for a reply of this source and user. Raises `overloaded` or `rate_limited` and stays as it was. */
  assign(source: string, userId: string): void;
  /** As `assign`, for a reply that was accepted long ago: false instead of a refusal. */
  mayBe(source: string, userId: string): boolean;
  hold(): void;
  release(): void;
}

export interface Admission {
  /** Raises `shutting_down` or `overloaded` when this node takes no more replies for now; costs nothing. */
  take(): Ticket;
  /** As `take`, for work that nobody waits for: null instead of a refusal. */
  tryTake(): Ticket | null;
  /** From now on nothing is taken any more. */
  close(): void;
  isOpen(): boolean;
  /** Places that are taken now. */
  taken(): number;
}

/** Counts places when they are taken, not when replies run: between the two lie transactions. */
export function createAdmission(limits: ReplyLimits): Admission {
  const ofSource = new Map<string, number>();
  const ofUser = new Map<string, number>();
  let taken = 0;
  let isClosed = false;

  const refusal = (source: string, userId: string): Problem | null => {
    if ((ofSource.get(source) ?? 0) >= limits.perSource) {
      return new Problem("overloaded", {}, { retryAfterSeconds: 2 });
    }
    if (limits.perUser > 0 && (ofUser.get(userId) ?? 0) >= limits.perUser) {
      return new Problem("rate_limited", { seconds: 2 }, { retryAfterSeconds: 2 });
    }
    return null;
  };

  const issue = (): Ticket => {
    taken += 1;
    let holders = 1;
    let assigned: { readonly source: string; readonly userId: string } | null = null;
    const leave = () => {
      if (assigned === null) return;
      count(ofSource, assigned.source, -1);
      count(ofUser, assigned.userId, -1);
      assigned = null;
    };
    /** Null: assigned; else why not, and nothing has changed. */
    const change = (source: string, userId: string): Problem | null => {
      const before = assigned;
      // Its own place is not in its way.
      leave();
      const refused = refusal(source, userId);
      assigned = refused === null ? { source, userId } : before;
      if (assigned !== null) {
        count(ofSource, assigned.source, 1);
        count(ofUser, assigned.userId, 1);
      }
      return refused;
    };
    return {
      assign(source, userId) {
        const refused = change(source, userId);
        if (refused !== null) throw refused;
      },
      mayBe: (source, userId) => change(source, userId) === null,
      hold() {
        if (holders === 0) throw new Error("this place was given back");
        holders += 1;
      },
      release() {
        if (holders === 0) throw new Error("this place was given back twice");
        holders -= 1;
        if (holders > 0) return;
        leave();
        taken -= 1;
      },
    };
  };

  return {
    take() {
      if (isClosed) throw new Problem("shutting_down", {}, { retryAfterSeconds: 1 });
      if (taken >= limits.perNode) throw new Problem("overloaded", {}, { retryAfterSeconds: 2 });
      return issue();
    },
    tryTake: () => (isClosed || taken >= limits.perNode ? null : issue()),
    close() {
      isClosed = true;
    },
    isOpen: () => !isClosed,
    taken: () => taken,
  };
}

function count(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const now = (counts.get(key) ?? 0) + change;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}
