import { applyEvent as applyToMessage } from "../../../packages/client/src/index.ts";
import type { Message, ReplyEvent } from "../api/types.ts";

/** A member of a team, a step of a workflow, or an agent that took over. */
export interface Member {
  readonly agentId: string;
  readonly name: string;
  readonly kind: "member" | "step" | "handoff" | Remark;
  readonly isDone: boolean;
  readonly hasFailed: boolean;
  readonly detail: string | null;
  /** Of a branch where it leads, of a loop which time it runs. */
  readonly fact?: string;
}

/** Something that has happened at once, without a beginning. */
export type Remark = "branch" | "iteration" | "memory" | "compaction";

const remarks: Readonly<Record<string, Remark>> = {
  branch_taken: "branch",
  iteration_started: "iteration",
  memory_updated: "memory",
  context_compacted: "compaction",
};

/** What only the events of a reply tell, not its stored message. */
export interface LiveDetails {
  /** Number of the last event seen. */
  readonly lastEventId: number;
  readonly members: readonly Member[];
  /** Place in the queue; null: not waiting. */
  readonly position: number | null;
  /** It waits for a decision about an earlier reply. */
  readonly needsDecision: boolean;
  readonly durationMs: number | null;
  readonly timeToFirstTokenMs: number | null;
  /** Text that was read here: a service that has died may have kept less of it. */
  readonly read: string;
}

export interface MessageView extends Message {
  readonly live?: LiveDetails;
}

const nothingLive: LiveDetails = {
  lastEventId: 0,
  members: [],
  position: null,
  needsDecision: false,
  durationMs: null,
  timeToFirstTokenMs: null,
  read: "",
};

/** The reply after one more event; events must come in order. */
export function applyEvent(message: MessageView, id: number, event: ReplyEvent): MessageView {
  const after = applyToMessage(message, event);
  // Taken back by the agent is not lost.
  const before = event.type === "replaced" ? "" : (message.live?.read ?? "");
  const read = longerOf(before, after.content);
  const live = { ...nothingLive, ...message.live, lastEventId: id, read };
  return withRead({ ...after, live: liveAfter(live, event) });
}

/** What begins with the other, where one does; else what is told now. */
function longerOf(read: string, told: string): string {
  return read.startsWith(told) ? read : told;
}

/** Of a reply that has died with the service, what was read of it stays to be read, as far as it goes on from what was kept. */
export function withRead(message: MessageView): MessageView {
  if (message.status !== "interrupted" || message.live === undefined) return message;
  return { ...message, content: longerOf(message.live.read, message.content) };
}

function liveAfter(live: LiveDetails, event: ReplyEvent): LiveDetails {
  switch (event.type) {
    case "user_message":
      // From the start again.
      return { ...nothingLive, lastEventId: live.lastEventId, read: live.read };
    case "queued":
      return { ...live, position: event.position, needsDecision: event.reason === "decision" };
    case "agent_event":
      return { ...live, position: null, members: withMember(live.members, event) };
    case "audio_chunk":
    case "audio_response":
    case "paused":
      return live;
    case "conversation_complete":
      return {
        ...live,
        position: null,
        members: live.members.map((member) => ({ ...member, isDone: true })),
        durationMs: event.duration_ms,
        timeToFirstTokenMs: event.time_to_first_token_ms,
      };
    default:
      return { ...live, position: null };
  }
}

/** Whether the reply can still change by itself. */
export function isUnfinished(message: Message): boolean {
  return message.status === "queued" || message.status === "streaming";
}

type EventOf<T extends ReplyEvent["type"]> = Extract<ReplyEvent, { type: T }>;

function withMember(members: readonly Member[], event: EventOf<"agent_event">): Member[] {
  const remark = remarks[event.event];
  if (remark !== undefined) {
    const times = [event.iteration, event.max_iterations].filter((each) => each !== undefined);
    return [
      ...members,
      {
        agentId: event.agent_id,
        name: event.name,
        kind: remark,
        isDone: true,
        hasFailed: false,
        detail: event.detail ?? null,
        fact: remark === "branch" ? (event.branches ?? []).join(", ") : times.join(" / "),
      },
    ];
  }
  const kind = event.event.startsWith("step") ? "step" : "member";
  const hasFailed = event.event.endsWith("failed");
  const isDone = hasFailed || event.event.endsWith("completed") || event.event === "handoff";
  const member: Member = {
    agentId: event.agent_id,
    name: event.name,
    kind: event.event === "handoff" ? "handoff" : kind,
    isDone,
    hasFailed,
    detail: event.detail ?? null,
  };
  const open = members.findLastIndex(
    (each) => each.agentId === event.agent_id && each.kind === kind && !each.isDone,
  );
  if (event.event === "step_progress") {
    return members.map((each, index) =>
      index === open ? { ...each, detail: member.detail } : each,
    );
  }
  if (!isDone || open === -1) return [...members, member];
  return members.map((each, index) => (index === open ? member : each));
}
