import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../../telemetry/logger.ts";
import type { ReplyLog } from "../log/reply-log.ts";
import { withLogTail, withoutLog } from "../log/log-tail.ts";
import { stateContext } from "../making/backend-state.ts";
import type { ReplyRunner, RunMode } from "../making/reply-runner.ts";
import { ReplyStopped } from "../making/reply-stopped.ts";
import type { Ticket } from "./admission.ts";
import type { Handover, StartMode } from "./effect.ts";
import type { ReplyStore } from "./reply-store.ts";
import type { ClaimedReply } from "../reply.ts";
import { unwaited } from "../../lib/unwaited.ts";

interface SupervisorParts {
  readonly log: ReplyLog;
  readonly store: Pick<ReplyStore, "standing" | "letGo">;
  readonly logger: Logger;
  /** A runner for a reply that this node has claimed. */
  readonly createRunner: (
    reply: ClaimedReply,
    handover: { readonly ticket: Ticket | null; readonly userToken: string | undefined },
  ) => ReplyRunner;
  /** Writes the first events of a waiting reply again that has outlived its log. */
  readonly restoreOpening: (reply: ClaimedReply) => Promise<void>;
}

interface Start extends Handover {
  /** Its first events were written just now. */
  readonly isTold: boolean;
}

/** What was only starting when the node told its replies to stop is told so after this long. */
const drainLookMs = 100;

export type Supervisor = ReturnType<typeof createSupervisor>;

/** The replies that are being made on this node. */
export function createSupervisor(parts: SupervisorParts) {
  const { log, store, logger } = parts;
  const running = new Map<string, ReplyRunner>();
  /** Attempts by reply. */
  const starting = new Map<string, number>();
  /** Those who wait for the node to become idle. */
  const idle = new Set<() => void>();
  let isClosed = false;
  /** The time that replies had to end by themselves is over. */
  let isOver = false;

  /** Somebody has changed the row of a reply that may run here. */
  const look = (replyId: string): void => {
    const runner = running.get(replyId);
    if (runner !== undefined) unwaited(obey(runner));
  };
  const stopListening = log.onSignal(look);

  const obey = async (runner: ReplyRunner) => {
    const { replyId, sessionId, attempt } = runner.reply;
    // Unreachable database: the next checkpoint asks again.
    const state = await store.standing(sessionId, replyId).catch(() => undefined);
    if (state === undefined) return;
    if (state === null) runner.stop(new ReplyStopped("deleted", "session_deleted"));
    else if (state.attempt !== attempt) runner.stop(new ReplyStopped("fenced"));
    else if (state.cancelReason !== null) {
      runner.stop(new ReplyStopped("cancelled", state.cancelReason));
    }
  };

  /** The reply as far as it really came, and how its agent is called. */
  const prepare = async (
    reply: ClaimedReply,
    mode: StartMode,
    isTold: boolean,
  ): Promise<{ reply: ClaimedReply; mode: RunMode }> => {
    if (mode.kind === "continue") return { reply, mode };
    if (mode.kind === "run") {
      if (isTold) return { reply, mode };
      await parts.restoreOpening(reply).catch((error: unknown) => {
        // A log that refuses will refuse what follows too, and then the reply ends.
        logger.warn({ replyId: reply.replyId, err: error }, "a reply's opening cannot be written");
      });
      return { reply, mode };
    }
    const resumes = mode.kind === "resume";
    const stateLength = stateContext(reply.backendState)?.contentLength ?? reply.content.length;
    const whole = await withLogTail(log, reply, resumes).catch((error: unknown) => {
      logger.warn({ replyId: reply.replyId, err: error }, "a lost reply's events cannot be read");
      return withoutLog(reply);
    });
    return { reply: whole, mode: mode.kind === "resume" ? { ...mode, stateLength } : mode };
  };

  const make = async (runner: ReplyRunner, mode: RunMode): Promise<void> => {
    const { reply } = runner;
    try {
      await runner.run(mode);
    } catch (error) {
      // Whatever is wrong with one reply must not end the process. Nobody makes it from here on: it is found as lost.
      logger.error(
        { replyId: reply.replyId, sessionId: reply.sessionId, err: error },
        "reply could not be ended; it will be taken over",
      );
      await store.letGo(reply).catch(() => undefined); // then its lease runs out
    }
  };

  const tellIdle = () => {
    if (running.size + starting.size > 0) return;
    for (const resolve of idle) resolve();
    idle.clear();
  };

  return {
    /**
     * Makes a reply that this node has claimed; returns when that is under way. One that runs already is left alone.
     * While the node is closing, the reply is let go of for another one.
     */
    async start(claimed: ClaimedReply, startMode: StartMode, start: Start): Promise<void> {
      const { replyId } = claimed;
      const known = [starting.get(replyId), running.get(replyId)?.reply.attempt];
      if (known.includes(claimed.attempt)) return;
      if (isClosed) return store.letGo(claimed);
      const { ticket = null, userToken } = start;
      ticket?.hold();
      starting.set(replyId, claimed.attempt);
      try {
        const { reply, mode } = await prepare(claimed, startMode, start.isTold);
        // A later attempt came meanwhile: this one has lost the reply.
        if (starting.get(replyId) !== claimed.attempt) return;
        const runner = parts.createRunner(reply, { ticket, userToken });
        // Whoever made it here before has lost it, and is not found any more.
        running.get(replyId)?.stop(new ReplyStopped("fenced"));
        running.set(replyId, runner);
        ticket?.hold();
        unwaited(
          make(runner, mode).finally(() => {
            ticket?.release();
            if (running.get(replyId) === runner) running.delete(replyId);
            tellIdle();
          }),
        );
      } finally {
        ticket?.release();
        if (starting.get(replyId) === claimed.attempt) starting.delete(replyId);
        tellIdle();
      }
      // Whoever wanted it stopped meanwhile was not heard.
      if (!start.isTold) look(replyId);
    },

    look,

    /** Stops a reply if it runs here. */
    stop(replyId: string, reason: ReplyStopped): void {
      running.get(replyId)?.stop(reason);
    },

    /** Of a reply that runs on this node; undefined for others. */
    running(replyId: string): ReplyRunner | undefined {
      return running.get(replyId);
    },

    /** Whether replies that still run here have to be gone. */
    isOver: () => isOver,

    /** Replies that run on this node. */
    count: () => running.size,

    /** Lets running replies end for `graceMs`, then marks the rest as interrupted; starts none from now on. */
    async drain(graceMs: number): Promise<void> {
      const empty = () =>
        running.size + starting.size === 0
          ? Promise.resolve()
          : new Promise<void>((resolve) => {
              idle.add(resolve);
            });
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, graceMs);
      });
      isClosed = true;
      await Promise.race([empty(), deadline]);
      clearTimeout(timer);
      isOver = true;
      while (running.size + starting.size > 0) {
        for (const runner of running.values()) runner.stop(new ReplyStopped("shutdown"));
        await Promise.race([empty(), delay(drainLookMs)]);
      }
      stopListening();
    },
  };
}
