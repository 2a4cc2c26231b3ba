import { setTimeout as delay } from "node:timers/promises";
import type { Wire } from "../../nodes/wire.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { isTerminal, type ReplyEventType } from "../reply-event.ts";
import { createMemoryReplyLog, type MemoryLogOptions } from "./memory.ts";
import { pageBytes, pageEvents, ReplyFenced, type ReplyLog } from "./reply-log.ts";
import type { AskStanding } from "./standing.ts";
import { unwaited } from "../../lib/unwaited.ts";

interface ForwardedLogOptions extends MemoryLogOptions {
  /** Closed by its owner, after this log. */
  readonly wire: Wire;
  readonly standing: AskStanding;
  readonly logger: Logger;
  /** Who follows says so this often. */
  readonly renewMs?: number;
}

/** A reply that somebody here follows and others make. */
interface Watch {
  /** Number of the newest event that came. */
  last: number;
  /** Others were told of it. */
  isTold: boolean;
  /** What comes after `last` was asked for, and has not come. */
  isAsking: boolean;
  /** Nothing has come since the last round. */
  isQuiet: boolean;
  /** Its owner has answered. */
  readonly answered: PromiseWithResolvers<void>;
  /** Until it is known what there is of it: readers wait for that, for a moment. */
  beginning: Promise<void> | null;
}

/** A node that follows a reply. */
interface Watcher {
  /** Number of the newest event that was sent to it. */
  sent: number;
  untilMs: number;
  /** To be told even if there is nothing. */
  isAsking: boolean;
  /** There may be something new. */
  isDue: boolean;
  isPumping: boolean;
}

type WatchBody = readonly [isNew: boolean, replies: readonly (readonly [string, number])[]];
type EventsBody = readonly [
  replyId: string,
  epoch: number,
  /** They are those that follow this one, as far as they are kept. */
  after: number,
  events: readonly (readonly [number, ReplyEventType, string])[],
];

/** An owner that does not answer in this time is gone, or busy: its row says what there is. */
const patienceMs = 250;
/** Who has not said so for this many rounds follows no more. */
const silentRounds = 5;
/** Replies named in one message. */
const batchReplies = 150;

/**
 * The reply log of nodes that have no Redis: each keeps the events of the replies that it makes. A node on which somebody
 * follows another one's reply asks for it, once for all who follow there, and the owner sends what it has and what
 * comes, for as long as the asking is renewed. What nobody follows from elsewhere costs nothing. While a node is cut off
 * from the others its readers are shown the checkpoints of the database.
 */
export function createForwardedReplyLog(options: ForwardedLogOptions): ReplyLog {
  const { wire, standing, logger, renewMs = 2_000 } = options;
  const memory = createMemoryReplyLog(options);
  /** Listeners of this node, by reply. */
  const bells = new Map<string, number>();
  /** Replies that are made here. */
  const owned = new Set<string>();
  const watches = new Map<string, Watch>();
  /** Of whom what is in memory came from another node. */
  const mirrored = new Set<string>();
  const watchers = new Map<string, Map<string, Watcher>>();
  const signals = new Set<(replyId: string) => void>();

  const tell = (kind: string, body: unknown) => {
    if (wire.hasPeers()) unwaited(wire.send(null, kind, body));
  };
  const lastOf = async (replyId: string) => (await memory.stat(replyId))?.last ?? 0;
  const forget = (replyId: string) => {
    mirrored.delete(replyId);
    return memory.drop(replyId);
  };

  // Of this node as one that follows.

  const isWhole = async (replyId: string) => {
    const last = await lastOf(replyId);
    const { events } = await memory.read(replyId, last - 1, 1, pageBytes);
    return events[0] !== undefined && isTerminal(events[0].type);
  };

  const follow = (replyId: string) => {
    if (owned.has(replyId) || watches.has(replyId)) return;
    const answered = Promise.withResolvers<void>();
    const watch: Watch = {
      last: 0,
      isTold: false,
      isAsking: false,
      isQuiet: false,
      answered,
      beginning: null,
    };
    watches.set(replyId, watch);
    watch.beginning = begin(replyId, watch).finally(() => {
      watch.beginning = null;
    });
  };

  const begin = async (replyId: string, watch: Watch) => {
    watch.last = await lastOf(replyId);
    // What was made here to its end is not asked for, nor anything where nobody is who could answer.
    if (!wire.hasPeers() || (await isWhole(replyId)) || watches.get(replyId) !== watch) return;
    tellWatches(true, [[replyId, watch]]);
    try {
      const status = await compare([replyId]);
      if (status.get(replyId) !== "streaming") return;
    } catch (error) {
      logger.debug({ replyId, err: error }, "the row of a followed reply cannot be asked");
    }
    await Promise.race([watch.answered.promise, delay(patienceMs, undefined, { ref: false })]);
  };

  /** Forgets what ends earlier here than in the database, so that readers go by that. */
  const compare = async (replyIds: readonly string[]) => {
    const rows = await standing(replyIds);
    for (const replyId of replyIds) {
      const row = rows.get(replyId);
      const isMade = row?.status === "streaming" || row?.status === "queued";
      if (isMade || owned.has(replyId)) continue;
      if (row === undefined || (await lastOf(replyId)) < row.eventSeq) await forget(replyId);
    }
    return new Map(replyIds.map((replyId) => [replyId, rows.get(replyId)?.status]));
  };

  const unfollow = (replyId: string) => {
    const watch = watches.get(replyId);
    if (watch === undefined) return;
    watches.delete(replyId);
    watch.answered.resolve();
    if (watch.isTold) tell("unwatch", [replyId]);
    // From here on nobody would add to it.
    if (mirrored.has(replyId) && !owned.has(replyId)) unwaited(forget(replyId));
  };

  const take = ([replyId, epoch, after, told]: EventsBody) => {
    const watch = watches.get(replyId);
    if (watch === undefined) return;
    watch.isQuiet = false;
    if (after > watch.last) {
      // Some were sent while this node was cut off.
      if (!watch.isAsking) tellWatches(true, [[replyId, watch]]);
      return;
    }
    watch.isAsking = false;
    const events = told.map(([seq, type, json]) => ({ seq, type, json }));
    const newest = events.at(-1)?.seq ?? 0;
    // The memory has them at once, or refuses them: what follows may come in the same piece.
    const refused = newest > watch.last ? memory.append(replyId, epoch, events) : undefined;
    if (newest > watch.last && refused === undefined) {
      mirrored.add(replyId);
      watch.last = newest;
    }
    watch.answered.resolve();
    refused?.catch((error: unknown) => {
      // Of one that has lost the reply and does not know it yet.
      if (error instanceof ReplyFenced) return;
      logger.error({ replyId, err: error }, "what another node has sent of a reply is not kept");
    });
  };

  const renew = async () => {
    dropSilent();
    const all = [...watches];
    tellWatches(
      true,
      all.filter(([, { isAsking }]) => isAsking),
    );
    tellWatches(
      false,
      all.filter(([, { isAsking }]) => !isAsking),
    );
    const quiet = all.filter(([, watch]) => watch.isQuiet).map(([replyId]) => replyId);
    for (const watch of watches.values()) watch.isQuiet = true;
    if (quiet.length === 0) return;
    await compare(quiet).catch((error: unknown) => {
      logger.debug({ err: error }, "the rows of followed replies cannot be asked");
    });
  };
  const tellWatches = (isNew: boolean, all: readonly (readonly [string, Watch])[]) => {
    for (let start = 0; start < all.length; start += batchReplies) {
      const replies = all.slice(start, start + batchReplies).map(([replyId, watch]) => {
        watch.isTold = true;
        watch.isAsking ||= isNew;
        return [replyId, watch.last] as const;
      });
      tell("watch", [isNew, replies] satisfies WatchBody);
    }
  };
  const timer = setInterval(() => unwaited(renew()), renewMs);
  timer.unref();

  // Of this node as one that is followed.

  const hear = ([isNew, replies]: WatchBody, node: string) => {
    const untilMs = performance.now() + silentRounds * renewMs;
    for (const [replyId, after] of replies) {
      const nodes = watchers.get(replyId) ?? new Map<string, Watcher>();
      watchers.set(replyId, nodes);
      let watcher = nodes.get(node);
      const isAsking = isNew || watcher === undefined;
      watcher ??= { sent: after, untilMs, isAsking, isDue: false, isPumping: false };
      nodes.set(node, watcher);
      watcher.untilMs = untilMs;
      watcher.sent = isAsking ? after : Math.max(watcher.sent, after);
      if (!isAsking) continue;
      watcher.isAsking = true;
      unwaited(pump(replyId, node, watcher));
    }
  };

  const pump = async (replyId: string, node: string, watcher: Watcher) => {
    watcher.isDue = true;
    if (watcher.isPumping) return;
    watcher.isPumping = true;
    while (watcher.isDue && watchers.get(replyId)?.get(node) === watcher) {
      watcher.isDue = false;
      const state = await memory.stat(replyId);
      // What was made elsewhere is told by those who make it.
      if (!owned.has(replyId) && (state === null || mirrored.has(replyId))) break;
      const { events } = await memory.read(replyId, watcher.sent, pageEvents, pageBytes);
      if (events.length === 0 && !watcher.isAsking) continue;
      watcher.isAsking = false;
      const told = events.map(({ seq, type, json }) => [seq, type, json] as const);
      const body: EventsBody = [replyId, state?.epoch ?? 0, watcher.sent, told];
      watcher.sent = events.at(-1)?.seq ?? watcher.sent;
      if (!(await wire.send(node, "events", body))) break;
      watcher.isDue ||= events.length > 0;
    }
    watcher.isPumping = false;
  };

  const ring = (replyId: string) => {
    const nodes = watchers.get(replyId);
    if (nodes === undefined) return;
    for (const [node, watcher] of nodes) unwaited(pump(replyId, node, watcher));
  };

  const leave = (replyId: string, node: string) => {
    const nodes = watchers.get(replyId);
    nodes?.delete(node);
    if (nodes?.size === 0) watchers.delete(replyId);
  };
  const dropSilent = () => {
    const now = performance.now();
    for (const [replyId, nodes] of watchers) {
      for (const [node, { untilMs }] of nodes) if (untilMs < now) leave(replyId, node);
    }
  };

  const hearSignal = (replyId: string) => {
    for (const listener of signals) listener(replyId);
  };

  const stops = [
    wire.on("watch", (body, node) => hear(body as WatchBody, node)),
    wire.on("unwatch", (body, node) => {
      for (const replyId of body as string[]) leave(replyId, node);
    }),
    wire.on("events", (body) => take(body as EventsBody)),
    wire.on("signal", (body) => hearSignal(body as string)),
    wire.on("drop", (body) => void (owned.has(body as string) || forget(body as string))),
    wire.onPeer(() => tellWatches(true, [...watches])),
    // Others ask anew; what they were to be sent meanwhile is sent then.
    wire.onDown(() => watchers.clear()),
    wire.onDown(() => {
      // So that readers go by the database for as long as it takes.
      for (const replyId of watches.keys()) if (mirrored.has(replyId)) unwaited(forget(replyId));
    }),
  ];

  return {
    kind: "forwarded",
    append(replyId, epoch, events) {
      // The memory has them at once, or refuses them.
      const refused = memory.append(replyId, epoch, events);
      if (refused === undefined) ring(replyId);
      return refused;
    },
    async read(replyId, after, limit, maxBytes) {
      const page = await memory.read(replyId, after, limit, maxBytes);
      const beginning = watches.get(replyId)?.beginning;
      if (page.events.length > 0 || beginning === null || beginning === undefined) return page;
      await beginning;
      return memory.read(replyId, after, limit, maxBytes);
    },
    stat: (replyId) => memory.stat(replyId),
    own(replyId) {
      owned.add(replyId);
      mirrored.delete(replyId);
      unfollow(replyId);
      memory.own(replyId);
    },
    release(replyId) {
      owned.delete(replyId);
      memory.release(replyId);
      if (bells.has(replyId)) follow(replyId);
    },
    onBell(replyId, listener) {
      const stop = memory.onBell(replyId, listener);
      bells.set(replyId, (bells.get(replyId) ?? 0) + 1);
      follow(replyId);
      let isOver = false;
      return () => {
        stop();
        if (isOver) return;
        isOver = true;
        const left = (bells.get(replyId) ?? 1) - 1;
        if (left > 0) return void bells.set(replyId, left);
        bells.delete(replyId);
        unfollow(replyId);
      };
    },
    async signal(replyId) {
      hearSignal(replyId);
      tell("signal", replyId);
    },
    onSignal(listener) {
      signals.add(listener);
      return () => signals.delete(listener);
    },
    async drop(replyId) {
      watchers.delete(replyId);
      await forget(replyId);
      tell("drop", replyId);
    },
    async close() {
      clearInterval(timer);
      for (const stop of stops) stop();
      await memory.close();
    },
  };
}
