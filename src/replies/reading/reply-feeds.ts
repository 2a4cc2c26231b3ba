import type { Logger } from "../../telemetry/logger.ts";
import {
  pageBytes,
  pageEvents,
  type LoggedEvent,
  type LogPage,
  type ReplyLog,
} from "../log/reply-log.ts";
import type { Reader } from "./pages.ts";

/** What a follower is handed next. */
export type FeedItem =
  | readonly LoggedEvent[]
  /** The events after the cursor, if there are any, are no longer kept, or were never here: the row knows what there is. */
  | "absent"
  /** The same where there are such events: asking again at once brings the same answer. */
  | "behind"
  /** Nothing has come for the heartbeat time of a reply that is not made here: who makes it may have died. */
  | "idle"
  /** Nothing by now; the reader is woken. */
  | "later";

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
  readonly followers: Set<FeedFollower>;
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
   * Every event after a number, once and in order, in pages of at most 64 KiB. A page is made only when it is asked for,
   * so a slow follower costs its cursor and nothing else; the reader is woken when there may be another one.
   */
  follow(replyId: string, after: number, reader: Reader): Follower;
  /** Replies watched on this node, and their followers. */
  stats(): { feeds: number; followers: number };
  close(): void;
}

/** One reader of a reply. */
export interface Follower {
  /** The last event that it has; its reader may move it forward (past a snapshot). */
  seq: number;
  /** One call at a time. */
  next(): FeedItem | Promise<FeedItem>;
  /** To be called when it is not read any more; nobody is woken then. */
  close(): void;
}

/** Followers of a reply that the log does not have look at its row this often. */
const lostMs = 2_000;
/** Within the heartbeat time: nobody is told that nothing happens later by more than one of them. */
const looks = 10;

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
        followers: new Set(),
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
    if (feed.followers.size > 0 || feed.attempt !== null) return;
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
    for (const follower of feed.followers) if (follower.isWaiting) follower.hear("news");
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

  /** What all followers have in common. One timer looks after all that wait: they are many, and each waits for long. */
  const shared: Shared = {
    nowMs: performance.now(),
    read: (replyId, after) => log.read(replyId, after, pageEvents, pageBytes),
    push,
    leave(follower) {
      follower.feed.followers.delete(follower);
      release(follower.replyId, follower.feed);
    },
  };
  const look = () => {
    shared.nowMs = performance.now();
    for (const feed of feeds.values()) {
      for (const follower of feed.followers) {
        if (!follower.isWaiting) continue;
        // Who makes it here says so when it is over.
        if (feed.attempt !== null) follower.sinceMs = shared.nowMs;
        else if (shared.nowMs - follower.sinceMs >= options.heartbeatMs) follower.hear("idle");
      }
    }
  };
  const looking = setInterval(look, options.heartbeatMs / looks);
  looking.unref();

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
    follow(replyId, after, reader) {
      const feed = feedOf(replyId);
      feed.unsubscribe ??= log.onBell(replyId, () => refresh(replyId, feed));
      const follower = new FeedFollower(shared, replyId, feed, after, reader);
      feed.followers.add(follower);
      return follower;
    },
    stats() {
      let followers = 0;
      for (const feed of feeds.values()) followers += feed.followers.size;
      return { feeds: feeds.size, followers };
    },
    close() {
      clearInterval(sweep);
      clearInterval(looking);
      for (const feed of feeds.values()) {
        feed.unsubscribe?.();
        wakeAll(feed);
      }
      feeds.clear();
    },
  };
}

/** What all followers of a node have in common. */
interface Shared {
  /** As of the last look. */
  nowMs: number;
  read(replyId: string, after: number): Promise<LogPage>;
  push(feed: Feed, events: readonly LoggedEvent[]): void;
  leave(follower: FeedFollower): void;
}

/** While it waits it is its place in a feed. */
class FeedFollower implements Follower {
  readonly #shared: Shared;
  readonly #reader: Reader;
  readonly replyId: string;
  readonly feed: Feed;
  seq: number;
  isWaiting = false;
  /** Since when it has been waiting. */
  sinceMs = 0;
  #heard: "news" | "idle" | null = null;
  /** Until it has asked the log once what there is. */
  #isPrimed: boolean;

  constructor(shared: Shared, replyId: string, feed: Feed, after: number, reader: Reader) {
    this.#shared = shared;
    this.#reader = reader;
    this.replyId = replyId;
    this.feed = feed;
    this.seq = after;
    this.#isPrimed = feed.attempt !== null;
  }

  hear(what: "news" | "idle"): void {
    this.isWaiting = false;
    this.#heard = what;
    this.#reader.wake();
  }

  next(): FeedItem | Promise<FeedItem> {
    const { feed } = this;
    const heard = this.#heard;
    this.#heard = null;
    const first = feed.ring[0]?.seq ?? feed.last + 1;
    if (feed.last > this.seq && first <= this.seq + 1) {
      this.isWaiting = false;
      return this.#moved(page(feed.ring, this.seq + 1 - first));
    }
    if (feed.last > this.seq || !this.#isPrimed) return this.#read();
    if (heard === "idle") return "idle";
    if (heard === "news" && feed.lost) return "absent";
    // Who looks again by himself has waited all the same.
    if (!this.isWaiting) this.sinceMs = this.#shared.nowMs;
    this.isWaiting = true;
    return "later";
  }

  close(): void {
    this.isWaiting = false;
    this.#shared.leave(this);
  }

  async #read(): Promise<FeedItem> {
    const { feed, replyId } = this;
    this.isWaiting = false;
    this.#isPrimed = true;
    const { events } = await this.#shared.read(replyId, this.seq);
    // Trimmed, forgotten, or nothing was written yet.
    if (events[0]?.seq !== this.seq + 1) return feed.last > this.seq ? "behind" : "absent";
    this.#moved(events);
    if (feed.last < this.seq && feed.attempt === null) this.#shared.push(feed, events);
    return events;
  }

  #moved(events: readonly LoggedEvent[]): readonly LoggedEvent[] {
    this.seq = (events.at(-1) as LoggedEvent).seq;
    return events;
  }
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
