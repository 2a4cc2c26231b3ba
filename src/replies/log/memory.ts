import { isAtRest } from "../reply-event.ts";
import { ReplyFenced, type LoggedEvent, type ReplyLog } from "./reply-log.ts";
import { trimLevel } from "./trim-level.ts";

export interface MemoryLogOptions {
  /** Of one reply; its oldest events are trimmed beyond. */
  readonly maxReplyBytes: number;
  /** Of all replies. */
  readonly maxTotalBytes: number;
  /** How long a reply is kept that has ended or was released. */
  readonly retentionMs: number;
  readonly now?: () => number;
}

interface Entry {
  events: LoggedEvent[];
  epoch: number;
  bytes: number;
  /** It is being made. */
  isOwned: boolean;
  /** When the last that is known of it was written; null while it is being made, or waits to be. */
  restsSince: number | null;
}

/** What an event costs in memory beside its text, roughly. */
const overheadBytes = 96;

/** The reply log of a single process. */
export function createMemoryReplyLog(options: MemoryLogOptions): ReplyLog {
  const now = options.now ?? Date.now;
  /** Those at rest in the order in which they came to it. */
  const entries = new Map<string, Entry>();
  const bells = new Map<string, Set<() => void>>();
  const signals = new Set<(replyId: string) => void>();
  let totalBytes = 0;

  const entryOf = (replyId: string): Entry => {
    let entry = entries.get(replyId);
    if (entry === undefined) {
      entry = { events: [], epoch: 0, bytes: 0, isOwned: false, restsSince: null };
      entries.set(replyId, entry);
    }
    return entry;
  };

  const remove = (replyId: string, entry: Entry) => {
    entries.delete(replyId);
    totalBytes -= entry.bytes;
  };

  const rest = (replyId: string, entry: Entry) => {
    entry.restsSince = now();
    entries.delete(replyId);
    entries.set(replyId, entry);
  };

  /** A part at once, so that a long reply is not shifted event by event. The newest event always stays. */
  const trim = (entry: Entry, bytes: number) => {
    let count = 0;
    while (entry.bytes > bytes && count < entry.events.length - 1) {
      const size = sizeOf(entry.events[count] as LoggedEvent);
      entry.bytes -= size;
      totalBytes -= size;
      count += 1;
    }
    if (count > 0) entry.events.splice(0, count);
  };

  const dropExpired = () => {
    const expired = now() - options.retentionMs;
    for (const [replyId, entry] of entries) {
      if (entry.restsSince === null) continue;
      if (entry.restsSince > expired) break;
      remove(replyId, entry);
    }
  };
  const sweep = setInterval(dropExpired, Math.min(60_000, Math.max(1_000, options.retentionMs)));
  sweep.unref();

  /** What rests the longest goes first, then what waits (it is written anew when it begins), then beginnings. */
  const makeRoom = () => {
    const isOver = () => totalBytes > options.maxTotalBytes;
    if (!isOver()) return;
    dropExpired();
    for (const mayGo of [rests, waits]) {
      for (const [replyId, entry] of entries) {
        if (!isOver()) return;
        if (mayGo(entry)) remove(replyId, entry);
      }
    }
    if (!isOver()) return;
    // What is left is all being made. Somewhat more than needed, so that this is not for every event.
    const level = trimLevel(
      [...entries.values()].map(({ bytes }) => bytes),
      options.maxTotalBytes * 0.9,
    );
    for (const entry of entries.values()) trim(entry, level);
  };

  return {
    kind: "memory",
    append(replyId, epoch, events) {
      const entry = entryOf(replyId);
      if (entry.epoch > epoch) {
        return Promise.reject(new ReplyFenced(`epoch ${entry.epoch} has taken over from ${epoch}`));
      }
      entry.epoch = epoch;
      const last = entry.events.at(-1)?.seq ?? 0;
      for (const event of events) {
        if (event.seq <= last) continue;
        entry.events.push(event);
        const size = sizeOf(event);
        entry.bytes += size;
        totalBytes += size;
        entry.restsSince = null;
        if (isAtRest(event.type)) rest(replyId, entry);
      }
      if (entry.bytes > options.maxReplyBytes) trim(entry, options.maxReplyBytes * 0.75);
      makeRoom();
      const listeners = bells.get(replyId);
      if (listeners !== undefined) for (const listener of listeners) listener();
      return undefined;
    },
    read(replyId, after, limit, maxBytes) {
      const kept = entries.get(replyId)?.events ?? [];
      const first = kept[0]?.seq ?? null;
      if (first === null) return Promise.resolve({ events: [], first });
      // Numbers have no gaps within an attempt, but a take-over may have skipped some: at most so far in is the next.
      let start = Math.min(kept.length, Math.max(0, after + 1 - first));
      while (start > 0 && (kept[start - 1] as LoggedEvent).seq > after) start -= 1;
      let end = start;
      let size = 0;
      while (end < kept.length && end - start < limit && size < maxBytes) {
        const event = kept[end] as LoggedEvent;
        if (end > start && event.seq !== (kept[end - 1] as LoggedEvent).seq + 1) break;
        size += sizeOf(event);
        end += 1;
      }
      return Promise.resolve({ events: kept.slice(start, end), first });
    },
    stat(replyId) {
      const entry = entries.get(replyId);
      const first = entry?.events[0];
      const last = entry?.events.at(-1);
      return Promise.resolve(
        entry === undefined || first === undefined || last === undefined
          ? null
          : { first: first.seq, last: last.seq, epoch: entry.epoch },
      );
    },
    own(replyId) {
      const entry = entryOf(replyId);
      entry.isOwned = true;
      entry.restsSince = null;
    },
    release(replyId) {
      const entry = entries.get(replyId);
      if (entry === undefined) return;
      entry.isOwned = false;
      if (entry.restsSince === null) rest(replyId, entry);
    },
    onBell(replyId, listener) {
      const listeners = bells.get(replyId) ?? new Set();
      bells.set(replyId, listeners.add(listener));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) bells.delete(replyId);
      };
    },
    signal(replyId) {
      for (const listener of signals) listener(replyId);
      return Promise.resolve();
    },
    onSignal(listener) {
      signals.add(listener);
      return () => signals.delete(listener);
    },
    drop(replyId) {
      const entry = entries.get(replyId);
      if (entry !== undefined) remove(replyId, entry);
      return Promise.resolve();
    },
    close() {
      clearInterval(sweep);
      entries.clear();
      totalBytes = 0;
      return Promise.resolve();
    },
  };
}

const rests = (entry: Entry) => entry.restsSince !== null;
const waits = (entry: Entry) => !entry.isOwned;

function sizeOf(event: LoggedEvent): number {
  return event.json.length + overheadBytes;
}
