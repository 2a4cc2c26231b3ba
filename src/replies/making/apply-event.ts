import type { AgentEvent, Requirement } from "../../agents/agent-backend.ts";
import { cleanPiece, cleanText } from "../../lib/clean-text.ts";
import type { ClaimedReply, ReplyEnd, ReplyProgress, StoredToolCall } from "../reply.ts";
import { withUse, type Spent } from "../../agents/spent.ts";
import {
  noExtras,
  withCustomEvent,
  withModel,
  withSources,
  withSuggestions,
  withTasks,
} from "../extras.ts";
import type { ReplyEventBody } from "../reply-event.ts";
import { stateContext, storedState } from "./backend-state.ts";

/** What a reply has come to so far. It is never changed: members that two drafts share have not changed between them. */
export interface Draft extends Omit<ReplyProgress, "eventSeq"> {
  readonly usage: ReplyEnd["usage"];
  /** The same by model. */
  readonly spent: readonly Spent[];
  readonly context: NonNullable<ReplyEnd["context"]> | null;
  /** Of `content`, in UTF-8. */
  readonly contentBytes: number;
  /** In this attempt; an earlier one's state may be no more than its own. */
  readonly isResumable: boolean;
  /** Half a surrogate pair, whose other half comes with the next piece. */
  readonly textHalf: string;
  readonly reasoningHalf: string;
}

/** Why nothing more of the agent is listened to. */
export type Outcome =
  | { readonly kind: "finished"; readonly reason: string }
  | { readonly kind: "paused"; readonly requirements: readonly Requirement[] }
  | { readonly kind: "too_long" };

export interface Applied {
  readonly draft: Draft;
  /** What viewers are told. */
  readonly event: ReplyEventBody | null;
  /** Worth storing at once. */
  readonly checkpoint: boolean;
  readonly outcome: Outcome | null;
}

interface Rules {
  /** Who made what does not say otherwise. */
  readonly agentId: string;
  /** Of the text, in UTF-8. */
  readonly maxReplyBytes: number;
}

/** Results of tools and texts of team members are cut here, in events and in messages. */
const maxDetailLength = 4_096;
/** Tool calls and media kept with a message; a run that makes more is still shown live. */
const maxItems = 200;
const maxBranches = 50;
const maxReasoningLength = 1024 * 1024;

/** Where an attempt begins: a new reply, an earlier attempt, or the time before a pause. */
export function draftOf(reply: ClaimedReply): Draft {
  const known = stateContext(reply.backendState);
  return {
    content: reply.content,
    reasoning: reply.reasoning,
    toolCalls: reply.toolCalls ?? [],
    media: reply.media ?? [],
    extras: reply.extras ?? noExtras,
    backendState: reply.backendState,
    usage: known?.usage ?? null,
    spent: known?.spent ?? spentOf(known?.usage),
    context: null,
    contentBytes: Buffer.byteLength(reply.content),
    isResumable: false,
    textHalf: "",
    reasoningHalf: "",
  };
}

/** What became of a file that the agent has produced. */
export interface KeptFile {
  readonly type: "kept";
  readonly kind: string;
  readonly name: string;
  readonly agentId?: string;
  readonly fate:
    | {
        readonly attachment_id: string;
        readonly url: string;
        readonly media_type: string;
        readonly size: number;
      }
    | { readonly left_out: LeftOut; readonly size: number };
}

/** Why a file is not kept: its user has no room for it, or it could not be stored. */
export type LeftOut = "no_space" | "not_stored";

/** What an agent's event makes of a reply. Costs the same however long the reply is. */
export function applyEvent(
  draft: Draft,
  event: Exclude<AgentEvent, { type: "file" }> | KeptFile,
  rules: Rules,
): Applied {
  switch (event.type) {
    case "text": {
      const { text, half } = cleanPiece(draft.textHalf, event.text);
      if (text === "") return quietly({ ...draft, textHalf: half });
      const content = draft.content + text;
      const contentBytes = draft.contentBytes + Buffer.byteLength(text);
      return {
        draft: { ...draft, content, contentBytes, textHalf: half },
        event: { type: "assistant_chunk", chunk: text, finished: false, agent_id: rules.agentId },
        checkpoint: false,
        outcome: tooLong(contentBytes, rules),
      };
    }
    case "replace": {
      const content = cleanText(event.text);
      if (content === draft.content) return quietly({ ...draft, textHalf: "" });
      const contentBytes = Buffer.byteLength(content);
      return {
        draft: { ...draft, content, contentBytes, textHalf: "" },
        event: { type: "replaced", content },
        checkpoint: false,
        outcome: tooLong(contentBytes, rules),
      };
    }
    case "reasoning": {
      const { text, half } = cleanPiece(draft.reasoningHalf, event.text);
      if (text === "") return quietly({ ...draft, reasoningHalf: half });
      const isFull = draft.reasoning.length >= maxReasoningLength;
      return {
        draft: {
          ...draft,
          reasoning: isFull ? draft.reasoning : draft.reasoning + text,
          reasoningHalf: half,
        },
        event: { type: "reasoning_chunk", chunk: text, agent_id: event.agentId ?? rules.agentId },
        checkpoint: false,
        outcome: null,
      };
    }
    case "tool": {
      const call = toolCall(event, rules.agentId);
      return {
        draft: { ...draft, toolCalls: withCall(draft.toolCalls, call) },
        event: { type: "tool_call", ...call },
        checkpoint: true,
        outcome: null,
      };
    }
    case "agent":
      return {
        draft,
        event: {
          type: "agent_event",
          event: event.event,
          agent_id: event.agentId,
          name: event.name,
          ...(event.parentAgentId !== undefined && { parent_agent_id: event.parentAgentId }),
          ...(event.detail !== undefined && { detail: event.detail.slice(0, maxDetailLength) }),
          ...(event.branches && { branches: event.branches.slice(0, maxBranches) }),
          ...(event.iteration !== undefined && { iteration: event.iteration }),
          ...(event.maxIterations !== undefined && { max_iterations: event.maxIterations }),
          ...(event.messages !== undefined && { messages: event.messages }),
        },
        checkpoint: event.event !== "step_progress",
        outcome: null,
      };
    case "media": {
      const { kind, url, name } = event;
      const item = { kind, url, ...(name !== undefined && { name }) };
      return {
        draft: { ...draft, media: withMedia(draft.media, item) },
        event: { type: "media", ...item, agent_id: event.agentId ?? rules.agentId },
        checkpoint: false,
        outcome: null,
      };
    }
    case "kept": {
      const { kind, name, fate } = event;
      const item = { kind, name, ...fate };
      return {
        draft: { ...draft, media: withMedia(draft.media, item) },
        event: { type: "media", ...item, agent_id: event.agentId ?? rules.agentId },
        checkpoint: false,
        outcome: null,
      };
    }
    case "sources": {
      const { extras, added } = withSources(draft.extras, event.sources);
      if (added.length === 0) return quietly(draft);
      return {
        draft: { ...draft, extras },
        event: { type: "sources", sources: [...added], agent_id: event.agentId ?? rules.agentId },
        checkpoint: false,
        outcome: null,
      };
    }
    case "suggestions": {
      const extras = withSuggestions(draft.extras, event.suggestions);
      if (extras === draft.extras) return quietly(draft);
      return {
        draft: { ...draft, extras },
        event: { type: "suggestions", suggestions: [...(extras.suggestions ?? [])] },
        checkpoint: false,
        outcome: null,
      };
    }
    case "tasks": {
      const extras = withTasks(draft.extras, event.tasks);
      if (extras === draft.extras) return quietly(draft);
      return {
        draft: { ...draft, extras },
        event: {
          type: "tasks",
          tasks: [...(extras.tasks ?? [])],
          agent_id: event.agentId ?? rules.agentId,
        },
        checkpoint: false,
        outcome: null,
      };
    }
    case "custom": {
      const { name, data, agentId } = event;
      const told = { name, data, agent_id: agentId ?? rules.agentId };
      const { extras, added } = withCustomEvent(draft.extras, told);
      if (added === null) return quietly(draft);
      return {
        draft: { ...draft, extras },
        event: { type: "agent_custom", ...added },
        checkpoint: false,
        outcome: null,
      };
    }
    case "usage":
      return quietly({
        ...draft,
        extras: withModel(draft.extras, event.model),
        usage:
          event.inputTokens + event.outputTokens === 0
            ? draft.usage
            : {
                input_tokens: (draft.usage?.input_tokens ?? 0) + event.inputTokens,
                output_tokens: (draft.usage?.output_tokens ?? 0) + event.outputTokens,
              },
        spent: withUse(draft.spent, {
          model: event.model,
          input: event.inputTokens,
          output: event.outputTokens,
          cached: event.cachedTokens ?? 0,
          reasoning: event.reasoningTokens ?? 0,
        }),
      });
    case "context": {
      const { messages, estimatedTokens, dropped, summarised } = event.context;
      return quietly({
        ...draft,
        context: {
          messages,
          estimated_tokens: estimatedTokens,
          dropped,
          ...(summarised !== undefined && { summarised }),
        },
      });
    }
    case "resumable":
      return {
        draft: { ...withState(draft, event.state), isResumable: true },
        event: null,
        // From the first one on the run can be taken up again.
        checkpoint: !draft.isResumable,
        outcome: null,
      };
    case "paused":
      return {
        ...quietly(withState(draft, event.state)),
        outcome: { kind: "paused", requirements: event.requirements },
      };
    case "finish":
      return { ...quietly(draft), outcome: { kind: "finished", reason: event.reason } };
  }
}

/** Of a state that an older node has stored. */
function spentOf(usage: Draft["usage"] | undefined): Draft["spent"] {
  if (usage === null || usage === undefined) return [];
  const { input_tokens: input, output_tokens: output } = usage;
  return withUse([], { input, output, cached: 0, reasoning: 0 });
}

function quietly(draft: Draft): Applied {
  return { draft, event: null, checkpoint: false, outcome: null };
}

function tooLong(contentBytes: number, { maxReplyBytes }: Rules): Outcome | null {
  return contentBytes > maxReplyBytes ? { kind: "too_long" } : null;
}

function withState(draft: Draft, state: NonNullable<Draft["backendState"]>): Draft {
  const { spent } = draft;
  const told = { contentLength: draft.content.length, usage: draft.usage };
  const context = spent.length > 0 ? { ...told, spent } : told;
  return { ...draft, backendState: storedState(state, context) };
}

function toolCall(event: Extract<AgentEvent, { type: "tool" }>, agentId: string): StoredToolCall {
  return {
    tool_call_id: event.toolCallId,
    name: event.name,
    status: event.status,
    ...(event.arguments !== undefined && { arguments: cut(event.arguments) }),
    ...(event.result !== undefined && { result: cut(event.result) }),
    agent_id: event.agentId ?? agentId,
  };
}

/** A call that is known keeps its name and its agent, and what it is not told anew. */
function withCall(
  calls: readonly StoredToolCall[],
  call: StoredToolCall,
): readonly StoredToolCall[] {
  const index = calls.findIndex((each) => each.tool_call_id === call.tool_call_id);
  const known = calls[index];
  if (known === undefined) return calls.length < maxItems ? [...calls, call] : calls;
  return calls.with(index, { ...known, ...call, name: known.name, agent_id: known.agent_id });
}

function withMedia(
  media: Draft["media"],
  item: object & { readonly url?: string },
): Draft["media"] {
  const isKnown =
    item.url !== undefined && media.some((each) => "url" in each && each.url === item.url);
  return isKnown || media.length >= maxItems ? media : [...media, item];
}

/** Values keep their shape while they are short; longer ones become the beginning of their JSON. */
function cut(value: unknown): unknown {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text === undefined || text.length <= maxDetailLength) return value;
  return `${text.slice(0, maxDetailLength)}…`;
}
