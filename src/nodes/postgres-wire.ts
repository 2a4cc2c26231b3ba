import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Queryable } from "../database/database.ts";
import { withCertificate } from "../database/postgres.ts";
import { ownCertificate } from "../lib/certificates.ts";
import type { Logger } from "../telemetry/logger.ts";
import { outageOf, whyOf } from "../telemetry/outage.ts";
import { createAssembler, toFrames } from "./frames.ts";
import type { Wire } from "./wire.ts";
import { unwaited } from "../lib/unwaited.ts";

interface PostgresWireOptions {
  /** Of a connection that stays: not through a pooler that lends it for one transaction. */
  readonly url: string;
  readonly nodeId: string;
  /** What `url` must lead to as well. */
  readonly database: Queryable;
  readonly connectTimeoutMs: number;
  readonly logger: Logger;
  /** A node tells that it is there this often, and tries its own connection by hearing itself. */
  readonly beatMs?: number;
  /** Between two statements: what comes meanwhile goes with the next one. */
  readonly paceMs?: number;
}

/** Messages that wait to be sent; `to` null: to everybody. */
interface Waiting {
  readonly to: string | null;
  readonly json: string;
  readonly settle: (isSent: boolean) => void;
}

/** What one statement carries. */
const maxFlushBytes = 512 * 1024;
/** Who was silent for so many beats is gone. */
const silentBeats = 3;
const firstPauseMs = 100;
const maxPauseMs = 5_000;

/**
 * LISTEN and NOTIFY on one connection a node, apart from the pool. Each statement is a transaction of its own, which
 * writes nothing and waits for no disk: the lock of the server that a commit with NOTIFY takes is held for no longer
 * than it takes to put a few KiB into memory. Notifications come in the order of commits, and none is lost while the
 * connection lasts; when it is lost, this node is cut off until it has heard itself again.
 */
export function createPostgresWire(options: PostgresWireOptions): Wire {
  const { url, nodeId, database, connectTimeoutMs, logger, beatMs = 5_000, paceMs = 15 } = options;
  const outage = outageOf(logger, "the connection between nodes");
  const listeners = new Map<string, Set<(body: unknown, from: string) => void>>();
  const onPeer = new Set<(node: string) => void>();
  const onDown = new Set<() => void>();
  /** When each was heard last. */
  const peers = new Map<string, number>();
  const closing = new AbortController();
  const frames = createAssembler();
  let connection: { readonly client: pg.Client; readonly channel: string } | null = null;
  let isUp = false;
  let count = 0;
  let waiting: Waiting[] = [];
  let isFlushing = false;
  let heardSelf = Promise.withResolvers<void>();

  const heard = (node: string, isNew: boolean) => {
    const isKnown = peers.has(node);
    peers.set(node, performance.now());
    if (!isKnown || isNew) for (const tell of onPeer) tell(node);
  };

  const receive = (payload: string) => {
    const whole = frames.take(payload);
    if (whole === null) return;
    const { from, text } = whole;
    try {
      for (const [kind, body] of JSON.parse(text) as [string, unknown][]) {
        if (from === nodeId) {
          if (kind === "hello") heardSelf.resolve();
          continue;
        }
        if (!isUp) continue;
        if (kind === "bye") peers.delete(from);
        else heard(from, kind === "hello" && body === true);
        if (kind === "hello" && body === true) unwaited(send(from, "hello", false));
        for (const listener of listeners.get(kind) ?? []) listener(body, from);
      }
    } catch (error) {
      // Of a node of another version: what it means by it is not known here.
      logger.debug({ err: error, from }, "a message of another node is not understood");
    }
  };

  const flush = async () => {
    if (isFlushing) return;
    isFlushing = true;
    for (;;) {
      if (waiting.length === 0 || connection === null) break;
      const pause = delay(paceMs);
      let bytes = 0;
      const size = waiting.findIndex(({ json }) => (bytes += json.length) > maxFlushBytes);
      const batch = waiting.splice(0, size === -1 ? waiting.length : Math.max(1, size));
      const isSent = await notify(connection, batch);
      for (const { settle } of batch) settle(isSent);
      await pause;
    }
    isFlushing = false;
    if (connection === null) drop();
  };

  const notify = async (
    { client, channel }: NonNullable<typeof connection>,
    batch: readonly Waiting[],
  ): Promise<boolean> => {
    const texts = new Map<string, string[]>();
    for (const { to, json } of batch) {
      const name = to === null ? channel : `${channel}_${to}`;
      texts.set(name, [...(texts.get(name) ?? []), json]);
    }
    const names: string[] = [];
    const payloads: string[] = [];
    for (const [name, parts] of texts) {
      for (const frame of toFrames(nodeId, (count += 1), `[${parts.join(",")}]`)) {
        names.push(name);
        payloads.push(frame);
      }
    }
    try {
      await client.query({
        name: "notify",
        text: "SELECT count(pg_notify(name, payload)) FROM unnest($1::text[], $2::text[]) AS m (name, payload)",
        values: [names, payloads],
      });
      return true;
    } catch (error) {
      logger.debug({ err: error }, "other nodes could not be told");
      cut(client);
      return false;
    }
  };

  /** What waits is for those who were there: nobody is. */
  const drop = () => {
    const lost = waiting;
    waiting = [];
    for (const { settle } of lost) settle(false);
  };

  const send = (to: string | null, kind: string, body: unknown): Promise<boolean> => {
    if (connection === null) return Promise.resolve(false);
    return new Promise((settle) => {
      waiting.push({ to, json: JSON.stringify([kind, body]), settle });
      // What the same turn of the loop tells goes along.
      setImmediate(() => unwaited(flush()));
    });
  };

  /** Raises when this node does not hear itself. */
  const hearSelf = async (say: () => Promise<unknown>) => {
    heardSelf = Promise.withResolvers();
    if ((await say()) === false) throw new Error("the connection is lost");
    const late = delay(connectTimeoutMs, true, { ref: false });
    if ((await Promise.race([heardSelf.promise, late])) === true) {
      throw new Error(
        "notifications do not come through: they need a connection to the same database that is no pooler's (database.listen_url)",
      );
    }
  };

  /**
   * What the connection itself sends comes back even through a pooler that lends it for a transaction, and from any
   * database: what is sent on another one does not.
   */
  const tryOut = (channel: string) =>
    hearSelf(() => {
      const [frame] = toFrames(nodeId, (count += 1), '[["hello",false]]');
      return database.query("SELECT pg_notify($1, $2)", [`${channel}_${nodeId}`, frame]);
    });

  const forgetSilent = () => {
    const silent = performance.now() - silentBeats * beatMs;
    for (const [node, heardMs] of peers) {
      if (heardMs > silent) continue;
      peers.delete(node);
      frames.forget(node);
    }
  };

  /** One connection, until it is lost. Always raises why. */
  const connect = async (): Promise<never> => {
    const client = new pg.Client({
      connectionString: withCertificate(url, ownCertificate()),
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: connectTimeoutMs,
      keepAlive: true,
      application_name: "chat-service (between nodes)",
    });
    const lost = new Promise<never>((_, reject) => {
      closing.signal.addEventListener("abort", () => reject(new Error("closed")), { once: true });
      client.on("error", reject);
      client.on("end", () => reject(new Error("the connection was closed")));
    });
    lost.catch(() => undefined);
    try {
      await client.connect();
      // Services in schemas of one database do not hear each other.
      const { rows } = await client.query<{ channel: string }>(
        "SELECT 'chat_' || substr(md5(current_schema()), 1, 10) AS channel",
      );
      const channel = rows[0]?.channel ?? "chat";
      client.on("notification", ({ payload = "" }) => receive(payload));
      await client.query(`LISTEN "${channel}"`);
      await client.query(`LISTEN "${channel}_${nodeId}"`);
      connection = { client, channel };
      const lasts = async (): Promise<never> => {
        for (let isNew = true; ; isNew = false) {
          if (connection?.client !== client) throw new Error("the connection is lost");
          if (isNew) await tryOut(channel);
          isUp = true;
          await hearSelf(() => send(null, "hello", isNew));
          if (isNew) outage.back();
          await delay(beatMs, undefined, { ref: false });
          forgetSilent();
        }
      };
      return await Promise.race([lost, lasts()]);
    } finally {
      connection = null;
      peers.clear();
      drop();
      if (isUp) for (const tell of onDown) tell();
      isUp = false;
      cut(client);
    }
  };

  const run = async () => {
    for (let pauseMs = firstPauseMs; !closing.signal.aborted;) {
      const beganMs = performance.now();
      await connect().catch((error: unknown) => {
        if (!closing.signal.aborted) outage.lost(whyOf(error), error);
      });
      pauseMs = performance.now() - beganMs > beatMs * 2 ? firstPauseMs : pauseMs;
      await delay(pauseMs * (0.5 + Math.random()), undefined, { signal: closing.signal }).catch(
        () => undefined,
      );
      pauseMs = Math.min(maxPauseMs, pauseMs * 2);
    }
  };
  const running = run();

  const subscription = <T>(set: Set<T>, listener: T) => {
    set.add(listener);
    return () => void set.delete(listener);
  };

  return {
    hasPeers: () => peers.size > 0,
    send,
    on(kind, listener) {
      const set = listeners.get(kind) ?? new Set();
      listeners.set(kind, set);
      return subscription(set, listener);
    },
    onPeer: (listener) => subscription(onPeer, listener),
    onDown: (listener) => subscription(onDown, listener),
    status: () => ({ connected: isUp, peers: peers.size }),
    async close() {
      if (closing.signal.aborted) return;
      const { client } = connection ?? {};
      if (client !== undefined) {
        await Promise.race([send(null, "bye", null), delay(1_000, undefined, { ref: false })]);
      }
      closing.abort();
      if (client !== undefined) cut(client);
      await running;
    },
  };
}

/** At once: a server that does not answer is not waited for. */
function cut(client: pg.Client): void {
  client.end().catch(() => undefined);
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}
