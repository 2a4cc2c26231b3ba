import type { Decision, Requirement } from "../../agents/agent-backend.ts";
import type { Catalogue } from "../../agents/catalogue.ts";
import type { Database } from "../../database/database.ts";
import type { RecordEvent } from "../../events/business-event.ts";
import type { EarlierResult, IdempotencyStore } from "../../idempotency/idempotency-store.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { newId } from "../../lib/ids.ts";
import { Problem } from "../../problems/problem.ts";
import {
  ReplyRunner,
  type EndReply,
  type RunnerParts,
  type RunnerSettings,
} from "../making/reply-runner.ts";
import type { Budgets } from "../../usage/budgets.ts";
import type { Prices } from "../../usage/spent.ts";
import { accept, KeyTaken } from "./accept.ts";
import type { Acceptance, Accepted, AcceptParts } from "./acceptance.ts";
import { createAdmission, type ReplyLimits, type Ticket } from "./admission.ts";
import { cancel, type CancelRequest, type CancelResult } from "./cancel.ts";
import type { HasRoom } from "./claim.ts";
import { cutToHeard, type Cut } from "./cut-to-heard.ts";
import { goOn } from "./continue.ts";
import { finishReply, type Writing } from "./finish.ts";
import { forget } from "./forget.ts";
import { createLifecycle } from "./lifecycle.ts";
import { openingEvent } from "./opening.ts";
import type { ReplyStore } from "./reply-store.ts";
import type { Handover } from "./effect.ts";
import { createKnownSessions } from "./known-sessions.ts";
import { createPerformEffects, type PerformEffects } from "./perform-effects.ts";
import { remove } from "./remove.ts";
import type { ClaimedReply } from "../reply.ts";
import { takeIn } from "./take-in.ts";
import { startWaiting } from "./start-waiting.ts";
import { createSupervisor } from "./supervisor.ts";
import { amend, type Amendment } from "./waiting.ts";
import { queuedEvent } from "./tell-waiting.ts";
import { lostReplies, stalledSessions, takeOver, type LostReply } from "./take-over.ts";
import type { Transition } from "./transition.ts";

/** What replies are made with. */
export interface ReplyParts extends RunnerParts {
  readonly catalogue: RunnerParts["catalogue"] & Pick<Catalogue, "answersInWords">;
  readonly store: ReplyStore;
  readonly database: Database;
  readonly jobs: Pick<Jobs, "insert" | "nudge">;
  readonly idempotency: Pick<IdempotencyStore, "claim" | "claiming" | "find">;
  readonly attachments: AcceptParts["attachments"];
  readonly insertSession: AcceptParts["insertSession"];
  /** Notes for other services what has become of a reply, in its own transaction. */
  readonly recordEvent: RecordEvent;
  readonly budgets: Pick<Budgets, "used">;
  /** A reply or a message has got into another state, in the database. */
  readonly onCommitted?: () => void;
}

export interface ReplySettings extends RunnerSettings {
  /** Names this process in leases. */
  readonly nodeId: string;
  readonly leaseSeconds: number;
  readonly maxQueued: number;
  /** Of what is answered together too. */
  readonly maxMessageLength: number;
  readonly maxUploadBytes: number;
  readonly prices: Prices;
  readonly writing?: Writing;
  readonly limits: ReplyLimits;
}

/** A message to be answered, and the token of whoever sent it. */
export type NewTurn = Omit<Acceptance, "replyId" | "userMessageId" | "admit">;

export interface Continuation {
  readonly sessionId: string;
  readonly replyId: string;
  readonly agentId: string;
  readonly userId: string;
  readonly decisions: readonly Decision[];
  /** Raises when the decisions do not fit what is open. */
  readonly check: (requirements: readonly Requirement[]) => void;
  readonly userToken: string | undefined;
}

export type Replies = ReturnType<typeof createReplies>;

/** A node that has no room leaves a run that can be taken up again to others for so long; then it ends here. */
const resumePatienceMs = 15_000;
/** Lost replies and stalled sessions looked at in one round. */
const recoveryBatch = 20;

export interface Recovered {
  /** So many were taken over. */
  readonly recovered: number;
  /** There may be others: it got on, and looked at as many as it looks at in one round. */
  readonly isMore: boolean;
}

/**
 * The replies of this node: accepted, stopped, handed on. Each method is one transition of the table and what follows
 * from it. At most one reply of a session is being made at any time, on whatever node; the next in the queue starts in
 * the same transaction in which one ends.
 */
export function createReplies(parts: ReplyParts, settings: ReplySettings) {
  const { database, catalogue, logger, store, log } = parts;
  const claimant = { nodeId: settings.nodeId, leaseSeconds: settings.leaseSeconds };
  const options = { ...parts, ...settings };
  const admission = createAdmission(settings.limits);
  const lifecycle = createLifecycle(parts);
  const acceptance = accept({
    ...claimant,
    maxQueued: settings.maxQueued,
    maxMessageLength: settings.maxMessageLength,
    maxUploadBytes: settings.maxUploadBytes,
    idempotency: parts.idempotency,
    knownSessions: createKnownSessions(),
    attachments: parts.attachments,
    insertSession: parts.insertSession,
    answersInWords: (agentId) => catalogue.answersInWords(agentId),
    canSteer(agentId) {
      const found = catalogue.find(agentId);
      return found?.backend.steers?.(found.agentId) === true;
    },
  });

  const sourceOf = (agentId: string) => catalogue.find(agentId)?.backend.source ?? "none";
  const roomOf =
    (ticket: Ticket | null): HasRoom =>
    (agentId, userId) =>
      ticket !== null && ticket.mayBe(sourceOf(agentId), userId);

  /** The end of a reply that this node makes: stored, told, and what waits behind it takes its place. */
  const end =
    (held: Ticket | null): EndReply =>
    async (reply, progress, how) => {
      const ticket = held ?? admission.tryTake();
      try {
        const { prices, writing } = settings;
        const hasRoom = admission.isOpen() ? roomOf(ticket) : () => false;
        const request = { reply, progress, end: how, prices, writing, hasRoom };
        // A node that has to go leaves what it cannot store to those that take it over.
        const mayWait = () => !supervisor.isOver();
        const change = await finishReply(lifecycle, claimant, request, logger, mayWait);
        await perform(change.effects, { ticket: ticket ?? undefined });
        if (change.result !== null && how.usage !== null) parts.budgets.used(reply.turn);
        return change.result;
      } finally {
        if (ticket !== held) ticket?.release();
      }
    };

  /** Transitions whose effects are not all performed yet. */
  const underway = new Set<Promise<unknown>>();

  /** A transition and what follows from it. */
  const run = <Input, Result>(
    transition: Transition<Input, Result>,
    input: Input,
    handover: Handover = {},
  ): Promise<Result> => {
    const work = lifecycle.run(transition, input).then(async ({ result, effects }) => {
      await perform(effects, handover);
      return result;
    });
    underway.add(work);
    return work.finally(() => underway.delete(work));
  };

  /** Starts the next waiting reply of a session, if nothing runs there and there is room here. */
  const wake = async (sessionId: string): Promise<void> => {
    const ticket = admission.tryTake();
    if (ticket === null) return;
    try {
      await run(startWaiting(claimant), { sessionId, hasRoom: roomOf(ticket) }, { ticket });
    } finally {
      ticket.release();
    }
  };

  const supervisor = createSupervisor({
    log,
    store,
    logger,
    createRunner: (reply, { ticket, userToken }) =>
      new ReplyRunner(reply, catalogue.find(reply.agentId) ?? null, options, {
        userToken,
        end: end(ticket),
        takeIn: (running, given) => run(takeIn, { reply: running, given }),
      }),
    restoreOpening: async (reply) => {
      const { eventSeq } = reply;
      const after = (await log.stat(reply.replyId))?.last ?? 0;
      if (after >= eventSeq) return;
      // What it waited for, and what became part of it, was told with events of their own: without a gap, whatever of them is lost.
      const queued = Array.from({ length: eventSeq - after - 1 }, () => queuedEvent(1, null));
      const events = [openingEvent(reply), ...queued];
      await perform([{ do: "tell", reply, after, events }], {});
    },
  });
  const perform: PerformEffects = createPerformEffects({ ...parts, supervisor, wake });

  const recoverOne = async (lost: LostReply, everything: boolean): Promise<boolean> => {
    // Its lease ran out while the database was away, or this process stood still: it renews it, or hears who has it.
    if (supervisor.running(lost.replyId) !== undefined) {
      supervisor.look(lost.replyId);
      return false;
    }
    const backend = catalogue.find(lost.agentId)?.backend;
    const canResume = lost.canResume && backend?.resume !== undefined;
    const ticket = canResume ? admission.tryTake() : null;
    try {
      const resumes = canResume && roomOf(ticket)(lost.agentId, lost.userId);
      if (canResume && !resumes && !everything && lost.overdueMs < resumePatienceMs) return false;
      const request = { lost, everything, resumes };
      const handover = { ticket: resumes && ticket !== null ? ticket : undefined };
      const result = await run(takeOver(claimant), request, handover);
      if (result === "given up") {
        const { replyId, sessionId } = lost;
        logger.error({ replyId, sessionId }, "a reply could not be taken over; it has failed");
      }
      return result !== "not lost";
    } finally {
      ticket?.release();
    }
  };

  return {
    /**
     * Takes a message in: when it resolves, the message is durable and its reply runs, waits, or has long been made
     * (`earlier`: the same request with the same idempotency key has led to it). Raises what `accept` raises, and
     * `overloaded`, `rate_limited` or `shutting_down` when there is no place for the reply.
     */
    async accept(
      turn: NewTurn,
      userToken: string | undefined,
    ): Promise<Accepted | { readonly earlier: EarlierResult }> {
      const ticket = admission.take();
      try {
        const request = {
          ...turn,
          replyId: newId(),
          userMessageId: newId(),
          admit: (agentId: string, userId: string) => ticket.assign(sourceOf(agentId), userId),
        };
        return await run(acceptance, request, { ticket, userToken });
      } catch (error) {
        if (!(error instanceof KeyTaken) || turn.idempotency === null) throw error;
        const earlier = await parts.idempotency.find(error.userId, turn.idempotency);
        // Purged between the two looks: the caller may simply repeat the request.
        if (earlier === null) {
          throw new Problem("storage_unavailable", {}, { retryAfterSeconds: 1 });
        }
        return { earlier };
      } finally {
        ticket.release();
      }
    },

    /** Stops a reply wherever it is. After "stopping" its end follows shortly, in the stream and in its row. */
    cancel: (request: CancelRequest): Promise<CancelResult> => run(cancel(claimant), request),

    /** A person has decided: the paused reply goes on here. Null when it is not paused. */
    async continue(continuation: Continuation): Promise<ClaimedReply | null> {
      const { agentId, userId, userToken, ...request } = continuation;
      const ticket = admission.take();
      try {
        ticket.assign(sourceOf(agentId), userId);
        return await run(goOn(claimant), request, { ticket, userToken });
      } finally {
        ticket.release();
      }
    },

    /**
     * Deletes a session with all its replies; false when it is gone already. With `idleDays` only if nothing has
     * happened in it for so long, whatever was known before.
     */
    forget: (sessionId: string, idleDays?: number): Promise<boolean> =>
      run(forget, { sessionId, idleDays }),

    /** Deletes a message with all that hangs below it; false when it is gone already. */
    remove: (sessionId: string, messageId: string): Promise<boolean> =>
      run(remove, { sessionId, messageId }),

    /** Says a message otherwise that still waits; resolves with its id. Raises `message_not_queued`. */
    amend: (amendment: Amendment): Promise<{ readonly userMessageId: string }> =>
      run(amend(parts.attachments), amendment),

    /** Of an ended reply that was talked over, keeps what was heard; false when that is not what its text is any more. */
    cutToHeard: (cut: Cut): Promise<boolean> => run(cutToHeard, cut),

    running: supervisor.running,

    /**
     * Takes over what dead nodes have left and starts what waits although nothing runs; `everything` when no other
     * process can be running replies. One that cannot be taken over is that one's matter alone.
     */
    async recover(everything: boolean): Promise<Recovered> {
      let recovered = 0;
      let isMore = true;
      // What is left to others, or cannot be taken over, is found first each time: it keeps nothing that was lost later.
      const lookedAt: string[] = [];
      while (isMore && recovered === 0) {
        const found = await lostReplies(database, claimant, recoveryBatch, everything, lookedAt);
        for (const lost of found) {
          if (!admission.isOpen()) return { recovered, isMore: false };
          lookedAt.push(lost.replyId);
          try {
            if (await recoverOne(lost, everything)) recovered += 1;
          } catch (error) {
            const { replyId, sessionId } = lost;
            const fields = { replyId, sessionId, err: error };
            logger.error(fields, "a lost reply could not be taken over");
          }
        }
        isMore = found.length === recoveryBatch;
      }
      for (const sessionId of await stalledSessions(database, recoveryBatch)) {
        await wake(sessionId).catch((error: unknown) =>
          logger.error({ sessionId, err: error }, "what waits in a session could not be started"),
        );
      }
      return { recovered, isMore };
    },

    stats: () => ({ running: supervisor.count(), places: admission.taken() }),

    /**
     * Takes no new replies, lets running ones end for `graceMs`, then marks the rest as interrupted. When it resolves,
     * this node holds none: what was accepted or taken over at the last moment is let go of for others.
     */
    async drain(graceMs: number): Promise<void> {
      admission.close();
      // Who was let in is waiting here for the reply: let go of, it would begin elsewhere when this node is gone.
      await Promise.allSettled(underway);
      await supervisor.drain(graceMs);
      await Promise.allSettled(underway);
    },
  };
}
