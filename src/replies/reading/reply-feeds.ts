import type { Logger } from "../../telemetry/logger.ts";
import {
  pageBytes,
  pageEvents,
  type LoggedEvent,
  type LogPage,
  type ReplyLog,
} from "../log/reply-log.ts";

/** What a follower is handed next. */
export type FeedItem =
  | { readonly kind: "events"; readonly events: readonly LoggedEvent[] }
  /**
   * The events after the cursor are no longer kept, or were never here: ask for a snapshot and go on after it.
   * `isAhead`: there are such events, and asking again at once brings the same answer.
   */
  | { readonly kind: "gap"; readonly isAhead: boolean }
  /** Nothing happened for the heartbeat time. A quiet follower hears it of replies of other nodes alone, which may have died. */
  | { readonly kind: "idle" };

interface FeedsOptions {
  readonly log: ReplyLog;
  readonly heartbeatMs: number;
  /** Backstop for lost bells: a remote reply is looked at this often. */
  readonly sweepMs?: number;
  readonly ringEvents?: number;
  readonly ringBytes?: number;
  readonly logger: Logger;
}

/** The newest events of one reply that somebody on this node watches. */
interface Feed {
  ring: LoggedEvent[];
  bytes: number;
  /** Newest event known here; 0 when none. */
  last: number;
  followers: number;
  readonly wake: Set<() => void>;
  /** The attempt that is being made on this node: its events arrive by `publish`, the log need not be read. */
  attempt: number | null;
  reading: Promise<void> | undefined;
  /** The log has forgotten the reply, or is away: the database's checkpoints are all there is. */
  lost: boolean;
  lostToldMs: number;
  unsubscribe: (() => void) | undefined;
}

export interface ReplyFeeds {
  /** This attempt at the reply is made here from now on, starting after event `last`. */
  own(replyId: string, attempt: number, last: number): void;
  /** Hands events to the followers on this node; call it after the log has acknowledged them. */
  publish(replyId: string, events: readonly LoggedEvent[]): void;
  /** The attempt is over; one that has followed it here is not. */
  disown(replyId: string, attempt: number): void;
  /**
   * Every event after `cursor`, once and in order, in pages of at most 64 KiB. A page is made only when it is asked for,
   * so a slow follower costs its cursor and nothing else.
   */
  follow(replyId: string, cursor: Cursor, signal: AbortSignal, isQuiet?: boolean): Follower;
  /** Replies watched on this node, and their followers. */
  stats(): { feeds: number; followers: number };
  close(): void;
}

/** One reader of a reply. No generator: each costs time for each token. */
export interface Follower {
  /** Null when `signal` has aborted. One call at a time. */
  next(): Promise<FeedItem | null>;
  /** To be called when it is not read any more. */
  close(): void;
}

/** The last event a follower has; the follower may move it forward (past a snapshot). */
export interface Cursor {
  seq: number;
}

/** Followers of a reply that the log does not have look at its row this often. */
const lostMs = 2_000;

/**
 * One feed for each watched reply, however many watch: followers read from its ring; only who has fallen behind the
 * ring, or has just come, reads the log. Three phases with a single cursor, so that nothing is lost or doubled between
 * them: the log while the cursor is older than the ring, the ring while it has something newer, else wait.
 */
export function createReplyFeeds(options: FeedsOptions): ReplyFeeds {
  const { log, logger } = options;
  const ringEvents = options.ringEvents ?? 512;
  const ringBytes = options.ringBytes ?? 256 * 1024;
  const feeds = new Map<string, Feed>();

  const feedOf = (replyId: string): Feed => {
    let feed = feeds.get(replyId);
    if (feed === undefined) {
      feed = {
        ring: [],
        bytes: 0,
        last: 0,
        followers: 0,
        wake: new Set(),
        attempt: null,
        reading: undefined,
        lost: false,
        lostToldMs: -Infinity,
        unsubscribe: undefined,
      };
      feeds.set(replyId, feed);
    }
    return feed;
  };

  const release = (replyId: string, feed: Feed) => {
    if (feed.followers > 0 || feed.attempt !== null) return;
    feed.unsubscribe?.();
    if (feeds.get(replyId) === feed) feeds.delete(replyId);
  };

  /** What lies between is not known here: the ring starts anew, followers fetch it from the log. */
  const leapTo = (feed: Feed, last: number) => {
    feed.ring = [];
    feed.bytes = 0;
    feed.last = last;
  };

  const push = (feed: Feed, events: readonly LoggedEvent[]) => {
    for (const event of events) {
      if (event.seq <= feed.last) continue;
      if (event.seq !== feed.last + 1) leapTo(feed, event.seq - 1);
      feed.ring.push(event);
      feed.bytes += event.json.length;
      feed.last = event.seq;
    }
    if (feed.ring.length > ringEvents || feed.bytes > ringBytes) shrink(feed);
    wakeAll(feed);
  };

  /** To three quarters at once, so that shifting costs little per event; the newest event always stays. */
  const shrink = (feed: Feed) => {
    let excess = 0;
    while (
      excess < feed.ring.length - 1 &&
      (feed.ring.length - excess > ringEvents * 0.75 || feed.bytes > ringBytes * 0.75)
    ) {
      feed.bytes -= (feed.ring[excess] as LoggedEvent).json.length;
      excess += 1;
    }
    feed.ring.splice(0, excess);
  };

  const wakeAll = (feed: Feed) => {
    const waiting = [...feed.wake];
    feed.wake.clear();
    for (const wake of waiting) wake();
  };

  /** Fetches what other nodes have appended; one read at a time, and once more if a bell rang meanwhile. */
  const refresh = (replyId: string, feed: Feed) => {
    if (feed.attempt !== null || feed.reading !== undefined) return;
    feed.reading = (async () => {
      try {
        let page: LogPage;
        do {
          page = await log.read(replyId, feed.last, pageEvents, pageBytes);
          // Waking followers for nothing would starve their heartbeats.
          if (page.events.length > 0) push(feed, page.events);
        } while (page.events.length > 0);
        feed.lost = page.first === null && feed.attempt === null;
        if (feed.lost && performance.now() - feed.lostToldMs > lostMs) {
          feed.lostToldMs = performance.now();
          wakeAll(feed);
        }
      } catch (error) {
        logger.warn({ replyId, err: error }, "reply log cannot be read; trying again");
      } finally {
        feed.reading = undefined;
      }
    })();
  };

  const sweep = setInterval(() => {
    for (const [replyId, feed] of feeds) refresh(replyId, feed);
  }, options.sweepMs ?? 1_000);
  sweep.unref();

  /** For one follower: resolves at news, at the heartbeat, or when the signal aborts; true only for news. */
  const createWaiter = (feed: Feed, signal: AbortSignal, isQuiet: boolean) => {
    let settle: ((isNews: boolean) => void) | undefined;
    const finish = (isNews: boolean) => {
      feed.wake.delete(wake);
      settle?.(isNews);
      settle = undefined;
    };
    const wake = () => finish(true);
    const stop = () => finish(false);
    const pass = () => {
      if (isQuiet && feed.attempt !== null) timer.refresh();
      else stop();
    };
    // Set once and for all: to wait is what a follower does for every token.
    const timer = setTimeout(pass, options.heartbeatMs);
    signal.addEventListener("abort", stop);
    return {
      news: () =>
        new Promise<boolean>((resolve) => {
          settle = resolve;
          feed.wake.add(wake);
          timer.refresh();
          if (signal.aborted) stop();
        }),
      close() {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
      },
    };
  };

  return {
    own(replyId, attempt, last) {
      const feed = feedOf(replyId);
      feed.attempt = attempt;
      log.own(replyId);
      if (feed.last < last) leapTo(feed, last);
    },
    publish(replyId, events) {
      const feed = feeds.get(replyId);
      if (feed !== undefined) push(feed, events);
    },
    disown(replyId, attempt) {
      const feed = feeds.get(replyId);
      if (feed?.attempt !== attempt) return;
      feed.attempt = null;
      log.release(replyId);
      release(replyId, feed);
    },
    follow(replyId, cursor, signal, isQuiet = false) {
      const feed = feedOf(replyId);
      feed.followers += 1;
      feed.unsubscribe ??= log.onBell(replyId, () => refresh(replyId, feed));
      const waiter = createWaiter(feed, signal, isQuiet);
      let primed = feed.attempt !== null;
      return {
        async next() {
          while (!signal.aborted) {
            const first = feed.ring[0]?.seq ?? feed.last + 1;
            if (feed.last > cursor.seq && first <= cursor.seq + 1) {
              const events = page(feed.ring, cursor.seq + 1 - first);
              cursor.seq = (events.at(-1) as LoggedEvent).seq;
              return { kind: "events", events };
            }
            if (feed.last > cursor.seq || !primed) {
              primed = true;
              const { events } = await log.read(replyId, cursor.seq, pageEvents, pageBytes);
              if (events[0]?.seq !== cursor.seq + 1) {
                // Trimmed, forgotten, or nothing was written yet: the row knows.
                return { kind: "gap", isAhead: feed.last > cursor.seq };
              }
              cursor.seq = (events.at(-1) as LoggedEvent).seq;
              if (feed.last < cursor.seq && feed.attempt === null) push(feed, events);
              return { kind: "events", events };
            }
            if (!(await waiter.news())) return signal.aborted ? null : { kind: "idle" };
            if (feed.lost && feed.last <= cursor.seq) return { kind: "gap", isAhead: false };
          }
          return null;
        },
        close() {
          waiter.close();
          feed.followers -= 1;
          release(replyId, feed);
        },
      };
    },
    stats() {
      let followers = 0;
      for (const feed of feeds.values()) followers += feed.followers;
      return { feeds: feeds.size, followers };
    },
    close() {
      clearInterval(sweep);
      for (const feed of feeds.values()) {
        feed.unsubscribe?.();
        wakeAll(feed);
      }
      feeds.clear();
    },
  };
}

function page(ring: readonly LoggedEvent[], start: number): LoggedEvent[] {
  let end = start;
  let bytes = 0;
  while (end < ring.length && end - start < pageEvents && bytes < pageBytes) {
    bytes += (ring[end] as LoggedEvent).json.length;
    end += 1;
  }
  return ring.slice(start, end);
}
