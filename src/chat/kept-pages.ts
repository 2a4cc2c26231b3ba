import type { Cache } from "../cache/cache.ts";
import type { FoundSession } from "../sessions/session-store.ts";
import type { Ranges } from "../tree/ranges.ts";
import { messageInfo } from "./message-info.ts";
import type { HistoryPage, HistoryRange, MessageStore, StoredMessage } from "./message-store.ts";
import { unwaited } from "../lib/unwaited.ts";

/** A part of a history as it goes out: its messages are JSON already. */
export interface SentPage extends Pick<HistoryPage, "hasMore" | "last"> {
  readonly messages: string;
}

export interface KeptPages {
  read(session: FoundSession, path: Ranges, range: HistoryRange, limit: number): Promise<SentPage>;
}

/** What a message says changes no more by itself; whoever changes it then gives its session a new version. */
const settled: ReadonlySet<StoredMessage["status"]> = new Set([
  "complete",
  "cancelled",
  "interrupted",
  "failed",
]);

/**
 * Pages of histories under the version of their session, which is read with the session itself, anew for each request: a
 * page of an earlier version is never asked for again, on whatever node and wherever it is kept. Nor is one kept in which
 * something runs or waits. Whether the caller may see the session is decided before, from the same row.
 */
export function createKeptPages(parts: {
  readonly messages: Pick<MessageStore, "history">;
  readonly cache: Cache;
  readonly ttlMs: number;
}): KeptPages {
  const { messages, cache, ttlMs } = parts;
  const readStored = async (...which: Parameters<KeptPages["read"]>) => {
    const [session, path, range, limit] = which;
    const page = await messages.history(session, path, {}, range, limit);
    return {
      page: sent(page),
      isSettled: page.messages.every(({ status }) => settled.has(status)),
    };
  };
  if (ttlMs === 0) return { read: async (...which) => (await readStored(...which)).page };
  return {
    async read(...which) {
      const [{ sessionId, version }, path, range, limit] = which;
      const key = `page:${sessionId}:${version}:${JSON.stringify([path, range, limit])}`;
      const found = await cache.read(key);
      if (found.hit) return decode(found.value);
      const { page, isSettled } = await readStored(...which);
      if (isSettled) unwaited(cache.fill(key, found.fillToken, encode(page), ttlMs));
      return page;
    },
  };
}

export function sent({ messages, hasMore, last }: HistoryPage): SentPage {
  return { hasMore, last, messages: JSON.stringify(messages.map(messageInfo)) };
}

/** Its messages, which are long, are not parsed again. */
function encode({ messages, ...rest }: SentPage): string {
  return `${JSON.stringify(rest)}\n${messages}`;
}

function decode(text: string): SentPage {
  const end = text.indexOf("\n");
  const rest = JSON.parse(text.slice(0, end)) as Pick<SentPage, "hasMore" | "last">;
  return { ...rest, messages: text.slice(end + 1) };
}
