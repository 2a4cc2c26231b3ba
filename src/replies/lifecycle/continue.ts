import type { Decision, Requirement } from "../../agents/agent-backend.ts";
import type { Queryable } from "../../database/database.ts";
import { toJsonb } from "../../lib/clean-text.ts";
import { claimedColumns, heldHere, leaseUntil, withQuestion, type Claimant } from "./claim.ts";
import { tellWaiting } from "./tell-waiting.ts";
import type { ClaimedReply } from "../reply.ts";
import { lockSession, statesBefore, type Change, type Transition } from "./transition.ts";

interface Decided {
  readonly sessionId: string;
  readonly replyId: string;
  readonly decisions: readonly Decision[];
}

interface Continuation extends Decided {
  /** Raises when the decisions do not fit what is open: then nothing has changed. */
  readonly check: (requirements: readonly Requirement[]) => void;
}

/** A paused reply goes on here, under the next attempt; null when it is not paused. */
export function goOn(claimant: Claimant): Transition<Continuation, ClaimedReply | null> {
  return {
    name: "continue",
    async apply(tx, { check, ...decided }, isRepeat) {
      await lockSession(tx, decided.sessionId);
      return continueReply(tx, claimant, decided, isRepeat, check);
    },
  };
}

/**
 * Part of a transaction that holds the session's lock. The decisions are stored with the reply: whoever takes it over
 * before its source has heard of them tells it.
 */
export async function continueReply(
  tx: Queryable,
  claimant: Claimant,
  { sessionId, replyId, decisions }: Decided,
  isRepeat: boolean,
  check?: Continuation["check"],
): Promise<Change<ClaimedReply | null>> {
  const { rows } = await tx.query<
    ClaimedReply & { readonly requirements: readonly Requirement[] | null }
  >(
    withQuestion(`
      UPDATE messages m SET status = 'streaming', attempt = m.attempt + 1,
        lease_owner = $3, lease_until = ${leaseUntil(claimant)}, recoveries = 0, error = NULL,
        turn = jsonb_set(m.turn, '{decided}', $4::jsonb)
      WHERE m.session_id = $1 AND m.message_id = $2 AND m.status IN ${statesBefore("continue")}
      RETURNING ${claimedColumns}, m.requirements`),
    [sessionId, replyId, claimant.nodeId, toJsonb(decisions)],
  );
  const paused = rows[0];
  const requirements = paused?.requirements ?? [];
  if (paused !== undefined) check?.(requirements);
  const held = paused ?? (isRepeat ? await heldHere(tx, claimant, sessionId) : null);
  const reply = held?.replyId === replyId ? held : null;
  if (reply === null) return { result: null, effects: [] };
  const mode = { kind: "continue", decisions, requirements } as const;
  const runs = { replyId, requirements: null };
  return {
    result: reply,
    effects: [
      { do: "start", reply, mode },
      ...(await tellWaiting(tx, sessionId, runs, paused === undefined)),
    ],
  };
}
