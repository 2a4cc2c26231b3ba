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
        for (const wake of feed.wake) wake();
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
