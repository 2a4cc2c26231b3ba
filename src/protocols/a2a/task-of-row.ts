import { Role, type Message, type Task } from "@a2a-js/sdk";
import type { Language } from "../../problems/catalogue.ts";
import type { ReplyEnd } from "../../replies/reply.ts";
import { terminalEvent } from "../../replies/terminal-event.ts";
import {
  agentMessage,
  initialProgress,
  producedOf,
  progressed,
  taskOf,
  textPart,
  type Produced,
  type TaskOptions,
  type TaskProgress,
} from "./project.ts";
import type { TaskRow } from "./task-store.ts";

/** Who is told of a task. */
export interface Listener {
  /** Where paths of files lie. */
  readonly base: string;
  readonly language: Language;
  /** Clients of 0.3 look for answers in the history. */
  readonly isOld: boolean;
}

/** A task as its stored reply has it. */
export function taskOfRow(row: TaskRow, listener: Listener, historyLength?: number): Task {
  const options = optionsOf(row, listener, historyLength);
  return taskOf(options, progressOf(row, options));
}

/** What its log does not tell. Without `historyLength`, all messages. */
export function optionsOf(row: TaskRow, listener: Listener, historyLength?: number): TaskOptions {
  const { base, language, isOld } = listener;
  return {
    taskId: row.taskId,
    contextId: contextOf(row),
    agentId: row.agentId,
    base,
    language,
    history: historyOf(row, isOld, historyLength),
    stored: filesOf(row, base),
  };
}

/** What its client calls the conversation. */
export function contextOf({ contextName, sessionId }: TaskRow): string {
  return contextName ?? sessionId;
}

export function isOver(status: string): boolean {
  return !["queued", "streaming", "paused"].includes(status);
}

function filesOf({ media }: TaskRow, base: string): Produced[] {
  return (media ?? []).flatMap((each) => producedOf(each, base) ?? []);
}

/** What the row alone says of a task. */
function progressOf(row: TaskRow, options: TaskOptions): TaskProgress {
  const at = row.statusAt.toISOString();
  const stamp = { session_id: row.sessionId, message_id: row.taskId, timestamp: at };
  const { status, content, extras } = row;
  if (status === "queued") return { ...initialProgress, hasBegun: true, at };
  const sources = extras?.sources;
  const snapshot = {
    ...stamp,
    type: "snapshot" as const,
    content,
    ...(sources !== undefined && { sources: [...sources] }),
  };
  const shown = progressed(initialProgress, snapshot, options);
  if (status === "streaming") return shown;
  const end = terminalEvent(row.agentId, content, {
    status: status as ReplyEnd["status"],
    finishReason: row.finishReason ?? "stop",
    usage: row.usage,
    outputFormat: row.outputFormat,
    error: row.error,
    requirements: row.requirements,
    durationMs: 0,
    timeToFirstTokenMs: null,
  });
  return progressed(shown, { ...end, ...stamp }, options);
}

function historyOf(row: TaskRow, isOld: boolean, length: number | undefined): Message[] {
  const { taskId } = row;
  const contextId = contextOf(row);
  const question: Message = {
    ...agentMessage({ taskId, contextId }, row.questionName ?? row.questionId, [
      textPart(row.question),
    ]),
    role: Role.ROLE_USER,
  };
  const hasAnswer = isOld && isOver(row.status) && row.content !== "";
  const answer = agentMessage({ taskId, contextId }, taskId, [textPart(row.content)]);
  const history = hasAnswer ? [question, answer] : [question];
  if (length === undefined) return history;
  return length <= 0 ? [] : history.slice(-length);
}
