import {
  Role,
  TaskState,
  type Artifact,
  type Message,
  type Part,
  type StreamResponse,
  type Task,
  type TaskStatus,
} from "@a2a-js/sdk";
import type { Requirement } from "../../agents/agent-backend.ts";
import type { Language } from "../../problems/catalogue.ts";
import type { ReplyEvent } from "../../replies/reply-event.ts";
import { questionOf } from "../question.ts";
import type { Projection } from "../view.ts";

/** A file that an agent has produced, as far as clients can have it. */
export interface Produced {
  readonly url: string;
  readonly name: string;
  readonly mediaType: string;
}

/** What a task is called, and what the log does not tell of it. */
export interface TaskOptions {
  readonly taskId: string;
  readonly contextId: string;
  readonly agentId: string;
  /** Where paths of files lie. */
  readonly base: string;
  readonly language: Language;
  /** Messages of both sides, oldest first; what is waited for is in the task's status. */
  readonly history: readonly Message[];
  /** The reply's files, for when the log has only its text any more. */
  readonly stored: readonly Produced[];
}

/** What a task has come to. */
export interface TaskProgress {
  readonly hasBegun: boolean;
  readonly state: TaskState;
  /** When it came to that. */
  readonly at: string;
  readonly text: string;
  readonly files: readonly Produced[];
  /** The text as a value, where that was asked for. */
  readonly output: { readonly value: unknown } | null;
  readonly requirements: readonly Requirement[];
  /** Why it has failed, or decisions were not taken. */
  readonly fault: { readonly type: string; readonly message: string } | null;
  /** What else is said of it, for those who know this service. */
  readonly note: Readonly<Record<string, unknown>>;
}

export const initialProgress: TaskProgress = {
  hasBegun: false,
  state: TaskState.TASK_STATE_SUBMITTED,
  at: "",
  text: "",
  files: [],
  output: null,
  requirements: [],
  fault: null,
  note: {},
};

const resting: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_REJECTED,
  TaskState.TASK_STATE_INPUT_REQUIRED,
]);

/** A reply as a task of A2A: first the task as it is by then, then what changes. */
export function taskProjection(options: TaskOptions): Projection<TaskProgress> {
  return {
    initial: initialProgress,
    project(before, event) {
      const after = progressed(before, event, options);
      const told = before.hasBegun
        ? changes(before, after, options, event)
        : [taskResponse(options, after)];
      return [after, told.map((data) => ({ data }))];
    },
    // A pause may have been decided about; whoever follows knows.
    isOver: () => false,
  };
}

/** What a task has come to with an event of its reply's log. */
export function progressed(
  before: TaskProgress,
  event: ReplyEvent,
  { base, stored }: Pick<TaskOptions, "base" | "stored">,
): TaskProgress {
  const at = event.timestamp;
  const now: TaskProgress = { ...before, hasBegun: true, at: before.hasBegun ? before.at : at };
  const state = TaskState.TASK_STATE_WORKING;
  const working = now.state === state ? {} : { state, at, requirements: [], fault: null };
  switch (event.type) {
    case "queued":
      return { ...now, state: TaskState.TASK_STATE_SUBMITTED, at };
    case "assistant_chunk":
      return { ...now, ...working, text: now.text + event.chunk };
    case "replaced":
      return { ...now, ...working, text: event.content };
    case "snapshot": {
      const { content: text, sources } = event;
      const files = stored.reduce(withFile, now.files);
      const note = sources === undefined ? now.note : { ...now.note, sources };
      return { ...now, ...working, text, files, note };
    }
    case "media": {
      const file = producedOf(event, base);
      const files = file === null ? now.files : withFile(now.files, file);
      return { ...now, ...working, files };
    }
    case "sources": {
      const known = (now.note["sources"] as object[] | undefined) ?? [];
      return { ...now, ...working, note: { ...now.note, sources: [...known, ...event.sources] } };
    }
    case "suggestions":
      return { ...now, ...working, note: { ...now.note, suggestions: event.suggestions } };
    case "reasoning_chunk":
    case "tool_call":
    case "agent_event":
    case "agent_custom":
      return { ...now, ...working };
    case "paused": {
      const { requirements, error, error_type: type = "" } = event;
      const fault = error === undefined ? null : { type, message: error };
      return { ...now, state: TaskState.TASK_STATE_INPUT_REQUIRED, at, requirements, fault };
    }
    case "conversation_complete": {
      const { full_response: text, finish_reason, usage, output } = event;
      return {
        ...ended(now, TaskState.TASK_STATE_COMPLETED, at),
        text,
        output: output === undefined || output === null ? null : { value: output },
        note: { ...now.note, finish_reason, ...(usage !== null && { usage }) },
      };
    }
    case "cancelled": {
      const { full_response: text, reason: finish_reason } = event;
      const end = ended(now, TaskState.TASK_STATE_CANCELED, at);
      return { ...end, text, note: { ...now.note, finish_reason } };
    }
    case "error": {
      const { full_response: text, error: message, error_type: type, code } = event;
      // What is no fault of the service nor of the agent would end in the same way again.
      const isRejected = code < 500;
      const state = isRejected ? TaskState.TASK_STATE_REJECTED : TaskState.TASK_STATE_FAILED;
      return { ...ended(now, state, at), text, fault: { type, message } };
    }
    default:
      return now;
  }
}

function ended(now: TaskProgress, state: TaskState, at: string): TaskProgress {
  return { ...now, state, at, requirements: [], fault: null };
}

/** Of a stored or told file; null for one that is not to be had. */
export function producedOf(
  media: {
    readonly kind?: string;
    readonly url?: string;
    readonly name?: string;
    readonly media_type?: string;
  },
  base: string,
): Produced | null {
  const { url, name = "", media_type: mediaType = "" } = media;
  if (url === undefined) return null;
  return { url: url.startsWith("/") ? `${base}${url}` : url, name, mediaType };
}

function withFile(files: readonly Produced[], file: Produced): readonly Produced[] {
  return files.some(({ url }) => url === file.url) ? files : [...files, file];
}

/** The task as it is. */
export function taskOf(options: TaskOptions, progress: TaskProgress): Task {
  const { text, files, output } = progress;
  return {
    id: options.taskId,
    contextId: options.contextId,
    status: statusOf(options, progress),
    artifacts: [
      ...(text === "" ? [] : [textArtifact(text)]),
      ...files.map(fileArtifact),
      ...(output === null ? [] : [outputArtifact(output.value)]),
    ],
    history: [...options.history],
    metadata: metadataOf({ agent_id: options.agentId, ...progress.note }),
  };
}

/** The same as the first of what a stream tells. */
export function taskResponse(options: TaskOptions, progress: TaskProgress): StreamResponse {
  return { payload: { $case: "task", value: taskOf(options, progress) } };
}

/** All that there is of a task as changes, for clients that take a task for the end. */
export function startOf(options: TaskOptions, progress: TaskProgress): StreamResponse[] {
  const nothing = { ...initialProgress, hasBegun: true };
  if (progress.state === TaskState.TASK_STATE_SUBMITTED) return [statusUpdate(options, progress)];
  return changes(nothing, progress, options);
}

/** What has to be told of what has changed, with the event that has brought it. */
function changes(
  before: TaskProgress,
  after: TaskProgress,
  options: TaskOptions,
  event?: ReplyEvent,
): StreamResponse[] {
  const told: StreamResponse[] = [];
  const artifact = (value: Artifact, append = false, lastChunk = true) => {
    const { taskId, contextId } = options;
    const update = { taskId, contextId, artifact: value, append, lastChunk, metadata: undefined };
    told.push({ payload: { $case: "artifactUpdate", value: update } });
  };
  const wasWorking = before.state === TaskState.TASK_STATE_WORKING;
  const isResting = resting.has(after.state);
  const note = event === undefined ? null : noteOf(event);
  if (note !== null || (!wasWorking && !isResting && after.state !== before.state)) {
    told.push(statusUpdate(options, after, note ?? {}));
  } else if (!wasWorking && isResting && event === undefined) {
    // Whoever is told everything at once hears that it was begun.
    const working = { ...initialProgress, state: TaskState.TASK_STATE_WORKING, at: after.at };
    told.push(statusUpdate(options, working));
  }
  const isEnd = isResting && after.state !== before.state;
  const isLast = isEnd && after.state !== TaskState.TASK_STATE_INPUT_REQUIRED;
  if (after.text !== before.text || (isLast && after.text !== "")) {
    const goesOn = before.text !== "" && after.text.startsWith(before.text);
    artifact(
      textArtifact(goesOn ? after.text.slice(before.text.length) : after.text),
      goesOn,
      isLast,
    );
  }
  for (const [index, file] of after.files.entries()) {
    if (index >= before.files.length) artifact(fileArtifact(file, index));
  }
  if (after.output !== null && before.output === null) artifact(outputArtifact(after.output.value));
  if (isEnd) told.push(statusUpdate(options, after, after.note));
  return told;
}

/** What is told of an event beside what it makes of the task: how far it is, not what is thought. */
function noteOf(event: ReplyEvent): Readonly<Record<string, unknown>> | null {
  switch (event.type) {
    case "queued":
      return { queued: { position: event.position } };
    case "tool_call":
      return { tool_call: { id: event.tool_call_id, name: event.name, status: event.status } };
    case "agent_event":
      return { agent_event: { event: event.event, agent_id: event.agent_id, name: event.name } };
    case "agent_custom":
      return {
        agent_custom: { name: event.name, ...(event.data !== undefined && { data: event.data }) },
      };
    default:
      return null;
  }
}

function statusUpdate(
  options: TaskOptions,
  progress: TaskProgress,
  note: Readonly<Record<string, unknown>> = {},
): StreamResponse {
  const { taskId, contextId } = options;
  const status = statusOf(options, progress);
  const value = { taskId, contextId, status, metadata: metadataOf(note) };
  return { payload: { $case: "statusUpdate", value } };
}

function statusOf(options: TaskOptions, progress: TaskProgress): TaskStatus {
  const { state, at, requirements, fault } = progress;
  const parts: Part[] = [];
  if (fault !== null) {
    const error = { error: { type: fault.type, message: fault.message } };
    parts.push(textPart(fault.message), dataPart(error));
  }
  if (state === TaskState.TASK_STATE_INPUT_REQUIRED) {
    parts.push(
      ...requirements.map((each) => textPart(questionOf(options.agentId, each, options.language))),
      dataPart({ requirements }),
    );
  }
  return {
    state,
    timestamp: at === "" ? undefined : at,
    message:
      parts.length === 0 ? undefined : agentMessage(options, `${options.taskId}-status`, parts),
  };
}

/** What an agent says. */
export function agentMessage(
  { taskId, contextId }: Pick<TaskOptions, "taskId" | "contextId">,
  messageId: string,
  parts: Part[],
): Message {
  return {
    messageId,
    contextId,
    taskId,
    role: Role.ROLE_AGENT,
    parts,
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  };
}

export function textPart(value: string): Part {
  return {
    content: { $case: "text", value },
    metadata: undefined,
    filename: "",
    mediaType: "text/plain",
  };
}

function dataPart(value: unknown): Part {
  return {
    content: { $case: "data", value },
    metadata: undefined,
    filename: "",
    mediaType: "application/json",
  };
}

function artifactOf(artifactId: string, name: string, part: Part): Artifact {
  const more = { description: "", metadata: undefined, extensions: [] };
  return { artifactId, name, parts: [part], ...more };
}

function textArtifact(text: string): Artifact {
  return artifactOf("text", "text", textPart(text));
}

function outputArtifact(value: unknown): Artifact {
  return artifactOf("output", "output", dataPart(value));
}

function fileArtifact({ url, name, mediaType }: Produced, index: number): Artifact {
  const part: Part = {
    content: { $case: "url", value: url },
    metadata: undefined,
    filename: name,
    mediaType,
  };
  return artifactOf(`file-${index + 1}`, name === "" ? `file ${index + 1}` : name, part);
}

function metadataOf(note: Readonly<Record<string, unknown>>) {
  return Object.keys(note).length === 0 ? undefined : { chat_service: note };
}
