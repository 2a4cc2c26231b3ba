import type { SentContext } from "../../agent-backend.ts";
import type { ComponentKind } from "./components.ts";
import { createRunUsage, readSpent, type UsageProgress } from "./run-usage.ts";
import type { TextMark } from "./text-trace.ts";
import { asCount, asRecord, asText, type Wire } from "./wire.ts";

/** Names one run of one component of one server. */
export interface RunRef {
  readonly server: string;
  readonly kind: ComponentKind;
  readonly componentId: string;
  readonly runId: string;
  /** Of AgentOS, where that is not the conversation's. */
  readonly sessionId?: string;
  /** What of the conversation was told with it; absent: nothing. */
  readonly context?: SentContext;
  /** Whether it lives on without its connection. */
  readonly background: boolean;
  /** Whether it outlives its server: a queue begins it again, or gives it up. */
  readonly durable?: boolean;
  /** What its queue has it under, until its first event has told which id it has there. */
  readonly key?: string;
}

/** What has been delivered of a run; everything that a later process needs to go on exactly there. */
export interface Progress extends UsageProgress {
  /** Of the last event taken; -1 before the first. */
  readonly eventIndex: number;
  /** When the run began, by the clock of AgentOS, in epoch seconds; 0 when unknown. */
  readonly startedAt: number;
  /** All text of the reply. */
  readonly text: TextMark;
  /** Text since the last pause, when there was one. */
  readonly leg: TextMark | null;
  /** In workflows: the inner run whose text the reply is. */
  readonly textRunId: string | null;
  /** Something was begun that may take long without a word. */
  readonly atWork?: boolean;
}

/** The opaque `resumable` state. */
export interface ResumableState {
  readonly run: RunRef;
  readonly progress: Progress;
}

/** The opaque `paused` state: `pause` is echoed to AgentOS as it came, with the decisions filled in. */
export interface PausedState extends ResumableState {
  readonly pause: readonly Wire[];
}

/** The same run after a pause. Workflows go on in the foreground, whatever they were begun in, unless a queue has them. */
export function continued(run: RunRef): RunRef {
  const canBeLeft = run.kind !== "workflow" || run.durable === true;
  return { ...run, background: run.background && canBeLeft };
}

/** The same run, now that its id is known. */
export function withId({ key: _, ...run }: RunRef, runId: string): RunRef {
  return { ...run, runId };
}

/** The session of AgentOS that a run is in. */
export function sessionOf(run: RunRef, request: { readonly sessionId: string }): string {
  return run.sessionId ?? request.sessionId;
}

const kinds: readonly string[] = ["agent", "team", "workflow"] satisfies ComponentKind[];

/** Reads back a stored state; null when it is not one, such as one of an older version of this service. */
export function readResumableState(state: Wire): ResumableState | null {
  const run = asRecord(state["run"]);
  const progress = asRecord(state["progress"]);
  const text = readMark(progress["text"]);
  const server = asText(run["server"]);
  const kind = asText(run["kind"]);
  const componentId = asText(run["componentId"]);
  const runId = asText(run["runId"]);
  const sessionId = asText(run["sessionId"]);
  const key = asText(run["key"]);
  const eventIndex = progress["eventIndex"];
  if (!text || !server || !kind || !kinds.includes(kind) || !componentId || !runId) return null;
  if (typeof eventIndex !== "number") return null;
  return {
    run: {
      server,
      kind: kind as ComponentKind,
      componentId,
      runId,
      ...(sessionId !== undefined && { sessionId }),
      ...(run["context"] !== undefined && { context: readContext(asRecord(run["context"])) }),
      background: run["background"] === true,
      ...(run["durable"] === true && { durable: true }),
      ...(key !== undefined && { key }),
    },
    progress: {
      eventIndex,
      startedAt: asCount(progress["startedAt"]),
      text,
      leg: readMark(progress["leg"]),
      textRunId: asText(progress["textRunId"]) ?? null,
      ...(progress["atWork"] === true && { atWork: true }),
      ...createRunUsage(readSpent(progress)).progress,
    },
  };
}

export function readPausedState(state: Wire): PausedState | null {
  const resumable = readResumableState(state);
  const pause = state["pause"];
  return resumable && Array.isArray(pause) ? { ...resumable, pause: pause.map(asRecord) } : null;
}

function readContext(context: Wire): SentContext {
  return {
    messages: asCount(context["messages"]),
    estimatedTokens: asCount(context["estimatedTokens"]),
    dropped: asCount(context["dropped"]),
  };
}

function readMark(value: unknown): TextMark | null {
  const mark = asRecord(value);
  const hash = asText(mark["hash"]);
  return hash ? { length: asCount(mark["length"]), hash } : null;
}
