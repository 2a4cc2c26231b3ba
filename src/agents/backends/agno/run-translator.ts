import type { AgentEvent } from "../../agent-backend.ts";
import type { ComponentKind } from "./components.ts";
import { customEvent } from "./custom-event.ts";
import { baseName, isKnown, isShown, type ShownEvent } from "./known-events.ts";
import { notedMemories } from "./noted-memories.ts";
import { contentText, createReplyText } from "./reply-text.ts";
import { readPause, type Pause } from "./requirements.ts";
import { createRunActivity } from "./run-activity.ts";
import type { Progress } from "./run-state.ts";
import { createRunUsage } from "./run-usage.ts";
import { tasksOf } from "./tasks.ts";
import { asCount, asList, asRecord, asText, asTexts, type Wire } from "./wire.ts";

/** How a run ended. */
export type RunOutcome =
  | { readonly kind: "completed" }
  | { readonly kind: "paused"; readonly pause: Pause }
  /** By somebody else in AgentOS; what this service stops is not read any further. */
  | { readonly kind: "cancelled" }
  | Failure;

/** Both texts are for the log and for decisions only. */
interface Failure {
  readonly kind: "failed";
  readonly errorType: string;
  readonly message: string;
}

/** Turns the events of one run into those of the port. */
export interface RunTranslator {
  /** Appends to `into` what the event means; returns whether it was a boundary (a tool, a step, a member, the end). */
  translate(event: Wire, into: AgentEvent[]): boolean;
  /** The same for a stored run, when the stream ended without telling how: the missing text and the outcome. */
  settle(run: Wire, into: AgentEvent[]): void;
  /** How often it has failed while a queue may try it again: nothing more comes of that try. */
  readonly setbacks: number;
  /** Null while it goes on. The first one counts: AgentOS sends `RunCompleted` after `RunCancelled`, for one. */
  readonly outcome: RunOutcome | null;
  /** The id AgentOS gave the run; null before its first event. */
  readonly runId: string | null;
  readonly progress: Omit<Progress, "eventIndex">;
  /** As that of `RunActivity`. */
  readonly isAtWork: boolean;
}

export interface RunTranslatorOptions {
  readonly kind: ComponentKind;
  readonly componentId: string;
  /** Workflows: the steps whose text is the answer. */
  readonly answeringSteps: ReadonlySet<string>;
  /** For a run that has begun before: which one, and where to go on. */
  readonly begun?: { readonly runId: string; readonly progress: Progress };
  /** After a pause: text from now on is a part of its own. */
  readonly newLeg?: boolean;
  /** A queue may try it again when it has failed: only `settle` says that it has failed for good. */
  readonly triedAgain?: boolean;
  /** Told of event types that nothing is known about. */
  readonly onUnknown: (type: string) => void;
}

export function createRunTranslator(options: RunTranslatorOptions): RunTranslator {
  const { kind, componentId, answeringSteps, begun } = options;
  const text = createReplyText(begun?.progress, options.newLeg === true);
  const activity = createRunActivity(componentId);
  let runId = begun?.runId ?? null;
  let startedAt = begun?.progress.startedAt ?? 0;
  let textRunId = begun?.progress.textRunId ?? null;
  const usage = createRunUsage(begun?.progress.spent);
  let reasoned = false;
  let reasonedInDeltas = false;
  let innerFailure: Failure | null = null;
  /** How the latest try of a queue failed, until the next one begins. */
  let setback: Failure | null = null;
  let setbacks = 0;
  let outcome: RunOutcome | null = null;
  /** Begun before this service took the run up, and not over yet. */
  let wasAtWork = begun?.progress.atWork === true;

  /** Of the run addressed itself, as opposed to its members and steps. */
  function isTop(event: Wire, name: string): boolean {
    if (asText(event["parent_run_id"])) return false;
    const id = asText(event["run_id"]);
    // Errors from outside the run loop carry no ids at all.
    if (!id) return !asText(event["step_id"]);
    if (runId !== null) return id === runId;
    if (kind === "workflow") return name.startsWith("Workflow");
    return kind === "team" ? name.startsWith("Team") : true;
  }

  /** The agent or team that a workflow's step consists of, not a member of that team. */
  function isStepExecutor(event: Wire): boolean {
    const parent = asText(event["parent_run_id"]);
    return kind === "workflow" && (!parent || parent === runId);
  }

  function isAnswer(event: Wire): boolean {
    if (!isStepExecutor(event)) return false;
    // A workflow's own agent may answer without running any step.
    if (event["workflow_agent"] === true && !asText(event["step_id"])) return true;
    return answeringSteps.has(asText(event["step_name"]) ?? "");
  }

  /** Whom it is of, unless it is the one addressed. */
  const by = (event: Wire, top: boolean) => (top ? {} : { agentId: activity.speaker(event).id });

  function think(thought: unknown, event: Wire, top: boolean, into: AgentEvent[]): void {
    if (typeof thought !== "string" || thought === "") return;
    reasoned ||= top;
    into.push({
      type: "reasoning",
      text: thought,
      ...(top ? {} : { agentId: activity.speaker(event).id }),
    });
  }

  function sources(event: Wire, top: boolean, into: AgentEvent[]): void {
    if (!event["citations"] && !event["references"]) return;
    activity.sources(event, into, top ? undefined : activity.speaker(event).id);
  }

  function suggest(given: unknown, into: AgentEvent[]): void {
    const suggestions = asTexts(given);
    if (suggestions.length > 0) into.push({ type: "suggestions", suggestions });
  }

  function content(event: Wire, top: boolean, into: AgentEvent[]): void {
    think(event["reasoning_content"], event, top, into);
    sources(event, top, into);
    if (event["image"]) {
      const agentId = top ? undefined : activity.speaker(event).id;
      activity.media({ images: [event["image"]] }, into, agentId);
    }
    if (!top) {
      if (!isAnswer(event)) return;
      const id = asText(event["run_id"]) ?? null;
      // A step that failed is tried again from its start.
      if (textRunId !== null && id !== textRunId) text.startOver(into);
      textRunId = id;
    }
    const piece = event["content"];
    if (typeof piece === "string") text.say(piece, into);
    else text.sayWhole(piece, into);
  }

  function end(next: RunOutcome, into: AgentEvent[]): void {
    if (next.kind === "completed") activity.closeTools("completed", into);
    else if (next.kind !== "paused") activity.closeTools("failed", into);
    outcome = next;
  }

  function failed(event: Wire, into: AgentEvent[]): void {
    const failure = failureOf(event);
    if (options.triedAgain !== true) return end(failure, into);
    activity.closeTools("failed", into);
    setback = failure;
    setbacks += 1;
  }

  function completed(event: Wire, into: AgentEvent[]): void {
    usage.ended(kind, event, into);
    activity.failedSteps(asList(event["step_results"]), into);
    const failure = kind === "workflow" ? failedStep(event, innerFailure) : null;
    if (failure) {
      end(failure, into);
      return;
    }
    if (!reasoned) think(event["reasoning_content"], event, true, into);
    text.sayWhole(event["content"], into);
    // A spoken answer has its words beside the sound.
    if (text.length === 0) text.sayWhole(asRecord(event["response_audio"])["transcript"], into);
    activity.media(event, into);
    sources(event, true, into);
    suggest(event["followups"], into);
    end({ kind: "completed" }, into);
  }

  function innerEnd(event: Wire, failed: boolean, into: AgentEvent[]): void {
    if (isStepExecutor(event)) innerFailure = failed ? failureOf(event) : null;
    activity.member(event, failed ? "member_failed" : "member_completed", into, {
      // A step says it itself; an error text is nobody's answer.
      detail: !failed && !isStepExecutor(event),
    });
    if (failed) return;
    activity.media(event, into, activity.speaker(event).id);
    sources(event, false, into);
  }

  function settle(run: Wire, into: AgentEvent[]): void {
    if (outcome) return;
    if (run["status"] === "COMPLETED") completed(run, into);
    else if (run["status"] === "ERROR") end(setback ?? failureOf(run), into);
    else if (run["status"] === "CANCELLED") end({ kind: "cancelled" }, into);
    else if (run["status"] === "PAUSED") end({ kind: "paused", pause: readPause(kind, run) }, into);
  }

  function translate(event: Wire, into: AgentEvent[]): boolean {
    if (outcome) return false;
    const name = asText(event["event"]) ?? "";
    const top = isTop(event, name);
    if (isEndOfWork.test(name)) wasAtWork = false;
    if (top && runId === null) {
      runId = asText(event["run_id"]) ?? null;
      startedAt = asCount(event["created_at"]);
    }
    const type = baseName(name);
    const isStart = top && (type === "RunStarted" || type === "WorkflowStarted");
    // Nothing that a failed try still says is of the next one.
    if (setback !== null && !isStart) return false;
    if (isShown(type)) return show(type, event, top, into);
    if (!isKnown(type)) options.onUnknown(name);
    return false;
  }

  function show(type: ShownEvent, event: Wire, top: boolean, into: AgentEvent[]): boolean {
    switch (type) {
      case "RunContent":
        content(event, top, into);
        return false;
      case "RunIntermediateContent":
        // A draft, which a second model will rewrite.
        think(event["content"], event, top, into);
        return false;
      case "ReasoningContentDelta":
        reasonedInDeltas = true;
        think(event["reasoning_content"], event, top, into);
        return false;
      case "ReasoningStep":
        if (!reasonedInDeltas) think(stepOfThought(event), event, top, into);
        return false;
      case "FollowupsCompleted":
        if (top || isAnswer(event)) suggest(event["followups"], into);
        return false;
      case "ModelRequestStarted":
        usage.asked(event, into);
        return false;
      case "ModelRequestCompleted":
        usage.answered(event, into);
        return false;
      case "RunStarted":
      case "WorkflowStarted":
        // A durable queue may run it a second time, from its start.
        if (top) {
          setback = null;
          text.startOver(into);
        } else activity.member(event, "member_started", into);
        return true;
      case "ToolCallStarted":
        activity.tool(event, "started", !top, into);
        return true;
      case "ToolCallCompleted":
        activity.tool(event, "completed", !top, into);
        return true;
      case "ToolCallError":
        activity.tool(event, "failed", !top, into);
        return true;
      case "StepStarted":
        activity.step(event, "step_started", into);
        return true;
      case "StepCompleted":
        activity.step(event, "step_completed", into);
        return true;
      case "StepError":
        activity.step(event, "step_failed", into);
        return true;
      case "RunCompleted":
      case "WorkflowCompleted":
        if (top) completed(event, into);
        else innerEnd(event, false, into);
        return true;
      case "RunError":
      case "WorkflowError":
        if (top) failed(event, into);
        else innerEnd(event, true, into);
        return true;
      case "RunCancelled":
      case "WorkflowCancelled":
        if (top) end({ kind: "cancelled" }, into);
        else activity.left(event);
        return true;
      case "RunPaused":
      case "WorkflowPaused":
        // Members pause before their team does; only the team can be continued.
        if (top) settle({ ...event, status: "PAUSED" }, into);
        return true;
      case "StepProgress": {
        const detail = contentText(event["content"]);
        if (detail !== "") activity.told(event, "step_progress", into, { detail });
        return false;
      }
      case "RouterExecutionStarted":
        activity.told(event, "branch_taken", into, { branches: asTexts(event["selected_steps"]) });
        return true;
      case "ConditionExecutionStarted":
        activity.told(event, "branch_taken", into, {
          branches: [event["condition_result"] === true ? "if" : "else"],
        });
        return true;
      case "LoopIterationStarted": {
        const maxIterations = asCount(event["max_iterations"]);
        activity.told(event, "iteration_started", into, {
          iteration: Math.max(1, asCount(event["iteration"])),
          ...(maxIterations > 0 && { maxIterations }),
        });
        return true;
      }
      case "MemoryUpdateCompleted": {
        const noted = notedMemories(event, startedAt);
        if (noted.length > 0)
          activity.told(event, "memory_updated", into, { detail: noted.join("\n") });
        return false;
      }
      case "CompactionCompleted": {
        const messages = asCount(event["messages_compacted"]);
        if (messages > 0) activity.told(event, "context_compacted", into, { messages });
        return false;
      }
      case "TeamTaskStateUpdated":
      case "TeamTaskCreated":
      case "TeamTaskUpdated":
        into.push({ type: "tasks", tasks: tasksOf(event), ...by(event, top) });
        return true;
      case "CustomEvent":
        into.push({ ...customEvent(event), ...by(event, top) });
        return false;
    }
  }

  const isAtWork = () => wasAtWork || activity.isAtWork;

  return {
    translate,
    settle,
    get setbacks() {
      return setbacks;
    },
    get outcome() {
      return outcome;
    },
    get runId() {
      return runId;
    },
    get progress() {
      const atWork = isAtWork();
      return {
        startedAt,
        ...text.marks(),
        textRunId,
        ...(atWork && { atWork }),
        ...usage.progress,
      };
    },
    get isAtWork() {
      return isAtWork();
    },
  };
}

const isEndOfWork = /(ToolCall|Step|Run|Workflow)(Completed|Error|Cancelled)$/;

function failureOf(event: Wire): Failure {
  return {
    kind: "failed",
    errorType: asText(event["error_type"]) ?? "",
    // Workflows call it differently.
    message: asText(event["error"]) ?? contentText(event["content"]),
  };
}

/**
 * A workflow ends as completed although its last step failed, with the error text as its content or with none: that
 * is no answer.
 */
function failedStep(event: Wire, innerFailure: Failure | null): Failure | null {
  const last = asList(event["step_results"]).at(-1);
  if (last?.["success"] === false) {
    return { kind: "failed", errorType: "step_failed", message: asText(last["error"]) ?? "" };
  }
  return innerFailure && contentText(event["content"]) === "" ? innerFailure : null;
}

function stepOfThought(event: Wire): string {
  const step = asRecord(event["content"]);
  const parts = [step["title"], step["reasoning"], step["action"], step["result"]];
  const said = parts.filter((part) => typeof part === "string" && part !== "");
  return said.length > 0 ? `${said.join("\n")}\n` : "";
}
