import type { RedisArgument, RedisClient } from "../../redis/redis-client.ts";
import type { ReplyEventType } from "../reply-event.ts";
import type { LoggedEvent, LogPage, LogState } from "./reply-log.ts";
import { parseId } from "./reply-producer.ts";

type Entry = readonly [id: string, fields: readonly string[]];

interface Read {
  readonly epoch: number;
  readonly event: LoggedEvent;
}

/** Attempts that one look takes in; a reply has one, seldom two. */
const maxEpochs = 64;
/** Where a reader has got to, so that its next look needs one command; more readers than this look twice. */
const maxPlaces = 5_000;

/**
 * Reads streams by event number although their ids begin with the attempt: a page that starts where the last one ended
 * is one XRANGE; anything else first asks which attempts there are. Raises RedisUnavailable.
 */
export function createStreamReader(client: RedisClient, keyOf: (replyId: string) => string) {
  /** Attempt of the last event read, by reply, with that event's number; least recently used first. */
  const places = new Map<string, { seq: number; epoch: number }>();

  const remember = (replyId: string, last: Read | undefined) => {
    // Who reads from further back does not take the place from who is at the end.
    if (last === undefined || last.event.seq < (places.get(replyId)?.seq ?? 0)) return;
    places.delete(replyId);
    places.set(replyId, { seq: last.event.seq, epoch: last.epoch });
    for (const oldest of places.keys()) {
      if (places.size <= maxPlaces) break;
      places.delete(oldest);
    }
  };

  const range = (replyId: string, from: string, to: string, limit: number): RedisArgument[] => [
    "XRANGE",
    keyOf(replyId),
    from,
    to,
    "COUNT",
    limit,
  ];

  return {
    async read(replyId: string, after: number, limit: number, maxBytes: number): Promise<LogPage> {
      const count = Math.max(1, Math.min(limit, 200));
      const place = places.get(replyId);
      if (place !== undefined && place.seq === after) {
        const [entries, exists] = (await askAll([
          range(replyId, `${place.epoch}-${after + 1}`, "+", count),
          ["EXISTS", keyOf(replyId)],
        ])) as [Entry[], number];
        if (exists === 0) return { events: [], first: null };
        const events = inOrder(entries, after);
        if (events.length === 0) return { events: [], first: after };
        if (events[0]?.event.seq === after + 1) {
          const page = cut(events, count, maxBytes);
          remember(replyId, page.at(-1));
          return { events: page.map(({ event }) => event), first: after };
        }
      }
      const ends = await ask(replyId);
      if (ends === null) return { events: [], first: null };
      if (ends.last.seq <= after) {
        if (ends.last.seq === after) places.set(replyId, ends.last);
        return { events: [], first: ends.first.seq };
      }
      const commands: RedisArgument[][] = [];
      const lowest = Math.max(ends.first.epoch, ends.last.epoch - maxEpochs + 1);
      for (let epoch = lowest; epoch <= ends.last.epoch; epoch++) {
        commands.push(range(replyId, `${epoch}-${after + 1}`, String(epoch), count));
      }
      const results = (await askAll(commands)) as Entry[][];
      const page = cut(inOrder(results.flat(), after), count, maxBytes);
      remember(replyId, page.at(-1));
      return { events: page.map(({ event }) => event), first: ends.first.seq };
    },

    async stat(replyId: string): Promise<LogState | null> {
      const ends = await ask(replyId);
      if (ends === null) return null;
      return { first: ends.first.seq, last: ends.last.seq, epoch: ends.last.epoch };
    },

    forget(replyId: string): void {
      places.delete(replyId);
    },
  };

  async function askAll(commands: RedisArgument[][]): Promise<unknown[]> {
    const results = await client.sendAll(commands);
    const failed = results.find((result) => result instanceof Error);
    if (failed !== undefined) throw failed;
    return results;
  }

  async function ask(replyId: string) {
    const key = keyOf(replyId);
    const results = await askAll([
      ["XRANGE", key, "-", "+", "COUNT", 1],
      ["XREVRANGE", key, "+", "-", "COUNT", 1],
    ]);
    const [[first] = [], [last] = []] = results as Entry[][];
    if (first === undefined || last === undefined) return null;
    return { first: parseId(first[0]), last: parseId(last[0]) };
  }
}

/**
 * Each number once, rising, up to the first hole: a reply that was begun again after a loss may have its first events
 * twice, and a fail-over may have lost some in the middle.
 */
function inOrder(entries: readonly Entry[], after: number): Read[] {
  const events: Read[] = [];
  let last = after;
  for (const [id, [type = "", json = ""]] of entries) {
    const { epoch, seq } = parseId(id);
    if (seq <= last) continue;
    if (events.length > 0 && seq > last + 1) break;
    last = seq;
    events.push({ epoch, event: { seq, type: type as ReplyEventType, json } });
  }
  return events;
}

function cut(events: readonly Read[], limit: number, maxBytes: number): readonly Read[] {
  let end = 0;
  let size = 0;
  while (end < events.length && end < limit && size < maxBytes) {
    size += (events[end] as Read).event.json.length;
    end += 1;
  }
  return events.slice(0, end);
}
