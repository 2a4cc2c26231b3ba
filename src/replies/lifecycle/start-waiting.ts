import { claimNext, nextWaiting, heldHere, type Claimant, type HasRoom } from "./claim.ts";
import type { ClaimedReply } from "../reply.ts";
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
      const next =
        (await claimNext(tx, claimant, sessionId, hasRoom, waiting)) ??
        (isRepeat ? await heldHere(tx, claimant, sessionId) : null);
      return {
        result: next,
        effects: next === null ? [] : [{ do: "start", reply: next, mode: { kind: "run" } }],
      };
    },
  };
}
