import type { Queryable } from "../../database/database.ts";
import { claimNext, nextWaiting, heldHere, type Claimant, type HasRoom } from "./claim.ts";
import type { Effect } from "./effect.ts";
import type { ClaimedReply } from "../reply.ts";
import { tellWaiting } from "./tell-waiting.ts";
import { lockSession, type Transition } from "./transition.ts";

interface StartWaiting {
  readonly sessionId: string;
  readonly hasRoom: HasRoom;
}

/** The session's next waiting reply is started here; null when there is none, or no room. */
export function startWaiting(claimant: Claimant): Transition<StartWaiting, ClaimedReply | null> {
  return {
    name: "start",
    async apply(tx, { sessionId, hasRoom }, isRepeat) {
      const [, waiting] = await Promise.all([
        lockSession(tx, sessionId),
        nextWaiting(tx, sessionId),
      ]);
      const claimed = await claimNext(tx, claimant, sessionId, hasRoom, waiting);
      const next = claimed ?? (isRepeat ? await heldHere(tx, claimant, sessionId) : null);
      return { result: next, effects: await startsNext(tx, next, claimed === null) };
    },
  };
}

/** What waited longest begins, and what waits behind it waits for that now. */
export async function startsNext(
  tx: Queryable,
  next: ClaimedReply | null,
  isRepeat: boolean,
): Promise<readonly Effect[]> {
  if (next === null) return [];
  const { replyId, sessionId } = next;
  return [
    { do: "start", reply: next, mode: { kind: "run" } },
    ...(await tellWaiting(tx, sessionId, { replyId, requirements: null }, isRepeat)),
  ];
}
