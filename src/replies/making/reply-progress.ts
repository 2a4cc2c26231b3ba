import type { AgentEvent } from "../../agents/agent-backend.ts";
import { stateContext, storedState } from "./backend-state.ts";
import type { ReplyEventBody } from "../reply-event.ts";
import type {
  ClaimedReply,
  ReplyEnd,
  ReplyProgress,
  StoredToolCall,
} from "../lifecycle/reply-store.ts";

type EventOf<T extends AgentEvent["type"]> = Extract<AgentEvent, { type: T }>;

/** Results of tools and texts of team members are cut here, in events and in messages. */
const maxDetailLength = 4_096;
/** Tool calls and media kept with a message; a run that makes more is still shown live. */
const maxItems = 200;
const maxReasoningLength = 1024 * 1024;

/** What a reply has come to so far, and how much of it is stored. */
export class ReplyProgressTracker {
  content: string;
  reasoning: string;
  usage: ReplyEnd["usage"];
  storedSeq: number;
  #storedLength: number;
  #dirty = false;
  #backendState: ReplyProgress["backendState"];
  readonly #toolCalls = new Map<string, StoredToolCall>();
  readonly #media: { readonly url?: string }[] = [];

  constructor(reply: ClaimedReply) {
    this.content = reply.content;
    this.reasoning = reply.reasoning;
    this.storedSeq = reply.eventSeq;
    this.#storedLength = reply.content.length;
    this.#backendState = reply.backendState;
    // An earlier attempt, or the time before a pause.
    this.usage = stateContext(reply.backendState)?.usage ?? null;
    for (const call of reply.toolCalls ?? []) this.#toolCalls.set(call.tool_call_id, { ...call });
    this.#media.push(...(reply.media ?? []));
  }

  get unstoredLength(): number {
    return this.content.length - this.#storedLength;
  }

  set backendState(state: NonNullable<ReplyProgress["backendState"]>) {
    const context = { contentLength: this.content.length, usage: this.usage };
    this.#backendState = storedState(state, context);
    this.#dirty = true;
  }

  addText(text: string): void {
    this.content += text;
    this.#dirty = true;
  }

  replaceText(text: string): void {
    this.content = text;
    this.#dirty = true;
  }

  addReasoning(text: string): void {
    if (this.reasoning.length < maxReasoningLength) this.reasoning += text;
    this.#dirty = true;
  }

  addUsage({ inputTokens, outputTokens }: EventOf<"usage">): void {
    this.usage = {
      input_tokens: (this.usage?.input_tokens ?? 0) + inputTokens,
      output_tokens: (this.usage?.output_tokens ?? 0) + outputTokens,
    };
  }

  addTool(event: EventOf<"tool">, replyAgentId: string): ReplyEventBody {
    this.#dirty = true;
    const agentId = event.agentId ?? replyAgentId;
    const result = event.result === undefined ? undefined : cut(event.result);
    const args = event.arguments === undefined ? undefined : cut(event.arguments);
    const known = this.#toolCalls.get(event.toolCallId);
    if (known !== undefined) {
      known.status = event.status;
      if (args !== undefined) known.arguments = args;
      if (result !== undefined) known.result = result;
    } else if (this.#toolCalls.size < maxItems) {
      this.#toolCalls.set(event.toolCallId, {
        tool_call_id: event.toolCallId,
        name: event.name,
        status: event.status,
        ...(args !== undefined && { arguments: args }),
        ...(result !== undefined && { result }),
        agent_id: agentId,
      });
    }
    return {
      type: "tool_call",
      tool_call_id: event.toolCallId,
      name: event.name,
      status: event.status,
      ...(args !== undefined && { arguments: args }),
      ...(result !== undefined && { result }),
      agent_id: agentId,
    };
  }

  agentEvent(event: EventOf<"agent">): ReplyEventBody {
    return {
      type: "agent_event",
      event: event.event,
      agent_id: event.agentId,
      name: event.name,
      ...(event.parentAgentId !== undefined && { parent_agent_id: event.parentAgentId }),
      ...(event.detail !== undefined && { detail: event.detail.slice(0, maxDetailLength) }),
    };
  }

  addMedia(event: EventOf<"media">, agentId: string): ReplyEventBody {
    this.#dirty = true;
    const { kind, url, name } = event;
    const media = { kind, url, ...(name !== undefined && { name }) };
    const isKnown = this.#media.some((each) => each.url === url);
    if (!isKnown && this.#media.length < maxItems) this.#media.push(media);
    return { type: "media", ...media, agent_id: agentId };
  }

  /** Everything so far, covering the events up to `eventSeq`. */
  current(eventSeq: number): ReplyProgress {
    return {
      content: this.content,
      reasoning: this.reasoning,
      eventSeq,
      toolCalls: [...this.#toolCalls.values()],
      media: this.#media,
      backendState: this.#backendState,
    };
  }

  /** As `current`, or null when nothing has changed since it was last called. */
  changed(eventSeq: number): ReplyProgress | null {
    if (!this.#dirty && eventSeq === this.storedSeq) return null;
    this.#dirty = false;
    return this.current(eventSeq);
  }

  /** What `changed` has handed out could not be stored: it hands it out again. */
  touch(): void {
    this.#dirty = true;
  }

  stored(progress: ReplyProgress): void {
    this.storedSeq = progress.eventSeq;
    this.#storedLength = progress.content.length;
  }
}

/** Values keep their shape while they are short; longer ones become the beginning of their JSON. */
function cut(value: unknown): unknown {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text === undefined || text.length <= maxDetailLength) return value;
  return `${text.slice(0, maxDetailLength)}…`;
}
