import { noBudgets } from "../../src/usage/budgets.ts";
import { createCatalogue } from "../../src/agents/catalogue.ts";
import { createUpstreamJobs } from "../../src/agents/upstream-jobs.ts";
import { createAttachmentStore } from "../../src/attachments/attachment-store.ts";
import { createStorageQuota } from "../../src/attachments/storage-quota.ts";
import { createCommands } from "../../src/chat/commands.ts";
import {
  CommitUnanswered,
  type Database,
  type Queryable,
  type Transaction,
} from "../../src/database/database.ts";
import { ignoreEvent, type RecordEvent } from "../../src/events/business-event.ts";
import { createIdempotencyStore } from "../../src/idempotency/idempotency-store.ts";
import { createOpenIdentity } from "../../src/identity/open.ts";
import { createJobs } from "../../src/jobs/jobs.ts";
import { newId } from "../../src/lib/ids.ts";
import { Problem } from "../../src/problems/problem.ts";
import type { ReplyLimits } from "../../src/replies/lifecycle/admission.ts";
import { createReplies } from "../../src/replies/lifecycle/replies.ts";
import { createReplyStore } from "../../src/replies/lifecycle/reply-store.ts";
import { createMemoryReplyLog } from "../../src/replies/log/memory.ts";
import type { LoggedEvent, ReplyLog } from "../../src/replies/log/reply-log.ts";
import { createCheckpoints } from "../../src/replies/making/checkpoints.ts";
import { createFlushBeat } from "../../src/replies/making/flush-beat.ts";
import { createReplyReaders } from "../../src/replies/reading/follow-reply.ts";
import { createReplyFeeds } from "../../src/replies/reading/reply-feeds.ts";
import { createActiveLimit } from "../../src/sessions/active-limit.ts";
import { createInsertSession } from "../../src/sessions/insert-session.ts";
import { createSessionStore } from "../../src/sessions/session-store.ts";
import type { Logger } from "../../src/telemetry/logger.ts";
import type { ReplyFields, ReplyOutcome, Telemetry } from "../../src/telemetry/telemetry.ts";
import { createUpstream } from "./scripted-upstream.ts";

/** What is done to a node's next transaction. */
type CommitFault = "committed, answer lost" | "not committed, answer lost" | "dies after it";

export interface HeartOptions {
  readonly limits: ReplyLimits;
  readonly maxQueued: number;
  /** Whether other services are told what happens; absent: they are. */
  readonly isHeard?: boolean;
}

export type Heart = ReturnType<typeof createHeart>;
export type HeartNode = ReturnType<Heart["startNode"]>;

/** A process that has died does nothing more: whatever it tries comes to this. */
export class NodeDied extends Error {
  override readonly name = "NodeDied";
}

/** The log is there and refuses: not what "cannot be reached" means, which it answers for itself. */
class LogRefused extends Error {
  override readonly name = "LogRefused";
}

/** An event as a node has appended it. */
export interface Appended extends LoggedEvent {
  readonly replyId: string;
  readonly epoch: number;
}

/**
 * The heart of the service without its doors: nodes that accept, make, hand on and tell replies, over one database, one
 * log and agents that do what they are told, with the faults that life has. Nothing in it waits for a time: `quiet`
 * resolves when nothing can happen any more without somebody's doing.
 */
export function createHeart(database: Database, options: HeartOptions) {
  const upstream = createUpstream();
  const sharedLog = createMemoryReplyLog({
    maxReplyBytes: 16 * 1024 * 1024,
    maxTotalBytes: 64 * 1024 * 1024,
    retentionMs: 3_600_000,
  });
  const appended: Appended[] = [];
  const told = {
    sessions: [] as string[],
    turns: [] as string[],
    ends: [] as { readonly replyId: string; readonly status: string }[],
    /** For other services, by the transactions that were tried. */
    business: [] as string[],
  };
  /** Replies whose owners were told to look at their rows. */
  const signals: string[] = [];
  /** Lines that a node has logged as errors. */
  const errors: string[] = [];
  const nodes: { die(): void; stop(): Promise<void> }[] = [];
  let isLogRefusing = false;
  /** Queries that nodes wait for. */
  let pending = 0;

  /** Resolves when no node waits for the database and none is about to. */
  const quiet = async (): Promise<void> => {
    for (let calm = 0; calm < 4; calm += 1) {
      await new Promise(setImmediate);
      if (pending > 0) calm = 0;
    }
  };

  const startNode = () => {
    const nodeId = newId();
    let isGone = false;
    let isClosed = false;
    /** Until then what was let in before may still begin. */
    let isDrained = false;
    let isAway = false;
    /** Two faults in a row may leave a reply with this node that it does not know of: then its lease runs out. */
    let hasFaults = false;
    let fault: CommitFault | null = null;
    let meanwhile: (() => Promise<void>) | undefined;
    let timesLeft = 0;
    let refuses: ((sql: string, params: readonly unknown[]) => boolean) | null = null;
    /** Of two transactions in a row one answer is lost, never both. */
    let isSpared = false;

    const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
      if (isGone) throw new NodeDied();
      pending += 1;
      try {
        if (isAway) {
          isAway = false;
          throw new Problem("storage_unavailable", {}, { retryAfterSeconds: 2 });
        }
        const result = await work();
        if (isGone) throw new NodeDied();
        return result;
      } finally {
        pending -= 1;
      }
    };
    /** `isSound` raises what was refused: nobody may have waited for the answer, and it fails the transaction all the same. */
    const within = (tx: Queryable): Transaction & { readonly isSound: () => Promise<void> } => {
      let failed: Promise<never> | null = null;
      const fail = (error: Error): Promise<never> => {
        const answer = Promise.reject(error);
        answer.catch(() => undefined);
        failed ??= answer;
        return answer;
      };
      const living = <T>(work: () => Promise<T>): Promise<T> =>
        isGone ? fail(new NodeDied()) : work();
      const query: Queryable["query"] = (sql, params = []) =>
        refuses?.(sql, params) === true
          ? fail(new Error("refused"))
          : living(() => tx.query(sql, params));
      return {
        query,
        ask: (sql, params) => void query(sql, params).catch((error: Error) => void fail(error)),
        execute: (sql) => living(() => tx.execute(sql)),
        // It comes when it is known what happens to it.
        commit() {},
        isSound: async () => {
          if (failed !== null) await failed;
        },
      };
    };
    const unanswered = () =>
      new Problem(
        "storage_unavailable",
        {},
        { retryAfterSeconds: 2, cause: new CommitUnanswered("lost") },
      );
    const seen: Database = {
      ...database,
      query: (sql, params) => guarded(() => database.query(sql, params)),
      execute: (sql) => guarded(() => database.execute(sql)),
      transaction: (work) =>
        guarded(async () => {
          let happens: CommitFault | null = null;
          const result = await database.transaction(async (tx) => {
            const seenByNode = within(tx);
            const result = await work(seenByNode);
            await seenByNode.isSound();
            happens = isSpared ? null : fault;
            isSpared = false;
            if (happens !== null && (timesLeft -= 1) === 0) fault = null;
            if (happens === "not committed, answer lost") {
              isSpared = timesLeft === 0;
              throw unanswered();
            }
            return result;
          });
          if (happens === "dies after it") die();
          if (happens === "committed, answer lost") {
            isSpared = timesLeft === 0;
            await meanwhile?.();
            throw unanswered();
          }
          return result;
        }),
    };

    const reach = <T>(work: () => Promise<T>): Promise<T> => {
      if (isGone) return Promise.reject(new NodeDied());
      if (isLogRefusing) return Promise.reject(new LogRefused());
      return work();
    };
    const log: ReplyLog = {
      ...sharedLog,
      append: (replyId, epoch, events) =>
        reach(async () => {
          await sharedLog.append(replyId, epoch, events);
          appended.push(...events.map((event) => ({ ...event, replyId, epoch })));
        }),
      read: (...args) => reach(() => sharedLog.read(...args)),
      stat: (replyId) => reach(() => sharedLog.stat(replyId)),
      signal: (replyId) => {
        signals.push(replyId);
        return reach(() => sharedLog.signal(replyId));
      },
      drop: (replyId) => reach(() => sharedLog.drop(replyId)),
    };

    const logger: Logger = {
      debug() {},
      info() {},
      warn() {},
      error(fields, message) {
        const { err } = fields as { err?: unknown };
        if (!isGone) errors.push(err === undefined ? message : `${message}: ${String(err)}`);
      },
      child: () => logger,
    };
    let running = 0;
    const telemetry: Telemetry = {
      sessionCreated: ({ sessionId }) => told.sessions.push(sessionId),
      turnAccepted({ replyId, joins }) {
        // A reply that answers several messages is told of with each.
        if (joins === undefined) told.turns.push(replyId);
      },
      replyStarted: () => {
        running += 1;
      },
      replyEnded: ({ replyId }: ReplyFields, { status }: ReplyOutcome) => {
        running -= 1;
        if (!isGone) told.ends.push({ replyId, status });
      },
      rated() {},
      problem() {},
      speech() {},
      viewers() {},
    };

    const agentsNode = {
      runs: new Set<never>(),
      limits: options.limits,
      isGone: () => isGone,
      isClosed: () => isDrained,
    };
    const catalogue = createCatalogue({
      backends: [
        upstream.backend("lasting", agentsNode, true),
        upstream.backend("passing", agentsNode, false),
      ],
      defaultAgent: "lasting",
      answersInWords: true,
      refreshMs: 3_600_000,
      logger,
    });
    const jobs = createJobs({
      database: seen,
      handlers: createUpstreamJobs(catalogue),
      logger,
      pollMs: 3_600_000,
    });
    const feeds = createReplyFeeds({ log, heartbeatMs: 200, sweepMs: 100, logger });
    const store = createReplyStore(seen);
    const attachments = createAttachmentStore(seen, createStorageQuota(0));
    const sessionStore = createSessionStore(seen);
    const noteEvent: RecordEvent = async (_, { type, data }) => {
      told.business.push(
        `${type} ${"message_id" in data ? data.message_id : "session_id" in data ? data.session_id : ""}`,
      );
    };
    const recordEvent = options.isHeard === false ? ignoreEvent : noteEvent;
    const replies = createReplies(
      {
        database: seen,
        jobs,
        log,
        feeds,
        beat: createFlushBeat(),
        store,
        checkpoints: createCheckpoints(seen, leaseSeconds),
        catalogue,
        telemetry,
        logger,
        speak: () => null,
        recordEvent,
        budgets: noBudgets,
        idempotency: createIdempotencyStore(seen, 24),
        attachments,
        attachmentsOf: attachments.ofMessages,
        keepFile: (message, file) => attachments.keep(message, file),
        filesOf: (sessionId, ids) => attachments.ofSession(sessionId, ids),
        insertSession: createInsertSession(
          sessionStore,
          createActiveLimit(sessionStore, 0),
          recordEvent,
        ),
      },
      {
        nodeId,
        leaseSeconds,
        historyMessages: 0,
        maxReplyMs: 3_600_000,
        maxReplyBytes: 1024 * 1024,
        maxQueued: options.maxQueued,
        maxMessageLength: 10_000,
        maxUploadBytes: 1024 * 1024,
        prices: {},
        limits: options.limits,
      },
    );
    const { follow } = createReplyReaders({
      feeds,
      log,
      store,
      runnerOf: replies.running,
      heartbeatMs: 200,
    });
    const commands = createCommands({
      identity: createOpenIdentity(),
      sessions: {
        prepare: ({ userId, config, metadata }) =>
          Promise.resolve({
            sessionId: newId(),
            userId,
            agentId: "lasting",
            title: null,
            config,
            metadata,
          }),
      },
      catalogue,
      replies,
      replyStore: store,
      budgets: noBudgets,
      follow,
      limiter: { take: () => Promise.resolve({ allowed: true, retryAfterMs: 0, remaining: 1 }) },
      messageRateLimit: 0,
      keyRateLimit: 0,
    });

    const dying = new AbortController();
    const die = () => {
      isGone = true;
      dying.abort();
      upstream.wake();
    };
    jobs.start();
    const node = {
      nodeId,
      commands,
      replies,
      jobs,
      ready: catalogue.start(),
      isGone: () => isGone,
      /** Gone, or on its way. */
      isClosed: () => isGone || isClosed,
      /** Replies that telemetry believes to run. */
      running: () => running,
      follow: (replyId: string, after: number, signal: AbortSignal) =>
        follow(replyId, after, AbortSignal.any([signal, dying.signal])),
      /** Null takes it back. `before` happens between the commit and the node's hearing that its answer was lost. */
      failCommit(next: CommitFault | null, before?: () => Promise<void>, times = 1): void {
        fault = next;
        meanwhile = before;
        timesLeft = times;
        isSpared = false;
        hasFaults ||= next !== null;
      },
      /** Statements of its transactions that the database refuses. */
      failWhen(fits: ((sql: string, params: readonly unknown[]) => boolean) | null): void {
        refuses = fits;
      },
      /** Its next query finds no database. */
      loseDatabase(isLost: boolean): void {
        isAway = isLost;
        hasFaults ||= isLost;
      },
      /** Ends as a killed process does. */
      die,
      /** Ends as a process does that is told to. */
      async shutDown(): Promise<void> {
        isClosed = true;
        fault = null;
        isAway = false;
        await replies.drain(0);
        isDrained = true;
        // Somebody may have cancelled what another node has left: that is let go of too.
        await quiet();
        if (isGone || hasFaults) return die();
        const { rows } = await database.query(
          "SELECT message_id FROM messages WHERE lease_owner = $1 AND lease_until > now()",
          [nodeId],
        );
        if (rows.length > 0) upstream.faults.push("a closed node holds replies");
        die();
      },
      async stop(): Promise<void> {
        die();
        await jobs.stop();
        catalogue.close();
        feeds.close();
      },
    };
    nodes.push(node);
    return node;
  };

  return {
    database,
    upstream,
    appended,
    told,
    signals,
    errors,
    startNode,
    /** What the log has of a reply, whoever asks. */
    log: sharedLog,
    refuseLog(isRefusing: boolean): void {
      isLogRefusing = isRefusing;
    },
    quiet,
    /** The lease of these runs out now: of a node, or of a reply. */
    async expireLeases(of: { readonly nodeId: string } | { readonly replyId: string }) {
      await ("nodeId" in of
        ? database.query(
            "UPDATE messages SET lease_until = now() - interval '1 hour' WHERE lease_owner = $1",
            [of.nodeId],
          )
        : database.query(
            `UPDATE messages SET lease_until = now() - interval '1 hour'
             WHERE message_id = $1 AND status = 'streaming'`,
            [of.replyId],
          ));
    },
    async close(): Promise<void> {
      isLogRefusing = false;
      for (const node of nodes) node.die();
      await Promise.all(nodes.map((node) => node.stop()));
      await sharedLog.close();
    },
  };
}

/** Long enough that only `expireLeases` ends one. */
const leaseSeconds = 3_600;
