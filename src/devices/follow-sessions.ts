import {
  eachPage,
  type NextPage,
  type OpenPages,
  type Pages,
  type Reader,
} from "../replies/reading/pages.ts";
import type { Logger } from "../telemetry/logger.ts";
import { told, type SessionEvent, type SessionEventStore } from "./session-event-store.ts";

interface FollowOptions {
  readonly store: Pick<SessionEventStore, "position" | "read" | "news" | "goOnFollowing">;
  readonly logger: Logger;
  /** How often the numbers of those who are followed are looked at. */
  readonly lookMs?: number;
}

/** The user's events are read once for those of his devices that are equally far. */
interface Feed {
  last: number;
  followers: number;
  /** Who is to be woken, because there was nothing left to read. */
  readonly waiting: Set<Reader>;
  page: { readonly after: number; readonly read: ReturnType<SessionEventStore["read"]> } | null;
}

/** So often it is said that those who are followed are followed still. */
const goOnMs = 3_600_000;

/** The database does not answer: looking again at once would not help it. */
const awayMs = 1_000;
/** Users whose numbers are compared in one look; of more, so many that all have been compared after some looks. */
const comparedUsers = 100;
const looksForAll = 30;
/** What took longer to commit is not seen as new, and found when the numbers of its user are compared. */
const commitMs = 1_000;

export type SessionFollowers = ReturnType<typeof createSessionFollowers>;

/**
 * What happens to users' sessions, from whatever node. While somebody on this node follows, one statement asks ten times
 * a second who has had events since the last look, so that it costs what happens, and not how many follow. It also
 * compares the numbers of some of those who are followed, in turn, so that nothing is missed for longer than some
 * seconds. Each event is then read once.
 */
export function createSessionFollowers(options: FollowOptions) {
  const { store, logger, lookMs = 100 } = options;
  const feeds = new Map<string, Feed>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let saidMs = performance.now();
  /** Whose numbers are compared next. */
  let turns = feeds.entries();
  /** When the last look that was answered began. */
  let lookedMs = -Infinity;

  const schedule = (delayMs: number) => {
    if (timer !== undefined || feeds.size === 0 || isClosed) return;
    timer = setTimeout(() => void look(), delayMs);
  };

  const nextCompared = (): Map<string, number> => {
    const size = Math.min(feeds.size, Math.max(comparedUsers, Math.ceil(feeds.size / looksForAll)));
    const compared = new Map<string, number>();
    while (compared.size < size) {
      const next = turns.next();
      if (next.done === true) turns = feeds.entries();
      else compared.set(next.value[0], next.value[1].last);
    }
    return compared;
  };

  const look = async () => {
    let delayMs = lookMs;
    const beganMs = performance.now();
    try {
      if (beganMs - saidMs > goOnMs) {
        saidMs = beganMs;
        await store.goOnFollowing([...feeds.keys()]);
      }
      const compared = nextCompared();
      // Who is compared anyway need not be looked for.
      const sinceMs = Math.min(beganMs - lookedMs, looksForAll * lookMs);
      const withinMs = compared.size === feeds.size ? 0 : sinceMs + commitMs;
      for (const { userId, last, isNewest } of await store.news(compared, withinMs / 1_000)) {
        const feed = feeds.get(userId);
        if (feed === undefined || (!isNewest && last <= feed.last)) continue;
        feed.last = last;
        feed.page = null;
        const waiting = [...feed.waiting];
        feed.waiting.clear();
        for (const reader of waiting) reader.wake();
      }
      lookedMs = beganMs;
    } catch (error) {
      delayMs = awayMs;
      logger.debug({ err: error }, "what is new in sessions cannot be looked at");
    }
    timer = undefined;
    schedule(delayMs);
  };

  const open = (userId: string): Feed => {
    const feed = feeds.get(userId) ?? { last: 0, followers: 0, waiting: new Set(), page: null };
    feed.followers += 1;
    feeds.set(userId, feed);
    return feed;
  };

  const leave = (userId: string, feed: Feed) => {
    feed.followers -= 1;
    if (feed.followers === 0) feeds.delete(userId);
  };

  const readOnce = async (feed: Feed, userId: string, after: number) => {
    if (feed.page?.after !== after) feed.page = { after, read: store.read(userId, after) };
    try {
      return await feed.page.read;
    } catch (error) {
      feed.page = null;
      throw error;
    }
  };

  /** What all followers have in common. */
  const shared: Shared = { store, open, leave, readOnce, began: () => schedule(lookMs) };
  const opener =
    (userId: string, after: number | null): OpenPages<SessionEvent> =>
    (reader) =>
      new Follower(shared, userId, after, reader);

  return {
    /**
     * A user's events after a number (null: from now on), beginning with `ready`: who reads the list of sessions after it
     * misses nothing. Where something is kept no longer there is a `reset`: the list is to be read anew.
     */
    open: (userId: string, after: number | null, reader: Reader): Pages<SessionEvent> =>
      opener(userId, after)(reader),

    /** The same for those who wait for each page; ends when `signal` aborts. */
    async *follow(
      userId: string,
      after: number | null,
      signal: AbortSignal,
    ): AsyncGenerator<readonly SessionEvent[], void, void> {
      for await (const page of eachPage(opener(userId, after), signal)) if (page) yield page;
    },

    /** Devices that follow on this node, and users that they are of. */
    stats: () => ({
      users: feeds.size,
      followers: [...feeds.values()].reduce((sum, { followers }) => sum + followers, 0),
    }),

    close(): void {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

interface Shared {
  readonly store: Pick<SessionEventStore, "position">;
  open(userId: string): Feed;
  leave(userId: string, feed: Feed): void;
  readOnce(feed: Feed, userId: string, after: number): ReturnType<SessionEventStore["read"]>;
  /** Somebody knows where a user's events stand. */
  began(): void;
}

/** One device. While nothing happens it is its place in a feed. */
class Follower implements Pages<SessionEvent> {
  readonly #shared: Shared;
  readonly #userId: string;
  readonly #reader: Reader;
  readonly #feed: Feed;
  /** The last event that was read; before the first page, what was asked for. */
  #cursor: number | null;
  #isReady = false;
  #isClosed = false;

  constructor(shared: Shared, userId: string, after: number | null, reader: Reader) {
    this.#shared = shared;
    this.#userId = userId;
    this.#cursor = after;
    this.#reader = reader;
    this.#feed = shared.open(userId);
  }

  next(): NextPage<SessionEvent> | Promise<NextPage<SessionEvent>> {
    if (this.#isClosed) return "over";
    if (!this.#isReady) return this.#begin();
    if (this.#feed.last !== this.#cursor) return this.#read(this.#cursor ?? 0);
    this.#feed.waiting.add(this.#reader);
    return "later";
  }

  close(): void {
    this.#isClosed = true;
    this.#feed.waiting.delete(this.#reader);
    this.#shared.leave(this.#userId, this.#feed);
  }

  async #begin(): Promise<NextPage<SessionEvent>> {
    const { first, last } = await this.#shared.store.position(this.#userId);
    const after = this.#cursor;
    const isKept = after === null || (after >= first - 1 && after <= last);
    const cursor = after !== null && isKept ? after : last;
    this.#cursor = cursor;
    this.#isReady = true;
    this.#feed.last = Math.max(this.#feed.last, last);
    this.#shared.began();
    return isKept ? [say("ready", cursor)] : [say("ready", cursor), say("reset", cursor)];
  }

  async #read(after: number): Promise<NextPage<SessionEvent>> {
    const { events, last } = await this.#shared.readOnce(this.#feed, this.#userId, after);
    this.#cursor = last;
    this.#feed.last = Math.max(this.#feed.last, last);
    if (events === null) return [say("reset", last)];
    return events.length > 0 ? events : this.next();
  }
}

function say(type: "ready" | "reset", seq: number): SessionEvent {
  return told(seq, type, new Date(), {});
}
