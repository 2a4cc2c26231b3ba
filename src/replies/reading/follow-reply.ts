import type { ReplyEventBody } from "../reply-event.ts";
import { isTerminal } from "../reply-event.ts";
import { eachPage, type NextPage, type OpenPages, type Pages, type Reader } from "./pages.ts";
import type { FeedItem, Follower, ReplyFeeds } from "./reply-feeds.ts";
import { wireExtras } from "../extras.ts";
import { logTail } from "../log/log-tail.ts";
import { pageBytes, pageEvents, type LoggedEvent, type ReplyLog } from "../log/reply-log.ts";
import type { ReplyProgress, ReplyState } from "../reply.ts";
import { createStamp } from "../log/stamp.ts";
import { terminalEvent } from "../terminal-event.ts";

/** A reply that is being made here: what it has come to by now. */
interface RunningReply {
  snapshot(): Pick<ReplyProgress, "content" | "reasoning" | "extras" | "eventSeq">;
}

interface ReaderOptions {
  readonly feeds: ReplyFeeds;
  readonly log: ReplyLog;
  /** Null when there is no such reply (any more). */
  readonly store: { find(replyId: string): Promise<ReplyState | null> };
  readonly runnerOf: (replyId: string) => RunningReply | undefined;
  /** Who follows is told that nothing has happened for so long. */
  readonly heartbeatMs: number;
}

/**
 * Every event of a reply after `after`, once and in order, from whatever node, while it runs and after it has ended.
 * Ends after the terminal event, after a `paused` event that nothing follows yet, and when the reply was deleted.
 * Where events are no longer kept, a `snapshot` stands for them.
 */
export type OpenReply = (replyId: string, after: number) => OpenPages<LoggedEvent>;

/** The next events, or null when nothing happened for the heartbeat time. */
export type Followed = readonly LoggedEvent[] | null;

/** The same for those who wait for each page; ends when `signal` aborts. */
export type FollowReply = (
  replyId: string,
  after: number,
  signal: AbortSignal,
) => AsyncGenerator<Followed, void, void>;

/** While the events after a viewer's cursor are nowhere to be had, the row is asked this often … */
const gapPauseMs = 1_000;
/** … and after so many times the viewer is cut; it comes back with its cursor. */
const maxFruitlessGaps = 60;

export function createReplyReaders(options: ReaderOptions): {
  readonly open: OpenReply;
  readonly follow: FollowReply;
} {
  const { feeds, log, store, runnerOf } = options;
  /** The events after `after` of a running reply, or what stands for those that are not kept; empty when there are none. */
  const catchUp = async (state: ReplyState, after: number, runner: RunningReply | undefined) => {
    if (runner !== undefined) {
      const current = runner.snapshot();
      return after < current.eventSeq ? [snapshotEvent(state, current, current.eventSeq)] : [];
    }
    if (state.status !== "streaming") return [];
    const { events } = await log.read(state.replyId, after, pageEvents, pageBytes);
    // They were written while the row was asked.
    if (events[0]?.seq === after + 1) return events;
    const kept = await log.stat(state.replyId);
    if (kept === null || kept.last < state.eventSeq) {
      // Only the database is left: its last checkpoint, which is seldom older than a second.
      // A reply without text is only beginning: its first events are on their way.
      const isTold = state.content !== "" || state.reasoning !== "";
      return isTold && after < state.eventSeq ? [snapshotEvent(state, state, state.eventSeq)] : [];
    }
    const reply = await logTail(log, state);
    // The tail may hold the end, which no snapshot stands for; its row is written before its event.
    const now = await store.find(state.replyId);
    const end = now === null ? [] : ending(now, after);
    if (end !== null) return end;
    return after < reply.eventSeq ? [snapshotEvent(state, reply, reply.eventSeq)] : [];
  };

  /**
   * What is left to show of a reply whose row is gone: what the log still has, then an end. Its owner would have told
   * one, and has died.
   */
  const lastWords = async (
    replyId: string,
    shown: LoggedEvent,
  ): Promise<readonly LoggedEvent[]> => {
    const { events } = await log.read(replyId, shown.seq, pageEvents, pageBytes);
    if (events[0]?.seq === shown.seq + 1) return events;
    const untold = { replyId, eventSeq: 0, content: "", reasoning: "", extras: null };
    const { content, eventSeq } = await logTail(log, untold);
    const { session_id: sessionId } = JSON.parse(shown.json) as { session_id: string };
    const gone = { full_response: content, reason: "session_deleted" };
    const seq = Math.max(eventSeq, shown.seq) + 1;
    return [createStamp(sessionId, replyId)(seq, "cancelled", gone)];
  };

  /** Who asks again in a moment: one timer for all of them. */
  let pausing: ReplyReader[] = [];
  const goOn = () => {
    const readers = pausing;
    pausing = [];
    for (const reader of readers) reader.goOn();
  };

  const shared: Shared = {
    find: (replyId) => store.find(replyId),
    runnerOf,
    catchUp,
    lastWords,
    pause(reader) {
      if (pausing.push(reader) === 1) setTimeout(goOn, gapPauseMs).unref();
    },
  };
  const open: OpenReply = (replyId, after) => (reader) =>
    new ReplyReader(shared, replyId, feeds.follow(replyId, after, reader), reader);

  return {
    open,
    follow: (replyId, after, signal) => eachPage(open(replyId, after), signal, options.heartbeatMs),
  };
}

/** What all readers of a node have in common. */
interface Shared {
  find(replyId: string): Promise<ReplyState | null>;
  runnerOf(replyId: string): RunningReply | undefined;
  catchUp(
    state: ReplyState,
    after: number,
    runner: RunningReply | undefined,
  ): Promise<readonly LoggedEvent[]>;
  lastWords(replyId: string, shown: LoggedEvent): Promise<readonly LoggedEvent[]>;
  pause(reader: ReplyReader): void;
}

/** One reader of a reply. While nothing happens it is its follower's place in a feed. */
class ReplyReader implements Pages<LoggedEvent> {
  readonly #shared: Shared;
  readonly #replyId: string;
  readonly #reader: Reader;
  readonly #follower: Follower;
  #shown: LoggedEvent | undefined;
  #fruitless = 0;
  /** Nothing may follow for now: the reply is paused, unless it has gone on. */
  #mayRest = false;
  #isPausing = false;
  #isOver = false;

  constructor(shared: Shared, replyId: string, follower: Follower, reader: Reader) {
    this.#shared = shared;
    this.#replyId = replyId;
    this.#reader = reader;
    this.#follower = follower;
  }

  next(): NextPage<LoggedEvent> | Promise<NextPage<LoggedEvent>> {
    if (this.#isOver) return "over";
    if (this.#isPausing) return "later";
    if (this.#mayRest) return this.#unlessAtRest();
    const item = this.#follower.next();
    return item instanceof Promise ? this.#whenHere(item) : this.#take(item);
  }

  close(): void {
    this.#isOver = true;
    this.#follower.close();
  }

  /** What it lacks may be to be had now. */
  goOn(): void {
    this.#isPausing = false;
    if (!this.#isOver) this.#reader.wake();
  }

  async #whenHere(item: Promise<FeedItem>): Promise<NextPage<LoggedEvent>> {
    return this.#take(await item);
  }

  #take(item: FeedItem): NextPage<LoggedEvent> | Promise<NextPage<LoggedEvent>> {
    if (item === "later") return item;
    if (typeof item === "string") return this.#askRow(item);
    this.#fruitless = 0;
    return this.#show(item);
  }

  #show(events: readonly LoggedEvent[]): readonly LoggedEvent[] {
    const last = events.at(-1) as LoggedEvent;
    this.#shown = last;
    this.#isOver = isTerminal(last.type);
    this.#mayRest = last.type === "paused";
    return events;
  }

  /** It knows the end even if the log has lost it; so it is asked too when nothing has happened for a while. */
  async #askRow(item: "absent" | "behind" | "idle"): Promise<NextPage<LoggedEvent>> {
    const { find, runnerOf, catchUp, lastWords } = this.#shared;
    const replyId = this.#replyId;
    const runner = runnerOf(replyId);
    if (item === "idle" && runner !== undefined) return this.next();
    const state = await find(replyId);
    let events: readonly LoggedEvent[];
    if (state === null) {
      if (this.#shown === undefined) return "over";
      events = await lastWords(replyId, this.#shown);
    } else {
      const { seq } = this.#follower;
      events = ending(state, seq) ?? (item === "idle" ? [] : await catchUp(state, seq, runner));
      if (events.length === 0 && isOver(state)) return "over";
    }
    const last = events.at(-1);
    if (last !== undefined) {
      this.#follower.seq = last.seq;
      return this.#show(events);
    }
    if (item === "behind") {
      this.#fruitless += 1;
      if (this.#fruitless > maxFruitlessGaps) {
        throw new Error("the events after the cursor are lost");
      }
      this.#isPausing = true;
      this.#shared.pause(this);
    }
    return this.next();
  }

  async #unlessAtRest(): Promise<NextPage<LoggedEvent>> {
    this.#mayRest = false;
    const state = await this.#shared.find(this.#replyId);
    return state?.status === "paused" ? "over" : this.next();
  }
}

/**
 * The events after `after` of a reply that runs no longer, for now or for good; null while it runs or waits. Who is
 * further than its end has read an owner that had lost it: the end and the text are for that one too.
 */
function ending(state: ReplyState, after: number): LoggedEvent[] | null {
  if (!isOver(state) && state.status !== "paused") return null;
  // The last event's number belongs to the end itself.
  const covered = state.eventSeq - 1;
  const isAhead = after > state.eventSeq;
  return [
    ...(isAhead || after < covered ? [snapshotEvent(state, state, covered)] : []),
    ...(isAhead || after < state.eventSeq
      ? [logged(state, state.eventSeq, terminalEvent(state.agentId, state.content, endOf(state)))]
      : []),
  ];
}

function snapshotEvent(
  state: ReplyState,
  { content, reasoning, extras }: Pick<ReplyState, "content" | "reasoning" | "extras">,
  seq: number,
): LoggedEvent {
  return logged(state, seq, {
    type: "snapshot",
    content,
    ...(reasoning !== "" && { reasoning }),
    ...wireExtras(extras),
  });
}

function logged(state: ReplyState, seq: number, { type, ...fields }: ReplyEventBody): LoggedEvent {
  return createStamp(state.sessionId, state.replyId)(seq, type, fields);
}

function isOver(state: ReplyState): boolean {
  return !["queued", "streaming", "paused"].includes(state.status);
}

function endOf(state: ReplyState): Parameters<typeof terminalEvent>[2] {
  return {
    status: state.status as Parameters<typeof terminalEvent>[2]["status"],
    finishReason: state.finishReason ?? "stop",
    usage: state.usage,
    context: state.context,
    outputFormat: state.outputFormat,
    error: state.error,
    requirements: state.requirements,
    durationMs: state.durationMs ?? 0,
    timeToFirstTokenMs: state.timeToFirstTokenMs,
  };
}
