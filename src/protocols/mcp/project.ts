import type { Static } from "typebox";
import type { Requirement } from "../../agents/agent-backend.ts";
import { cutText } from "../../lib/clean-text.ts";
import type { Language } from "../../problems/catalogue.ts";
import type { ReplyEvent } from "../../replies/reply-event.ts";
import type { Projection, ProtocolEvent } from "../view.ts";
import { maxAnswerLength, type tools } from "./schemas.ts";

export type Answer = Static<(typeof tools.ask_agent)["output"]>;

type EventOf<T extends ReplyEvent["type"]> = Extract<ReplyEvent, { type: T }>;

/** All that a result says of a reply. */
export interface AnswerState {
  readonly status: "queued" | "running" | "paused" | "completed" | "cancelled" | "failed";
  readonly text: string;
  /** So much of the text was there when progress was told last. */
  readonly toldLength: number;
  readonly finishReason: string | null;
  readonly requirements: readonly Requirement[];
  /** While it is `queued` behind one that a person has to decide about. */
  readonly waitsFor: string | null;
  readonly tools: Readonly<Record<string, { readonly name: string; readonly status: string }>>;
  readonly sources: EventOf<"sources">["sources"];
  readonly files: NonNullable<Answer["files"]>;
  readonly usage: EventOf<"conversation_complete">["usage"];
  readonly error: Pick<EventOf<"error">, "error_type" | "error"> | null;
}

const initial: AnswerState = {
  status: "running",
  text: "",
  toldLength: 0,
  finishReason: null,
  requirements: [],
  waitsFor: null,
  tools: {},
  sources: [],
  files: [],
  usage: null,
  error: null,
};

/** Text that is being written is told of when so much has been added: people look at it, and each notice costs. */
const toldEvery = 400;

/**
 * A reply as the result of a tool, with notices of its progress on the way. What it has come to follows from the whole
 * log.
 */
export function answerProjection(language: Language): Projection<AnswerState> {
  const notice = (en: string, zh: string): ProtocolEvent[] => [
    { data: { message: language === "zh" ? zh : en } },
  ];

  const become = (state: AnswerState, text: string): [AnswerState, ProtocolEvent[]] => {
    const next = { ...state, status: "running" as const, text };
    if (text.length < state.toldLength + toldEvery) return [next, []];
    const written = notice(`${text.length} characters written`, `已写 ${text.length} 个字符`);
    return [{ ...next, toldLength: text.length }, written];
  };

  return {
    initial,
    project(state, event) {
      switch (event.type) {
        case "queued": {
          const { position, reason, waits_for: front = null, requirements = [] } = event;
          const waits = { waitsFor: reason === "decision" ? front : null, requirements };
          const told = notice(`waiting, number ${position}`, `排队中，第 ${position} 位`);
          return [{ ...state, status: "queued", ...waits }, told];
        }
        case "assistant_chunk":
          return become(state, state.text + event.chunk);
        case "replaced":
          return become({ ...state, toldLength: 0 }, event.content);
        case "snapshot":
          return become({ ...state, sources: event.sources ?? state.sources }, event.content);
        case "reasoning_chunk":
          return state.status === "queued"
            ? [{ ...state, status: "running", waitsFor: null }, notice("thinking", "正在思考")]
            : [{ ...state, status: "running" }, []];
        case "tool_call": {
          const { tool_call_id: id, name, status } = event;
          const told = {
            started: notice(`uses ${name}`, `正在使用 ${name}`),
            completed: notice(`has used ${name}`, `已使用 ${name}`),
            failed: notice(`${name} failed`, `${name} 失败`),
          };
          const used = { ...state.tools, [id]: { name, status } };
          return [{ ...state, status: "running", tools: used }, told[status]];
        }
        case "agent_event": {
          const { event: what, name } = event;
          return [state, [{ data: { message: `${what.replaceAll("_", " ")}: ${name}` } }]];
        }
        case "sources":
          return [{ ...state, sources: [...state.sources, ...event.sources] }, []];
        case "media": {
          const { kind, url, name, media_type } = event;
          const file = {
            kind,
            ...(url !== undefined && { url }),
            ...(name !== undefined && { name }),
            ...(media_type !== undefined && { media_type }),
          };
          return [{ ...state, files: [...state.files, file] }, []];
        }
        case "paused": {
          const waits = notice("waits for a decision", "等待决定");
          return [{ ...state, status: "paused", requirements: event.requirements }, waits];
        }
        case "conversation_complete": {
          const { full_response: text, finish_reason: finishReason, usage } = event;
          const end = { finishReason, usage, requirements: [] };
          return [{ ...state, status: "completed", text, ...end }, []];
        }
        case "cancelled": {
          const { full_response: text, reason: finishReason } = event;
          return [{ ...state, status: "cancelled", text, finishReason, requirements: [] }, []];
        }
        case "error": {
          const { full_response: text, error_type, error } = event;
          const fault = { error_type, error };
          return [{ ...state, status: "failed", text, error: fault, requirements: [] }, []];
        }
        default:
          return [state, []];
      }
    },
    // Where a reply rests is up to whoever follows it: a decision may have been made behind a pause.
    isOver: () => false,
  };
}

/** What a result says of a reply that has not failed, from `offset` of its text on. */
export function answerOf(
  reply: { readonly sessionId: string; readonly messageId: string; readonly agentId: string },
  state: AnswerState & { readonly status: Answer["status"] },
  offset: number,
): Answer {
  const text = cutText(state.text.slice(offset), maxAnswerLength).toWellFormed();
  const end = offset + text.length;
  const used = Object.values(state.tools);
  return {
    session_id: reply.sessionId,
    message_id: reply.messageId,
    agent_id: reply.agentId,
    status: state.status,
    text,
    offset,
    next_offset: end < state.text.length ? end : null,
    ...(state.finishReason !== null && { finish_reason: state.finishReason }),
    ...(state.waitsFor !== null && { waits_for: state.waitsFor }),
    ...(state.requirements.length > 0 && { requirements: [...state.requirements] }),
    ...(used.length > 0 && { tools: used }),
    ...(state.sources.length > 0 && { sources: state.sources }),
    ...(state.files.length > 0 && { files: state.files }),
    ...(state.usage !== null && { usage: state.usage }),
  };
}
