import {
  AgentInterrupted,
  StillPaused,
  type AgentEvent,
  type Decision,
  type Attachment,
  type FoundAgent,
  type Requirement,
  type SteeringMessage,
  type ToldEvent,
} from "../../agents/agent-backend.ts";
import { settledWithin } from "../../lib/settled-within.ts";
import type { AttachmentInfo } from "../../attachments/attachment-store.ts";
import { Problem } from "../../problems/problem.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { ReplyOutcome, Telemetry } from "../../telemetry/telemetry.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { FlushBeat } from "./flush-beat.ts";
import type { ReplyFeeds } from "../reading/reply-feeds.ts";
import { ReplyFenced, type ReplyLog } from "../log/reply-log.ts";
import { applyEvent, draftOf, type Draft, type KeptFile, type Outcome } from "./apply-event.ts";
import { CheckpointPump } from "./checkpoint-pump.ts";
import type { SpeakReply } from "./reply-speech.ts";
import type { ClaimedReply, HistoryMessage, ReplyEnd, ReplyProgress, TakenIn } from "../reply.ts";
import { ReplyWriter } from "./reply-writer.ts";
import { replyFailure } from "./reply-failure.ts";
import { ReplyStopped } from "./reply-stopped.ts";
import { runRequestOf } from "./run-request.ts";
import { skipText } from "./skip-text.ts";
import { withSteered } from "../extras.ts";
import { formOf, type OutputFormat } from "../structured-output.ts";
import type { Ranges } from "../../tree/ranges.ts";

/**
 * Makes the user's messages that wait for it part of a running reply; resolves with all that it has taken in and its run
 * has not been given. May be repeated when it has raised.
 */
export type TakeInMessages = (
  reply: ClaimedReply,
  given: ReadonlySet<string>,
) => Promise<readonly TakenIn[]>;

/** How the agent is called: anew, with a person's decisions, or after its connection was lost. */
export type RunMode =
  | { readonly kind: "run" }
  | {
      readonly kind: "continue";
      readonly decisions: readonly Decision[];
      /** What was decided, and is open again where its source has not taken the decisions. */
      readonly requirements: readonly Requirement[];
    }
  /** `stateLength`: how much of the text its state stands for; what was delivered after that is not told again. */
  | {
      readonly kind: "resume";
      readonly stateLength: number;
      /** As above, where it had paused. */
      readonly requirements?: readonly Requirement[] | null;
    }
  /** Not at all: it ends with what had arrived. */
  | { readonly kind: "end"; readonly why: ReplyStopped };

/** What is asked of the store while a reply is made. */
interface ConversationStore {
  /** This node does not make it: whoever looks for lost replies finds it at once. */
  letGo(reply: Pick<ClaimedReply, "sessionId" | "replyId" | "attempt">): Promise<void>;
  /** Whether a message waits for this reply to take it in. */
  isSteered(reply: Pick<ClaimedReply, "sessionId" | "replyId">): Promise<boolean>;
  /** The last messages of a path that have something to say, oldest first; 0: any number. */
  history(
    sessionId: string,
    path: Ranges,
    bounds: { readonly messages: number; readonly maxBytes?: number },
  ): Promise<HistoryMessage[]>;
}

/** What replies are made with. */
export interface RunnerParts {
  readonly log: ReplyLog;
  readonly feeds: ReplyFeeds;
  readonly beat: FlushBeat;
  readonly catalogue: {
    find(agentId: string): FoundAgent | undefined;
    /** Why it was not found. */
    whyMissing(agentId: string): Problem;
  };
  readonly store: ConversationStore;
  readonly checkpoints: Checkpoints;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
  readonly speak: SpeakReply;
  /** The files that came with a user's messages, in the order of these. */
  readonly attachmentsOf: (userMessageIds: readonly string[]) => Promise<readonly Attachment[]>;
  /** Keeps a file that a reply has produced; once more, it is the same one. */
  readonly keepFile: (
    message: { readonly sessionId: string; readonly messageId: string },
    file: Attachment,
  ) => Promise<AttachmentInfo>;
  /** Files of a session by their ids, in this order. */
  readonly filesOf: (
    sessionId: string,
    ids: readonly string[],
  ) => Promise<readonly (Attachment & { readonly id: string })[]>;
}

export interface RunnerSettings {
  /** Messages of context for agents that ask for it without a number; 0: no bound but that of the text. */
  readonly historyMessages: number;
  readonly maxReplyMs: number;
  readonly maxReplyBytes: number;
  /** A lease without a renewal for so long is over. */
  readonly leaseSeconds: number;
}

/**
 * Stores and tells how an attempt has ended; resolves with the end as it was stored, or null when the attempt was not
 * the owner's any more. `progress.eventSeq` is the number of the event that tells it. Raises when no end can be stored.
 */
export type EndReply = (
  reply: ClaimedReply,
  progress: ReplyProgress,
  end: ReplyEnd,
) => Promise<ReplyEnd | null>;

/** The producer waits for the log beyond this. */
const maxBacklogLength = 1024 * 1024;
/** After a stop, the agent's connection gets this long to wind down before the end is told; it may take longer unseen. */
const windDownMs = 200;

/**
 * Makes one reply: calls the agent, writes its events to the log, stores checkpoints and finally the end. Everything
 * about the reply is in here while it runs; see docs/architecture.md for the moments at which it is stored.
 */
export class ReplyRunner {
  readonly reply: ClaimedReply;
  readonly #agent: FoundAgent | null;
  readonly #options: RunnerParts & RunnerSettings;
  readonly #endReply: EndReply;
  readonly #abort = new AbortController();
  readonly #writer: ReplyWriter;
  readonly #pump: CheckpointPump;
  readonly #rules: Parameters<typeof applyEvent>[2];
  #draft: Draft;
  readonly #startedMs = performance.now();
  #firstTextMs: number | null = null;
  #userToken: string | undefined;
  readonly #takeIn: TakeInMessages;
  /** Messages that the run has been given after it had begun. */
  readonly #given: Set<string>;
  /** Something may have been taken in that the run was not given. */
  #isUnsure: boolean;

  /** `agent` null: it is no longer configured, and the reply will fail. */
  constructor(
    reply: ClaimedReply,
    agent: FoundAgent | null,
    options: RunnerParts & RunnerSettings,
    {
      userToken,
      end,
      takeIn,
    }: {
      readonly userToken: string | undefined;
      readonly end: EndReply;
      readonly takeIn: TakeInMessages;
    },
  ) {
    this.reply = reply;
    this.#agent = agent;
    this.#options = options;
    this.#userToken = userToken;
    this.#endReply = end;
    this.#takeIn = takeIn;
    this.#given = new Set(reply.extras?.steered?.map(({ message_id: id }) => id));
    this.#isUnsure = reply.turn.steered?.by.some((id) => !this.#given.has(id)) ?? false;
    this.#draft = draftOf(reply);
    this.#rules = { agentId: reply.agentId, maxReplyBytes: options.maxReplyBytes };
    this.#writer = new ReplyWriter({
      replyId: reply.replyId,
      sessionId: reply.sessionId,
      epoch: reply.attempt,
      last: reply.eventSeq,
      log: options.log,
      feeds: options.feeds,
      beat: options.beat,
      onLost: (error) =>
        error instanceof ReplyFenced
          ? this.stop(new ReplyStopped("fenced"))
          : this.#abort.abort(error),
    });
    this.#pump = new CheckpointPump({
      reply,
      checkpoints: options.checkpoints,
      leaseRenewalMs: (options.leaseSeconds * 1000) / 3,
      progress: () => this.#progress(),
      onKept: (kept) => {
        if (kept === null) this.stop(new ReplyStopped("fenced"));
        else if (kept.cancelReason !== null) {
          this.stop(new ReplyStopped("cancelled", kept.cancelReason));
        }
      },
      onFault: (error) =>
        options.logger.warn({ replyId: reply.replyId, err: error }, "checkpoint failed"),
    });
    options.feeds.own(reply.replyId, reply.attempt, reply.eventSeq);
  }

  /** Where the agent comes from, for limits and metrics. */
  get source(): string {
    return this.#agent?.backend.source ?? "none";
  }

  /** Stops the reply; the first call counts. At a shutdown, one whose run can be taken up again is left to other nodes. */
  stop(reason: ReplyStopped): void {
    const goesOn = reason.kind === "shutdown" && this.#canBeTakenUp();
    this.#abort.abort(goesOn ? new ReplyStopped("handed on") : reason);
  }

  #canBeTakenUp(): boolean {
    return this.#draft.backendState !== null && this.#agent?.backend.resume !== undefined;
  }

  /** The text so far and the number of the last event it covers. */
  snapshot(): Pick<ReplyProgress, "content" | "reasoning" | "extras" | "eventSeq"> {
    return this.#progress();
  }

  #progress(): ReplyProgress {
    this.#writer.flush();
    const { content, reasoning, toolCalls, media, extras, backendState } = this.#draft;
    const eventSeq = this.#writer.last;
    return { content, reasoning, eventSeq, toolCalls, media, extras, backendState };
  }

  /** Runs to the end; rejects only when that end could not be stored in any form. */
  async run(mode: RunMode): Promise<void> {
    const { feeds, telemetry, logger, maxReplyMs } = this.#options;
    const { reply } = this;
    const fields = {
      replyId: reply.replyId,
      sessionId: reply.sessionId,
      agentId: reply.agentId,
      attempt: reply.attempt,
      requestId: reply.turn.requestId,
    };
    telemetry.replyStarted(fields);
    this.#pump.start();
    const limit = setTimeout(() => this.stop(new ReplyStopped("timeout")), maxReplyMs);
    try {
      const end = await this.#produce(mode);
      if (end === null) {
        if (isHandedOn(this.#abort.signal)) {
          this.#writer.end();
          await this.#writer.flushed();
          await this.#options.store.letGo(reply);
          logger.info(fields, "reply is left to the node that takes it up next");
        } else logger.warn(fields, "reply was taken over; its result is dropped");
        telemetry.replyEnded(fields, this.#dropped());
        return;
      }
      await this.#finish(end, fields);
    } catch (error) {
      telemetry.replyEnded(fields, this.#dropped());
      throw error;
    } finally {
      clearTimeout(limit);
      this.#pump.stop();
      feeds.disown(reply.replyId, reply.attempt);
    }
  }

  /** This attempt has made nothing that is kept. */
  #dropped(): ReplyOutcome {
    return {
      status: "dropped",
      errorType: null,
      durationMs: this.#age(),
      timeToFirstTokenMs: null,
      usage: null,
      source: this.source,
    };
  }

  /** The form that the agent was asked for, and whether the reply has it. */
  #outputFormat(): OutputFormat | null {
    const { settings, ownSettings } = this.reply.turn;
    const { responseFormat } = { ...settings, ...ownSettings };
    const isTold = this.#agent?.backend.settings?.includes("responseFormat") === true;
    return isTold ? formOf(responseFormat, this.#draft.content) : null;
  }

  #age(): number {
    return Math.round(performance.now() - this.#startedMs);
  }

  /** Calls the agent and consumes its events; null when the result must be dropped. */
  async #produce(mode: RunMode): Promise<ReplyEnd | null> {
    const speech = this.#options.speak(this.reply, (event) => this.#writer.emit(event));
    const aborted = Promise.withResolvers<never>();
    // The race below may be over before the abort: then nobody listens any more.
    aborted.promise.catch(() => undefined);
    const { signal } = this.#abort;
    const onAbort = () => aborted.reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const consumed = this.#consume(mode, (text) => speech?.push(text));
      const outcome = await Promise.race([consumed, aborted.promise]).catch(
        async (error: unknown) => {
          if (signal.aborted) await settledWithin(consumed, windDownMs);
          throw error;
        },
      );
      if (outcome.kind === "finished") this.#writer.finishText(this.reply.agentId);
      const audio = (await Promise.race([speech?.finish(), aborted.promise])) ?? null;
      if (outcome.kind === "finished") {
        return this.#end({ status: "complete", finishReason: outcome.reason, audio });
      }
      const { requirements } = outcome;
      return this.#end({ status: "paused", finishReason: "paused", requirements, audio });
    } catch (error) {
      const isGoingOn = mode.kind === "continue" || mode.kind === "resume";
      if (error instanceof StillPaused && isGoingOn && mode.requirements) {
        return this.#stillPaused(error.problem, mode.requirements);
      }
      return this.#failure(error);
    } finally {
      speech?.stop();
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #consume(
    mode: RunMode,
    onText: (text: string) => void,
  ): Promise<Exclude<Outcome, { kind: "too_long" }>> {
    if (mode.kind === "end") throw mode.why;
    if (mode.kind === "resume") this.#tellTakeOver();
    if (this.#agent === null) throw this.#options.catalogue.whyMissing(this.reply.agentId);
    const { signal } = this.#abort;
    const writer = this.#writer;
    const { userMessageId, joined, turn } = this.reply;
    const asked = [...joined.map(({ messageId }) => messageId), userMessageId];
    const attachments =
      turn.hasAttachments === true ? await this.#options.attachmentsOf(asked) : [];
    const { content } = this.reply;
    const tell = (event: ToldEvent) => {
      if (signal.aborted) return undefined;
      if (this.#apply(event, onText)?.kind === "too_long") this.stop(new ReplyStopped("too_long"));
      return writer.backlog > maxBacklogLength ? writer.flushed() : undefined;
    };
    // What is to be skipped first has to come by its events.
    const around = { attachments, ...(mode.kind !== "resume" && { tell }) };
    const events = this.#call(mode, this.#agent, around);
    const fresh =
      mode.kind === "resume"
        ? skipText(events, { content, stateLength: mode.stateLength })
        : events;
    for await (const event of fresh) {
      if (signal.aborted) break;
      const outcome = this.#apply(event.type === "file" ? await this.#keep(event) : event, onText);
      if (outcome?.kind === "too_long") this.stop(new ReplyStopped("too_long"));
      else if (outcome !== null) return outcome;
      if (writer.backlog > maxBacklogLength) await writer.flushed();
    }
    signal.throwIfAborted();
    throw new AgentInterrupted("the agent's stream ended without an end");
  }

  /**
   * From here on the log refuses whoever made the reply before and has not heard yet that it is not its own any more.
   * What that one has told in the meantime gives way for its readers too.
   */
  #tellTakeOver(): void {
    const { content, reasoning } = this.reply;
    this.#writer.emit({ type: "snapshot", content, ...(reasoning !== "" && { reasoning }) });
    this.#pump.request();
  }

  #call(
    mode: RunMode,
    agent: FoundAgent,
    around: Pick<Parameters<typeof runRequestOf>[2], "attachments" | "tell">,
  ): AsyncGenerator<AgentEvent, void, void> {
    const { reply } = this;
    const { store, historyMessages } = this.#options;
    const request = runRequestOf(reply, agent, {
      ...around,
      userToken: this.#userToken,
      find: (agentId) => this.#options.catalogue.find(agentId),
      history: (sessionId, path, { messages = historyMessages, ...bounds } = {}) =>
        store.history(sessionId, path, { messages, ...bounds }),
      files: (sessionId, ids) => this.#options.filesOf(sessionId, ids),
      steered: () => this.#steered(),
    });
    const state = reply.backendState ?? {};
    const { backend } = agent;
    if (mode.kind === "continue" && backend.continue !== undefined) {
      return backend.continue(request, state, mode.decisions, this.#abort.signal);
    }
    if (mode.kind === "resume" && backend.resume !== undefined) {
      return backend.resume(request, state, this.#abort.signal);
    }
    return backend.run(request, this.#abort.signal);
  }

  /** A file of the agent is stored before anybody is told of it. */
  async #keep(event: Extract<AgentEvent, { type: "file" }>): Promise<KeptFile> {
    const { kind, file, agentId } = event;
    const { sessionId, replyId } = this.reply;
    const told = { type: "kept", kind, ...(agentId !== undefined && { agentId }) } as const;
    try {
      const info = await this.#options.keepFile({ sessionId, messageId: replyId }, file);
      const { name, ...fate } = info;
      return { ...told, name, fate };
    } catch (error) {
      const isFull = error instanceof Problem && error.type === "storage_quota_exceeded";
      this.#options.logger.warn(
        { replyId, size: file.bytes.length, ...(!isFull && { err: error }) },
        isFull
          ? "a file of a reply was left out: its user has no room for it"
          : "a file of a reply could not be stored",
      );
      const left_out = isFull ? "no_space" : "not_stored";
      return { ...told, name: file.name, fate: { left_out, size: file.bytes.length } };
    }
  }

  /** What has come for this reply since it began: it is told, and part of the reply from here on. */
  async #steered(): Promise<readonly SteeringMessage[]> {
    const { reply } = this;
    const { store, attachmentsOf, logger } = this.#options;
    try {
      if (!this.#isUnsure && !(await store.isSteered(reply))) return [];
      this.#isUnsure = true;
      const taken = await this.#takeIn(reply, this.#given);
      const messages = await Promise.all(
        taken.map(async ({ messageId, content, hasAttachments }) => ({
          message: content,
          attachments: hasAttachments ? await attachmentsOf([messageId]) : [],
        })),
      );
      this.#isUnsure = false;
      for (const each of taken) this.#tellSteered(each);
      return messages;
    } catch (error) {
      logger.warn({ replyId: reply.replyId, err: error }, "a message for a reply cannot be read");
      return [];
    }
  }

  #tellSteered({ messageId, content: message }: TakenIn): void {
    this.#given.add(messageId);
    const at = { message_id: messageId, text_start: this.#draft.content.length };
    this.#draft = { ...this.#draft, extras: withSteered(this.#draft.extras, at) };
    const { text_start } = at;
    this.#writer.emit({ type: "steered", user_message_id: messageId, message, text_start });
    this.#pump.request();
  }

  #apply(event: Parameters<typeof applyEvent>[1], onText: (text: string) => void): Outcome | null {
    const applied = applyEvent(this.#draft, event, this.#rules);
    const { draft, event: told, checkpoint, outcome } = applied;
    this.#draft = draft;
    if (told !== null) this.#writer.emit(told);
    if (told?.type === "assistant_chunk") {
      this.#firstTextMs ??= this.#age();
      onText(told.chunk);
    }
    this.#pump.grew(draft.content.length + draft.reasoning.length, this.#writer.last, checkpoint);
    return outcome;
  }

  /** What was decided is open again, with why. */
  #stillPaused(problem: Problem, requirements: readonly Requirement[]): ReplyEnd {
    const { agentId, replyId } = this.reply;
    this.#options.logger.warn(
      { replyId, agentId, err: problem.cause },
      `decisions were not taken: ${problem.type}`,
    );
    return this.#end({ status: "paused", finishReason: "paused", requirements, problem });
  }

  /** What an error means for the reply; null when its result must be dropped. */
  #failure(error: unknown): ReplyEnd | null {
    const { agentId, replyId } = this.reply;
    const failure = replyFailure(error, agentId, this.#options.maxReplyMs);
    if (failure === null) return null;
    if (failure.isCut) this.#writer.finishText(agentId);
    const cause = failure.problem?.cause;
    if (cause !== undefined) {
      const fields = { replyId, agentId, err: cause };
      const { problem } = failure;
      if (problem?.type === "internal_error") {
        this.#options.logger.error(fields, "unexpected fault while making a reply");
      } else this.#options.logger.warn(fields, `reply ${failure.status}: ${String(problem?.type)}`);
    }
    return this.#end(failure);
  }

  #end(end: {
    status: ReplyEnd["status"];
    finishReason: string;
    requirements?: readonly Requirement[] | null;
    audio?: object | null;
    problem?: Problem | undefined;
  }): ReplyEnd {
    const { problem } = end;
    return {
      status: end.status,
      finishReason: end.finishReason,
      usage: this.#draft.usage,
      spent: this.#draft.spent,
      context: this.#draft.context,
      outputFormat: end.status === "complete" ? this.#outputFormat() : null,
      error:
        problem === undefined
          ? null
          : {
              type: end.status === "interrupted" ? "interrupted" : problem.type,
              code: problem.status,
              message: problem.text(this.reply.turn.language),
              data: problem.data,
            },
      requirements: end.requirements ?? null,
      // What was said before a pause stays, however the rest ends.
      audio: end.audio ?? this.reply.audio,
      durationMs: this.#age(),
      timeToFirstTokenMs: this.#firstTextMs,
    };
  }

  /** Hands the end over to be stored and told. */
  async #finish(end: ReplyEnd, fields: Parameters<Telemetry["replyStarted"]>[0]): Promise<void> {
    await this.#pump.idle();
    // The terminal event's number is stored with the end, so that it is known also where the log is gone.
    const progress = { ...this.#progress(), eventSeq: this.#writer.last + 1 };
    this.#writer.end();
    await this.#writer.flushed();
    const stored = await this.#endReply(this.reply, progress, end);
    this.#options.telemetry.replyEnded(fields, {
      status: stored?.status ?? "dropped",
      errorType: (stored ?? end).error?.type ?? null,
      durationMs: end.durationMs,
      timeToFirstTokenMs: end.timeToFirstTokenMs,
      usage: end.usage,
      source: this.source,
    });
  }
}

function isHandedOn({ reason }: AbortSignal): boolean {
  return reason instanceof ReplyStopped && reason.kind === "handed on";
}
