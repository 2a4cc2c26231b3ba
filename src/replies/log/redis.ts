import { RedisUnavailable, type RedisClient } from "../../redis/redis-client.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { ReplyLog } from "./reply-log.ts";
import { ReplyProducer } from "./reply-producer.ts";
import { createStreamReader } from "./stream-reader.ts";
import { trimLevel } from "./trim-level.ts";

interface RedisLogOptions {
  /** Closed by its owner, after this log. */
  readonly client: RedisClient;
  readonly keyPrefix: string;
  /** Of one reply; its oldest events are trimmed beyond. */
  readonly maxReplyBytes: number;
  /** Kept in this process for replies that it makes. */
  readonly maxTotalBytes: number;
  /** How long an ended reply is kept. */
  readonly retentionMs: number;
  readonly logger: Logger;
}

export interface RedisReplyLog extends ReplyLog {
  /** Redis is not keeping up: replies are shown from memory, and written when it is back. */
  isDegraded(): boolean;
}

/** An event is shown after this long even if Redis has not taken it; later ones then do not wait at all. */
const patienceMs = 250;

/**
 * The reply log of many nodes: one stream a reply, `{prefix}{<reply>}:ev`, with ids `<attempt>-<number>`. A plain XADD
 * then refuses whoever was fenced and makes repeats harmless. The node that makes a reply keeps its events in memory,
 * answers its own viewers from there and writes again what Redis loses. Redis being away delays nothing and fails
 * nothing; viewers on other nodes then see the checkpoints of the database.
 */
export function createRedisReplyLog(options: RedisLogOptions): RedisReplyLog {
  const { client, keyPrefix, logger } = options;
  const keyOf = (replyId: string) => `${keyPrefix}{${replyId}}:ev`;
  const channelOf = (replyId: string) => `${keyPrefix}{${replyId}}:b`;
  const signalChannel = `${keyPrefix}signal`;
  const producers = new Map<string, ReplyProducer>();
  const bells = new Map<string, { listeners: Set<() => void>; end: (() => void) | undefined }>();
  const signals = new Set<(replyId: string) => void>();
  const reader = createStreamReader(client, keyOf);
  let degraded = false;
  let closed = false;

  const stopSignals = client.subscribe(signalChannel, (replyId) => hear(replyId));
  const stopReady = client.onReady(() => {
    for (const producer of producers.values()) producer.retry();
  });

  const hear = (replyId: string) => {
    for (const listener of signals) listener(replyId);
  };
  const setDegraded = (value: boolean) => {
    if (degraded === value) return;
    degraded = value;
    // Of one that is away everybody knows.
    const level = client.isServing() ? "warn" : "debug";
    if (value) logger[level]({}, "reply log: Redis is not keeping up, replies go on from memory");
    else logger.info({}, "reply log: Redis is keeping up again");
  };

  /** Of all producers. */
  let totalBytes = 0;
  const counted = (producer: ReplyProducer, change: () => void) => {
    const before = producer.bytes;
    try {
      change();
    } finally {
      totalBytes += producer.bytes - before;
    }
  };
  const drop = (replyId: string, producer: ReplyProducer) => {
    producer.close();
    if (producers.get(replyId) !== producer) return;
    producers.delete(replyId);
    totalBytes -= producer.bytes;
  };
  const producerOf = (replyId: string): ReplyProducer => {
    let producer = producers.get(replyId);
    if (producer !== undefined) return producer;
    producer = new ReplyProducer({
      client,
      key: keyOf(replyId),
      channel: channelOf(replyId),
      maxBytes: options.maxReplyBytes,
      retentionMs: options.retentionMs,
      onWritten: () => setDegraded(false),
      onSettled() {
        const settled = producers.get(replyId);
        if (settled !== undefined && !settled.owned && !settled.isBehind) drop(replyId, settled);
      },
    });
    producers.set(replyId, producer);
    return producer;
  };

  /** Ended replies that wait for Redis go first, then the beginnings of running ones. */
  const makeRoom = () => {
    for (const [replyId, producer] of producers) {
      if (totalBytes <= options.maxTotalBytes) return;
      if (!producer.owned) drop(replyId, producer);
    }
    if (totalBytes <= options.maxTotalBytes) return;
    // Somewhat more than needed, so that this is not for every event.
    const level = trimLevel(
      [...producers.values()].map(({ bytes }) => bytes),
      options.maxTotalBytes * 0.9,
    );
    for (const producer of producers.values()) counted(producer, () => producer.trim(level));
  };

  /** A producer whose memory has the answer. */
  const memoryOf = (replyId: string): ReplyProducer | undefined => {
    const producer = producers.get(replyId);
    return producer !== undefined &&
      producer.first !== null &&
      (producer.owned || producer.isBehind)
      ? producer
      : undefined;
  };

  const listen = (replyId: string) => {
    const bell = bells.get(replyId);
    // Whoever makes the reply hands its events to local viewers directly.
    if (bell === undefined || producers.get(replyId)?.owned === true) return;
    bell.end ??= client.subscribe(channelOf(replyId), () => ring(replyId));
  };
  const ring = (replyId: string) => {
    for (const listener of bells.get(replyId)?.listeners ?? []) listener();
  };

  return {
    kind: "redis",
    isDegraded: () => degraded,
    async append(replyId, epoch, events) {
      const producer = producerOf(replyId);
      counted(producer, () => producer.add(epoch, events));
      makeRoom();
      ring(replyId);
      // It may still turn out that another epoch has written; the next append then says so.
      if (degraded || producers.get(replyId) !== producer) return;
      const isWritten = await within(patienceMs, producer.written(events.at(-1)?.seq ?? 0));
      if (!isWritten && !closed) setDegraded(true);
    },
    async read(replyId, afterSeq, limit, maxBytes) {
      const producer = memoryOf(replyId);
      if (producer !== undefined && afterSeq + 1 >= (producer.first ?? Infinity)) {
        return producer.read(afterSeq, limit, maxBytes);
      }
      try {
        const page = await reader.read(replyId, afterSeq, limit, maxBytes);
        if (page.first !== null || producer === undefined) return page;
      } catch (error) {
        if (!(error instanceof RedisUnavailable)) throw error;
      }
      return producer?.read(afterSeq, limit, maxBytes) ?? { events: [], first: null };
    },
    async stat(replyId) {
      const producer = memoryOf(replyId);
      const remembered =
        producer === undefined || producer.first === null
          ? null
          : { first: producer.first, last: producer.last, epoch: producer.epoch };
      // After a take-over Redis knows more about the beginning.
      if (remembered?.first === 1) return remembered;
      try {
        const stored = await reader.stat(replyId);
        if (stored === null || remembered === null) return stored ?? remembered;
        return { ...remembered, first: Math.min(stored.first, remembered.first) };
      } catch (error) {
        if (!(error instanceof RedisUnavailable)) throw error;
        return remembered;
      }
    },
    own(replyId) {
      producerOf(replyId).owned = true;
    },
    release(replyId) {
      const producer = producers.get(replyId);
      if (producer === undefined) return;
      producer.owned = false;
      if (!producer.isBehind) drop(replyId, producer);
      listen(replyId);
    },
    onBell(replyId, listener) {
      const bell = bells.get(replyId) ?? { listeners: new Set(), end: undefined };
      bells.set(replyId, bell);
      bell.listeners.add(listener);
      listen(replyId);
      return () => {
        if (!bell.listeners.delete(listener) || bell.listeners.size > 0) return;
        bell.end?.();
        reader.forget(replyId);
        if (bells.get(replyId) === bell) bells.delete(replyId);
      };
    },
    signal(replyId) {
      hear(replyId);
      client.publish(signalChannel, replyId);
      return Promise.resolve();
    },
    onSignal(listener) {
      signals.add(listener);
      return () => signals.delete(listener);
    },
    async drop(replyId) {
      const producer = producers.get(replyId);
      if (producer !== undefined) drop(replyId, producer);
      reader.forget(replyId);
      try {
        await client.send("UNLINK", keyOf(replyId));
      } catch (error) {
        // It expires by itself, and nobody can find it: its row is gone.
        logger.debug(
          { replyId, err: error },
          "the events of a deleted reply stay until they expire",
        );
      }
    },
    async close() {
      closed = true;
      stopSignals();
      stopReady();
      for (const bell of bells.values()) bell.end?.();
      bells.clear();
      for (const producer of producers.values()) producer.close();
      producers.clear();
    },
  };
}

/** False when it takes longer than `timeMs`; raises what `work` raises before. */
async function within(timeMs: number, work: Promise<void>): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(late.resolve, timeMs, false);
  timer.unref();
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
