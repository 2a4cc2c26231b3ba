import type { Message, ReplyEvent, ToolCall } from "../api/types.ts";

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
};

/** The reply after one more event; events must come in order. */
export function applyEvent(message: MessageView, id: number, event: ReplyEvent): MessageView {
  const live: LiveDetails = { ...nothingLive, ...message.live, lastEventId: id };
  const running: MessageView = {
    ...message,
    status: "streaming",
    live: { ...live, position: null },
  };
  switch (event.type) {
    case "user_message":
      // From the start again: whatever was known before is told once more.
      return {
        ...running,
        content: "",
        reasoning: "",
        tool_calls: [],
        media: [],
        sources: [],
        suggestions: [],
        tasks: [],
        custom_events: [],
        steered: [],
        live: { ...nothingLive, lastEventId: id },
      };
    case "queued":
      return {
        ...message,
        status: "queued",
        live: { ...live, position: event.position, needsDecision: event.reason === "decision" },
      };
    case "assistant_chunk":
      return { ...running, content: message.content + event.chunk };
    case "reasoning_chunk":
      return { ...running, reasoning: (message.reasoning ?? "") + event.chunk };
    case "tool_call":
      return { ...running, tool_calls: withToolCall(message.tool_calls ?? [], event) };
    case "agent_event":
      return {
        ...running,
        live: { ...live, position: null, members: withMember(live.members, event) },
      };
    case "media": {
      const { type: _type, agent_id: _agentId, ...media } = event;
      return { ...running, media: [...(message.media ?? []), media] };
    }
    case "sources": {
      // Told again after a cut, by a run that was taken up.
      const known = new Set((message.sources ?? []).map((each) => JSON.stringify(each)));
      const added = event.sources.filter((each) => !known.has(JSON.stringify(each)));
      return { ...running, sources: [...(message.sources ?? []), ...added] };
    }
    case "suggestions":
      return { ...running, suggestions: event.suggestions };
    case "tasks":
      return { ...running, tasks: event.tasks };
    case "agent_custom": {
      const { name, data, agent_id } = event;
      const told = { name, ...(data && { data }), agent_id };
      // Told again after a cut, by a run that was taken up.
      const known = message.custom_events ?? [];
      const isKnown = known.some((each) => JSON.stringify(each) === JSON.stringify(told));
      return { ...running, custom_events: isKnown ? known : [...known, told] };
    }
    case "steered": {
      const { user_message_id: id, text_start } = event;
      const before = (message.steered ?? []).filter(({ message_id: each }) => each !== id);
      return { ...running, steered: [...before, { message_id: id, text_start }] };
    }
    case "audio_chunk":
    case "audio_response":
      return { ...message, live };
    case "paused":
      return {
        ...message,
        status: "paused",
        requirements: event.requirements,
        ...(event.error !== undefined && {
          error: { type: event.error_type ?? "", code: event.code ?? 0, message: event.error },
        }),
        live,
      };
    case "replaced":
      return { ...running, content: event.content };
    case "snapshot":
      return {
        ...running,
        content: event.content,
        ...(event.reasoning !== undefined && { reasoning: event.reasoning }),
        ...(event.sources !== undefined && { sources: event.sources }),
        ...(event.suggestions !== undefined && { suggestions: event.suggestions }),
        ...(event.tasks !== undefined && { tasks: event.tasks }),
        ...(event.custom_events !== undefined && { custom_events: event.custom_events }),
        ...(event.steered !== undefined && { steered: event.steered }),
      };
    case "conversation_complete":
      return {
        ...message,
        content: event.full_response,
        status: "complete",
        agent_id: event.agent_id,
        usage: event.usage,
        finish_reason: event.finish_reason,
        live: {
          ...live,
          position: null,
          members: live.members.map((member) => ({ ...member, isDone: true })),
          durationMs: event.duration_ms,
          timeToFirstTokenMs: event.time_to_first_token_ms,
        },
      };
    case "cancelled":
      return {
        ...message,
        content: event.full_response,
        status: "cancelled",
        live: { ...live, position: null },
      };
    case "error":
      return {
        ...message,
        content: event.full_response,
        status: event.error_type === "interrupted" ? "interrupted" : "failed",
        error: { type: event.error_type, code: event.code, message: event.error },
        live: { ...live, position: null },
      };
  }
}

/** Nothing comes after these. */
export function isLast(event: ReplyEvent): boolean {
  return (
    event.type === "conversation_complete" || event.type === "cancelled" || event.type === "error"
  );
}

/** Whether the reply can still change by itself. */
export function isUnfinished(message: Message): boolean {
  return message.status === "queued" || message.status === "streaming";
}

type EventOf<T extends ReplyEvent["type"]> = Extract<ReplyEvent, { type: T }>;

function withToolCall(calls: readonly ToolCall[], event: EventOf<"tool_call">): ToolCall[] {
  const known = calls.find((call) => call.tool_call_id === event.tool_call_id);
  const call: ToolCall = {
    ...known,
    tool_call_id: event.tool_call_id,
    name: event.name,
    status: event.status,
    agent_id: event.agent_id,
    ...(event.arguments !== undefined && { arguments: event.arguments }),
    ...(event.result !== undefined && { result: event.result }),
  };
  return known === undefined
    ? [...calls, call]
    : calls.map((each) => (each === known ? call : each));
}

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
