import type { Queryable } from "../../database/database.ts";
import type { BusinessEvent } from "../../events/business-event.ts";
import type { Job } from "../../jobs/job.ts";
import { Problem } from "../../problems/problem.ts";
import type { UnfinishedReply } from "./branches.ts";
import { cancelReply } from "./cancel.ts";
import type { Claimant } from "./claim.ts";
import type { Effect } from "./effect.ts";
import { inFront, type WaitsFor } from "./tell-waiting.ts";

/** What becomes of a message for a session that is still answering. */
export const onBusyChoices = [
  "enqueue",
  "reject",
  "interrupt",
  "rollback",
  "merge",
  "steer",
] as const;

export type OnBusy = (typeof onBusyChoices)[number];

/** Why what is unfinished ends, as it is told. */
const givesWay = {
  interrupt: "interrupted_by_user",
  rollback: "rolled_back",
  steer: "steered",
} as const;

/** Where the new reply stands, and what had to give way to it. */
export interface Place {
  /** From 1; null when it may start at once. */
  readonly queuePosition: number | null;
  /** The reply at work, or the one about which a person has to decide first; null: nothing is in front. */
  readonly waitsFor: WaitsFor | null;
  /** A reply that leaves the path with its messages, so many, for the new one to stand there; null: none. */
  readonly insteadOf: Pick<UnfinishedReply, "seq" | "messages"> | null;
  /** The running reply that is to take the message in; null: none. */
  readonly steers: string | null;
  readonly effects: readonly Effect[];
  readonly jobs: readonly Job[];
  readonly events: readonly BusinessEvent[];
}

/** Nothing else is unfinished in the session. */
const free: Place = {
  queuePosition: null,
  waitsFor: null,
  insteadOf: null,
  steers: null,
  effects: [],
  jobs: [],
  events: [],
};

interface PlaceWanted {
  readonly sessionId: string;
  readonly onBusy: OnBusy;
  readonly maxQueued: number;
  /** The number of the message that it is to hang below. */
  readonly parent: number;
  /** For this turn only. */
  readonly agentId: string | undefined;
  /** Whether an agent asks between its steps for what is to be taken in. */
  readonly canSteer: (agentId: string) => boolean;
}

/** Decides what becomes of a message for a session in which this is unfinished. */
export async function makePlace(
  tx: Queryable,
  claimant: Claimant,
  wanted: PlaceWanted,
  unfinished: readonly UnfinishedReply[],
): Promise<Place> {
  const { sessionId, maxQueued } = wanted;
  if (unfinished.length === 0) return free;
  const steered = wanted.onBusy === "steer" ? steeredBy(unfinished, wanted) : null;
  const isTakenIn = steered !== null && wanted.canSteer(steered.agentId);
  const waits = wanted.onBusy === "steer" && (steered === null || isTakenIn);
  const onBusy = waits ? "enqueue" : wanted.onBusy;
  if (onBusy === "reject") {
    const busy = unfinished.find((reply) => reply.status !== "queued") ?? unfinished[0];
    throw new Problem("session_busy", busy === undefined ? {} : { messageId: busy.replyId });
  }
  if (onBusy === "enqueue" || onBusy === "merge") {
    const waiting = unfinished.filter((reply) => reply.status === "queued").length;
    if (waiting >= maxQueued) {
      throw new Problem("queue_full", { limit: maxQueued }, { retryAfterSeconds: 5 });
    }
    const waitsFor = await inFront(tx, sessionId, unfinished);
    const steers = isTakenIn ? steered.replyId : null;
    return { ...free, queuePosition: waiting + 1, waitsFor, steers };
  }
  const effects: Effect[] = [];
  const jobs: Job[] = [];
  const events: BusinessEvent[] = [];
  let isHeld = false;
  for (const { replyId } of steered === null ? unfinished : [steered]) {
    const reason = givesWay[onBusy];
    const given = await cancelReply(tx, claimant, { sessionId, replyId, reason });
    // What runs gives way with its own end, which starts what waits.
    if (given.result === "stopping") isHeld = true;
    effects.push(...given.effects.filter((effect) => effect.do !== "wake"));
    jobs.push(...(given.jobs ?? []));
    events.push(...(given.events ?? []));
  }
  const active = unfinished.find((reply) => reply.status !== "queued") ?? unfinished[0];
  const insteadOf = onBusy === "rollback" ? (active ?? null) : null;
  const waitsFor = isHeld && active ? { replyId: active.replyId, requirements: null } : null;
  const waiting = steered === null ? 0 : unfinished.length - 1;
  const queuePosition = isHeld ? waiting + 1 : null;
  return { ...free, queuePosition, waitsFor, insteadOf, effects, jobs, events };
}

/**
 * The running reply that a message steers: one that nobody stops, that the message hangs directly behind, or behind others
 * that steer it too. Else it waits its turn, and nothing gives way: the order of what was accepted stays.
 */
function steeredBy(
  unfinished: readonly UnfinishedReply[],
  { parent, agentId }: Pick<PlaceWanted, "parent" | "agentId">,
): UnfinishedReply | null {
  const [running, ...waiting] = unfinished;
  if (running?.status !== "streaming" || running.isStopping) return null;
  if (agentId !== undefined && agentId !== running.agentId) return null;
  const isBehind = (unfinished.at(-1) as UnfinishedReply).seq === parent;
  return isBehind && waiting.every(({ steers }) => steers === running.replyId) ? running : null;
}

/** What the session says. */
export function onBusyOf(config: Readonly<Record<string, unknown>>): OnBusy {
  const value = config["on_busy"];
  return onBusyChoices.find((choice) => choice === value) ?? "enqueue";
}
