import type { OpenTransaction, Queryable } from "../../database/database.ts";
import type { Job } from "../../jobs/job.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { Problem } from "../../problems/problem.ts";
import { madeSearchable, termsAtHand } from "../../search/entry.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { priced, type Prices } from "../../usage/spent.ts";
import { spending, spendingValues } from "../../usage/spending.ts";
import { terminalEvent } from "../terminal-event.ts";
import { abandonment } from "./cancel.ts";
import { claimNext, heldHere, nextWaiting, type Claimant, type HasRoom } from "./claim.ts";
import type { Effect } from "./effect.ts";
import { endedEvent } from "./ended-event.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { extrasOrNull } from "../extras.ts";
import type { ClaimedReply, ReplyEnd, ReplyProgress } from "../reply.ts";
import { startsNext } from "./start-waiting.ts";
import { tellWaiting } from "./tell-waiting.ts";
import { lockSession, statesBefore, type Change, type Transition } from "./transition.ts";
import { isTimeout, withPatience } from "./with-patience.ts";

/** What models write by themselves after a reply. */
export interface Writing {
  readonly titles: boolean;
  readonly summaries: boolean;
}

/** The end of an attempt, as its owner says it. */
export interface Finish {
  readonly reply: ClaimedReply;
  /** `eventSeq` is the number of the event that tells the end. */
  readonly progress: ReplyProgress;
  readonly end: ReplyEnd;
  readonly prices: Prices;
  /** What models write about conversations. Absent: nothing. */
  readonly writing?: Writing | undefined;
  /** Whether what waits behind it may be made here; without room it is left to other nodes. */
  readonly hasRoom: HasRoom;
}

/** The end as it was stored. Null: the attempt was not the owner's any more, and nothing has changed. */
type Finished = ReplyEnd | null;

/** How much of an end is stored. Each of these has to do where the one before it is refused by the database. */
const forms = ["whole", "without details", "without new text", "alone"] as const;
type Form = (typeof forms)[number];

const keepsText = (form: Form) => form === "whole" || form === "without details";

/**
 * Ends the attempt and takes the session's next waiting reply over, in one transaction. A reply that is gone (its
 * session was deleted meanwhile) is told its end all the same: it has readers.
 */
export function finish(claimant: Claimant, form: Form = "whole"): Transition<Finish, Finished> {
  return {
    name: "finish",
    atOnce: form === "whole" ? finishAtOnce : () => null,
    async apply(tx, request, isRepeat) {
      const { reply, progress, hasRoom } = request;
      const { sessionId } = reply;
      const end = keepsText(form) ? await wanted(tx, request) : failed(request);
      // A run that waits at its source, and that nobody will decide about.
      const jobs =
        request.end.status === "paused" && end.status !== "paused" ? letGoOf(request) : [];
      const tell = (how: ReplyEnd, content = progress.content) =>
        tellEnd(reply, content, progress.eventSeq, how);
      const isOver = form === "whole" && end.status !== "paused";
      // Asked behind what locks the session, and so read under the lock: it takes no round trip of its own.
      const [stored, waiting] = await Promise.all([
        store(tx, { ...request, end }, form),
        isOver ? nextWaiting(tx, sessionId) : null,
      ]);
      if (stored !== null) {
        const told = tell(end, stored.content ?? progress.content);
        const named = { ...reply, userId: reply.turn.userId };
        const events = form === "alone" ? [] : [endedEvent(named, end)];
        if (form !== "whole") {
          const wake: Effect = { do: "wake", sessionId };
          return { result: end, effects: [told, wake], jobs, events };
        }
        if (end.status === "paused") {
          const effects = [told, ...(await tellPause(tx, reply, end, false))];
          return { result: end, effects, events };
        }
        const next = await claimNext(tx, claimant, sessionId, hasRoom, waiting);
        return {
          result: end,
          effects: [told, ...(await startsNext(tx, next, false))],
          jobs: [...jobs, ...toBeWritten(request, end, stored.autoTitle)],
          events,
        };
      }
      const state = await standing(tx, reply);
      if (state === null) {
        // Its session, or only this of it.
        const isLeft = await lockSession(tx, sessionId);
        // Deleting gives nothing back of what was used until then.
        await tx.query(
          `WITH ended AS (SELECT 1 WHERE $1::uuid IS NOT NULL), ${spending("$1", 2)} SELECT 1`,
          [reply.replyId, ...spendingOf(request, form)],
        );
        const finishReason = isLeft ? "message_deleted" : "session_deleted";
        const gone = { ...end, status: "cancelled", finishReason } as const;
        return {
          result: null,
          effects: [tell(gone), { do: "drop-log", replyId: reply.replyId }],
          jobs: request.end.status === "paused" ? letGoOf(request) : [],
        };
      }
      const isOurs =
        state.attempt === reply.attempt &&
        state.status === end.status &&
        state.eventSeq === progress.eventSeq;
      if (!isOurs) return { result: null, effects: [] };
      if (end.status === "paused") {
        return { result: end, effects: [tell(end), ...(await tellPause(tx, reply, end, true))] };
      }
      const next = isRepeat ? await heldHere(tx, claimant, sessionId) : null;
      return { result: end, effects: [tell(end), ...(await startsNext(tx, next, true))] };
    },
  };
}

/** Of a reply that is over, behind which nothing waits, and after which no model writes anything. */
const finishAtOnce: NonNullable<Transition<Finish, Finished>["atOnce"]> = (request) => {
  const { reply, progress, end, writing } = request;
  if (end.status === "paused" || toBeWritten(request, end, null).length > 0) return null;
  const mayBeTitled = writing?.titles === true && end.status === "complete";
  const condition = mayBeTitled ? nothingWaits + hasTitle : nothingWaits;
  // A later attempt may be one that goes on behind a pause, at which it was noted down.
  const entry = { ...reply, userId: reply.turn.userId, role: "assistant" };
  const terms = reply.attempt === 1 ? termsAtHand(entry, progress.content) : null;
  return async (tx) => {
    const stored = await store(tx, request, "whole", condition, terms);
    if (stored === null) return null;
    return { result: end, effects: [tellEnd(reply, progress.content, progress.eventSeq, end)] };
  };
};

/**
 * A reply that would wait for a decision although it was to stop ends: its owner was not told in time, and what waits
 * behind it would wait for ever. Also of a repeat, whose first try has stored that.
 */
async function wanted(tx: Queryable, { reply, end }: Finish): Promise<ReplyEnd> {
  if (end.status !== "paused") return end;
  await lockSession(tx, reply.sessionId);
  const { rows } = await tx.query<{ cancelReason: string | null }>(
    `SELECT cancel_reason AS "cancelReason" FROM messages
     WHERE session_id = $1 AND message_id = $2 AND attempt = $3`,
    [reply.sessionId, reply.replyId, reply.attempt],
  );
  const reason = rows[0]?.cancelReason ?? null;
  if (reason === null) return end;
  return { ...end, status: "cancelled", finishReason: reason, requirements: null };
}

/** By a model, after a whole reply: a title where there is none yet, a summary where something fell out of its sight. */
function toBeWritten({ reply, writing }: Finish, end: ReplyEnd, autoTitle: string | null): Job[] {
  if (writing === undefined || end.status !== "complete") return [];
  const { replyId, sessionId, agentId, turn } = reply;
  const { userId, language, keyName } = turn;
  const data = { replyId, sessionId, userId, agentId, language, ...(keyName && { keyName }) };
  const jobs: Job[] = [];
  if (writing.titles && autoTitle !== null) jobs.push({ type: "title", data });
  const { dropped = 0, summarised } = end.context ?? {};
  if (writing.summaries && summarised !== undefined && dropped > 0)
    jobs.push({ type: "summary", data });
  return jobs;
}

function letGoOf({ reply, progress: { backendState } }: Finish): Job[] {
  return abandonment({ ...reply, userId: reply.turn.userId, backendState });
}

/** Something of the reply cannot be stored at all: it ends as that, with the text of its last checkpoint. */
function failed({ reply, end }: Finish): ReplyEnd {
  const problem = new Problem("internal_error", {});
  return {
    ...end,
    status: end.status === "cancelled" ? "cancelled" : "failed",
    finishReason: end.status === "cancelled" ? end.finishReason : "error",
    error:
      end.status === "cancelled"
        ? null
        : {
            type: problem.type,
            code: problem.status,
            message: problem.text(reply.turn.language),
            data: null,
          },
  };
}

/** What waits behind it waits for a person from now on. */
function tellPause(tx: Queryable, reply: ClaimedReply, end: ReplyEnd, isRepeat: boolean) {
  const { sessionId, replyId } = reply;
  return tellWaiting(tx, sessionId, { replyId, requirements: end.requirements ?? [] }, isRepeat);
}

function tellEnd(
  { replyId, sessionId, attempt, agentId }: ClaimedReply,
  content: string,
  eventSeq: number,
  end: ReplyEnd,
): Effect {
  const reply = { replyId, sessionId, attempt };
  return {
    do: "tell",
    reply,
    after: eventSeq - 1,
    events: [terminalEvent(agentId, content, end)],
  };
}

function spendingOf({ reply, end, prices }: Finish, form: Form): unknown[] {
  const { userId, keyName } = reply.turn;
  const spent = form === "alone" ? [] : priced(end.spent, prices);
  return spendingValues(spent, { ...reply, userId, keyName });
}

interface Stored {
  /** The text of its last checkpoint, where that stays. */
  readonly content: string | null;
  /** The title of its session, where nobody has chosen it. */
  readonly autoTitle: string | null;
}

/** What the end is stored under that is stored at once: nothing waits behind it … */
const nothingWaits = `
  AND NOT EXISTS (SELECT 1 FROM messages q WHERE q.session_id = $1 AND q.status IN ${statesBefore("start")})`;
/** … and no title has to be written. */
const hasTitle = " AND s.auto_title IS NULL";

/** Of what is made searchable with it, in addition. */
const found = ", m.session_id, m.seq, s.user_id, m.created_at, s.temporary, $27::text[] AS terms";
const searchable = `, searchable AS (${madeSearchable("ended WHERE NOT temporary")})`;

/** Asks all of it before it waits. Null: the attempt is not the owner's any more, or `condition` does not hold. */
async function store(
  tx: OpenTransaction,
  request: Finish,
  form: Form,
  condition = "",
  terms: readonly string[] | null = null,
): Promise<Stored | null> {
  const { reply, progress, end } = request;
  const details = form === "whole" ? { progress, end } : null;
  // Locks the session: what follows sees all that was committed before. Its place among the user's sessions stays where its
  // message has just put it: a row whose indexes stay as they are costs half as much.
  tx.ask(
    `UPDATE sessions SET last_activity =
       CASE WHEN last_activity < now() - interval '10 seconds' THEN now() ELSE last_activity END
     WHERE session_id = $1`,
    [reply.sessionId],
  );
  const { rows } = await tx.query<Stored>(
    `WITH ended AS (
     UPDATE messages m SET status = $10, content = coalesce($4, content),
       reasoning = CASE WHEN $4::text IS NULL THEN reasoning ELSE $5 END, event_seq = $6,
       tool_calls = $7::jsonb, media = $8::jsonb, backend_state = $9::jsonb, finish_reason = $11,
       usage = $12::jsonb, error = $13::jsonb, requirements = $14::jsonb, audio = $15::jsonb,
       duration_ms = $16, time_to_first_token_ms = $17,
       turn = CASE WHEN $10 = 'paused' THEN turn END,
       lease_owner = NULL, lease_until = NULL, recoveries = 0,
       context = $18::jsonb, output_format = $19, extras = $20::jsonb
     FROM sessions s
     WHERE s.session_id = $1 AND m.session_id = $1 AND m.message_id = $2 AND m.attempt = $3
       AND m.status IN ${statesBefore("finish")}${condition}
     RETURNING CASE WHEN $4::text IS NULL THEN m.content END AS content, s.auto_title AS "autoTitle"${terms === null ? "" : found}),
     ${spending("$2", 21)}${terms === null ? "" : searchable}
     SELECT content, "autoTitle" FROM ended`,
    [
      reply.sessionId,
      reply.replyId,
      reply.attempt,
      keepsText(form) ? progress.content : null,
      keepsText(form) && details !== null && progress.reasoning !== "" ? progress.reasoning : null,
      progress.eventSeq,
      jsonOrNull(listOrNull(details?.progress.toolCalls)),
      jsonOrNull(listOrNull(details?.progress.media)),
      // Nothing of a paused reply may be left out that it needs to go on.
      details !== null || end.status === "paused" ? jsonOrNull(progress.backendState) : null,
      end.status,
      end.finishReason,
      jsonOrNull(details?.end.usage),
      jsonOrNull(details === null && end.error !== null ? { ...end.error, data: null } : end.error),
      jsonOrNull(end.requirements),
      jsonOrNull(details?.end.audio),
      end.durationMs,
      end.timeToFirstTokenMs,
      jsonOrNull(details?.end.context),
      details?.end.outputFormat ?? null,
      jsonOrNull(extrasOrNull(details?.progress.extras)),
      ...spendingOf(request, form),
      ...(terms === null ? [] : [terms]),
    ],
  );
  return rows[0] ?? null;
}

async function standing(
  tx: Queryable,
  { sessionId, replyId }: ClaimedReply,
): Promise<{ status: string; attempt: number; eventSeq: number } | null> {
  const { rows } = await tx.query<{ status: string; attempt: number; eventSeq: number }>(
    `SELECT status, attempt, event_seq AS "eventSeq" FROM messages
     WHERE session_id = $1 AND message_id = $2`,
    [sessionId, replyId],
  );
  return rows[0] ?? null;
}

function listOrNull(list: readonly object[] | undefined): readonly object[] | null {
  return list === undefined || list.length === 0 ? null : list;
}

function jsonOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : toJsonb(value);
}

/** How long the end of a reply is tried to be stored while the database is away, unless nobody can wait so long. */
const finishPatienceMs = 60_000;

/**
 * An end always comes: tried again while the database is away, and where the database refuses something of it, stored
 * without what may be refused. Raises only what no form of the end gets past.
 */
export async function finishReply(
  lifecycle: Lifecycle,
  claimant: Claimant,
  request: Finish,
  logger: Logger,
  mayWait: () => boolean,
): Promise<Change<Finished>> {
  const fields = { replyId: request.reply.replyId, sessionId: request.reply.sessionId };
  for (const [index, form] of forms.entries()) {
    let isRepeat = false;
    try {
      return await withPatience(
        () => lifecycle.run(finish(claimant, form), request, isRepeat),
        finishPatienceMs,
        (error) => {
          isRepeat = true;
          logger.warn({ ...fields, err: error }, "the reply's end cannot be stored yet");
        },
        (error) => !isTimeout(error) && mayWait(),
      );
    } catch (error) {
      const isAway =
        error instanceof Problem && error.type === "storage_unavailable" && !isTimeout(error);
      if (isAway || index === forms.length - 1) throw error;
      logger.error(
        { ...fields, form, err: error },
        "the reply's end cannot be stored like this; it is stored with less",
      );
    }
  }
  throw new Error("unreachable: the last form returns or throws");
}
