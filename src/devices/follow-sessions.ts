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
  readonly wake: Set<() => void>;
  page: { readonly after: number; readonly read: ReturnType<SessionEventStore["read"]> } | null;
}

/** So often it is said that those who are followed are followed still. */
const goOnMs = 3_600_000;

/** The database does not answer: looking again at once would not help it. */
const awayMs = 1_000;

export type SessionFollowers = ReturnType<typeof createSessionFollowers>;

/**
 * What happens to users' sessions, from whatever node. While somebody on this node follows, one statement for all of
 * them asks for new numbers, ten times a second; each event is then read once.
 */
export function createSessionFollowers(options: FollowOptions) {
  const { store, logger, lookMs = 100 } = options;
  const feeds = new Map<string, Feed>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let saidMs = performance.now();

  const schedule = (delayMs: number) => {
    if (timer !== undefined || feeds.size === 0 || isClosed) return;
    timer = setTimeout(() => void look(), delayMs);
  };

  const look = async () => {
    let delayMs = lookMs;
    try {
      if (performance.now() - saidMs > goOnMs) {
        saidMs = performance.now();
        await store.goOnFollowing([...feeds.keys()]);
      }
      const seen = new Map([...feeds].map(([userId, { last }]) => [userId, last]));
      for (const { userId, last } of await store.news(seen)) {
        const feed = feeds.get(userId);
        if (feed === undefined) continue;
        feed.last = last;
        feed.page = null;
        for (const wake of feed.wake) wake();
      }
    } catch (error) {
      delayMs = awayMs;
      logger.debug({ err: error }, "what is new in sessions cannot be looked at");
    }
    timer = undefined;
    schedule(delayMs);
  };

  const open = (userId: string): Feed => {
    const feed = feeds.get(userId) ?? { last: 0, followers: 0, wake: new Set(), page: null };
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

  /** Resolves when something has come, or `signal` aborts. */
  const news = (feed: Feed, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const wake = () => {
        feed.wake.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      feed.wake.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });

  return {
    /**
     * A user's events after a number (null: from now on), beginning with `ready`: who reads the list of sessions after it
     * misses nothing. Where something is kept no longer there is a `reset`: the list is to be read anew. Ends when
     * `signal` aborts.
     */
    async *follow(
      userId: string,
      after: number | null,
      signal: AbortSignal,
    ): AsyncGenerator<readonly SessionEvent[], void, void> {
      const feed = open(userId);
      try {
        const { first, last } = await store.position(userId);
        const isKept = after === null || (after >= first - 1 && after <= last);
        let cursor = after !== null && isKept ? after : last;
        const say = (type: "ready" | "reset") => told(cursor, type, new Date(), {});
        yield isKept ? [say("ready")] : [say("ready"), say("reset")];
        feed.last = Math.max(feed.last, last);
        schedule(lookMs);
        while (!signal.aborted) {
          if (feed.last === cursor) {
            await news(feed, signal);
            continue;
          }
          const page = await readOnce(feed, userId, cursor);
          cursor = page.last;
          feed.last = Math.max(feed.last, cursor);
          if (page.events === null) yield [say("reset")];
          else if (page.events.length > 0) yield page.events;
        }
      } finally {
        leave(userId, feed);
      }
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
