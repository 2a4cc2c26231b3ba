import { isTerminal } from "../reply-event.ts";
import { ReplyFenced, type LoggedEvent, type ReplyLog } from "./reply-log.ts";

interface MemoryLogOptions {
  /** Of one reply; its oldest events are trimmed beyond. */
  readonly maxReplyBytes: number;
  /** Of all replies; the longest-ended ones are dropped beyond. */
  readonly maxTotalBytes: number;
  /** How long an ended reply is kept. */
  readonly retentionMs: number;
  readonly now?: () => number;
}

interface Entry {
  events: LoggedEvent[];
  epoch: number;
  bytes: number;
  endedAt: number | null;
}

/** What an event costs in memory beside its text, roughly. */
const overheadBytes = 96;

/** The reply log of a single process. */
export function createMemoryReplyLog(options: MemoryLogOptions): ReplyLog {
  const now = options.now ?? Date.now;
  /** In order of their end for ended replies: an entry is re-inserted when it ends. */
  const entries = new Map<string, Entry>();
  const bells = new Map<string, Set<() => void>>();
  const signals = new Set<(replyId: string) => void>();
  let totalBytes = 0;

  const remove = (replyId: string, entry: Entry) => {
    entries.delete(replyId);
    totalBytes -= entry.bytes;
  };

  /** Expired replies, then under pressure the longest-ended ones; running replies are never dropped, only trimmed. */
  const evict = () => {
    const expired = now() - options.retentionMs;
    for (const [replyId, entry] of entries) {
      if (entry.endedAt === null) continue;
      if (entry.endedAt > expired && totalBytes <= options.maxTotalBytes) break;
      remove(replyId, entry);
    }
  };
  const sweep = setInterval(evict, Math.min(60_000, Math.max(1_000, options.retentionMs)));
  sweep.unref();

  const trim = (entry: Entry) => {
    let count = 0;
    // A quarter at once, so that a long reply is not shifted event by event. The newest event always stays.
    const target = options.maxReplyBytes * 0.75;
    while (entry.bytes > target && count < entry.events.length - 1) {
      const size = sizeOf(entry.events[count] as LoggedEvent);
      entry.bytes -= size;
      totalBytes -= size;
      count += 1;
    }
    if (count > 0) entry.events.splice(0, count);
  };

  return {
    kind: "memory",
    append(replyId, epoch, events) {
      let entry = entries.get(replyId);
      if (entry === undefined) {
        entry = { events: [], epoch, bytes: 0, endedAt: null };
        entries.set(replyId, entry);
      }
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
        if (isTerminal(event.type)) {
          entry.endedAt = now();
          entries.delete(replyId);
          entries.set(replyId, entry);
        }
      }
      if (entry.bytes > options.maxReplyBytes) trim(entry);
      if (totalBytes > options.maxTotalBytes) evict();
      for (const listener of bells.get(replyId) ?? []) listener();
      return Promise.resolve();
    },
    read(replyId, after, limit, maxBytes) {
      const kept = entries.get(replyId)?.events ?? [];
      const first = kept[0]?.seq ?? null;
      if (first === null) return Promise.resolve({ events: [], first });
      // Numbers have no gaps, so the position follows from the number.
      const start = Math.max(0, after + 1 - first);
      let end = start;
      let size = 0;
      while (end < kept.length && end - start < limit && size < maxBytes) {
        size += sizeOf(kept[end] as LoggedEvent);
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
    own() {},
    release() {},
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

function sizeOf(event: LoggedEvent): number {
  return event.json.length + overheadBytes;
}
