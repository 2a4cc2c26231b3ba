/** Known, and of no interest to a chat. Team events are looked up without their prefix. */
export const quietEvents: ReadonlySet<string> = new Set([
  "RunContentCompleted",
  "RunContinued",
  "PreHookStarted",
  "PreHookCompleted",
  "PostHookStarted",
  "PostHookCompleted",
  "ReasoningStarted",
  "ReasoningCompleted",
  "MemoryUpdateStarted",
  "MemoryUpdateCompleted",
  "SessionSummaryStarted",
  "SessionSummaryCompleted",
  "ParserModelResponseStarted",
  "ParserModelResponseCompleted",
  "OutputModelResponseStarted",
  "OutputModelResponseCompleted",
  "CompressionStarted",
  "CompactionStarted",
  "CompactionCompleted",
  "CompressionCompleted",
  "FollowupsStarted",
  "CustomEvent",
  "TeamTaskIterationStarted",
  "TeamTaskIterationCompleted",
  "TeamTaskStateUpdated",
  "TeamTaskCreated",
  "TeamTaskUpdated",
  "WorkflowAgentStarted",
  "WorkflowAgentCompleted",
  "StepOutput",
  "StepProgress",
  // A pause of a workflow is told by its stored run.
  "StepPaused",
  "StepContinued",
  "StepExecutorPaused",
  "StepExecutorContinued",
  "StepOutputReview",
  "RouterPaused",
  "ConditionPaused",
  "LoopExecutionStarted",
  "LoopIterationStarted",
  "LoopIterationCompleted",
  "LoopExecutionCompleted",
  "ParallelExecutionStarted",
  "ParallelExecutionCompleted",
  "ConditionExecutionStarted",
  "ConditionExecutionCompleted",
  "RouterExecutionStarted",
  "RouterExecutionCompleted",
  "StepsExecutionStarted",
  "StepsExecutionCompleted",
]);

/** Written by the endpoint around a run, not by the run. */
export const controlEvents: ReadonlySet<string> = new Set([
  "catch_up",
  "subscribed",
  "replay",
  "error",
  "stream_expired",
]);

/** Team events are twins of agent events, but for the task list, which only teams have. */
export function baseName(name: string): string {
  return name.startsWith("Team") && !name.startsWith("TeamTask") ? name.slice(4) : name;
}
