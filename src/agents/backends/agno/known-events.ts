/**
 * Every event that an AgentOS of 2.9 to 3.1 can send within a run, without the prefix of team events, and what becomes
 * of it: `shown` by the translator, or the reason why a chat has no use for it. test/agno reads the list out of the
 * real packages.
 */
export const knownEvents = {
  RunStarted: "shown",
  RunContent: "shown",
  RunContentCompleted: "its text is there already",
  RunIntermediateContent: "shown",
  RunCompleted: "shown",
  RunError: "shown",
  RunCancelled: "shown",
  RunPaused: "shown",
  RunContinued: "whoever has decided knows",
  PreHookStarted: "a hook is the author's own matter",
  PreHookCompleted: "a hook is the author's own matter",
  PostHookStarted: "a hook is the author's own matter",
  PostHookCompleted: "a hook is the author's own matter",
  ToolCallStarted: "shown",
  ToolCallCompleted: "shown",
  ToolCallError: "shown",
  ReasoningStarted: "the thoughts themselves are shown",
  ReasoningStep: "shown",
  ReasoningContentDelta: "shown",
  ReasoningCompleted: "the thoughts themselves are shown",
  MemoryUpdateStarted: "nothing may come of it",
  MemoryUpdateCompleted: "shown",
  SessionSummaryStarted: "a summary is for the model",
  SessionSummaryCompleted: "a summary is for the model",
  ParserModelResponseStarted: "the answer follows",
  ParserModelResponseCompleted: "the answer follows",
  OutputModelResponseStarted: "the answer follows",
  OutputModelResponseCompleted: "the answer follows",
  ModelRequestStarted: "shown",
  ModelRequestCompleted: "shown",
  CompressionStarted:
    "results of tools are made shorter for the model; they are shown as they were",
  CompressionCompleted:
    "results of tools are made shorter for the model; they are shown as they were",
  CompactionStarted: "nothing may come of it",
  CompactionCompleted: "shown",
  FollowupsStarted: "they follow",
  FollowupsCompleted: "shown",
  CustomEvent: "shown",
  TeamTaskIterationStarted: "the list of tasks says as much",
  TeamTaskIterationCompleted: "the list of tasks says as much",
  TeamTaskStateUpdated: "shown",
  TeamTaskCreated: "shown",
  TeamTaskUpdated: "shown",
  WorkflowStarted: "shown",
  WorkflowCompleted: "shown",
  WorkflowPaused: "shown",
  WorkflowCancelled: "shown",
  WorkflowError: "shown",
  WorkflowAgentStarted: "the run of that agent is shown",
  WorkflowAgentCompleted: "the run of that agent is shown",
  StepStarted: "shown",
  StepCompleted: "shown",
  StepProgress: "shown",
  StepError: "shown",
  StepOutput: "it is told with the step's end",
  StepPaused: "a pause of a workflow is told by its stored run",
  StepContinued: "whoever has decided knows",
  StepExecutorPaused: "a pause of a workflow is told by its stored run",
  StepExecutorContinued: "whoever has decided knows",
  StepOutputReview: "a pause of a workflow is told by its stored run",
  RouterPaused: "a pause of a workflow is told by its stored run",
  ConditionPaused: "a pause of a workflow is told by its stored run",
  LoopExecutionStarted: "its iterations are shown",
  LoopIterationStarted: "shown",
  LoopIterationCompleted: "the next one or its last step says it",
  LoopExecutionCompleted: "its iterations are shown",
  ParallelExecutionStarted: "its steps are shown",
  ParallelExecutionCompleted: "its steps are shown",
  ConditionExecutionStarted: "shown",
  ConditionExecutionCompleted: "the steps of its branch are shown",
  RouterExecutionStarted: "shown",
  RouterExecutionCompleted: "the steps of its branch are shown",
  StepsExecutionStarted: "its steps are shown",
  StepsExecutionCompleted: "its steps are shown",
} as const;

type Known = typeof knownEvents;

/** Those that the translator has something to say about. */
export type ShownEvent = {
  [Name in keyof Known]: Known[Name] extends "shown" ? Name : never;
}[keyof Known];

export function isShown(name: string): name is ShownEvent {
  return Object.hasOwn(knownEvents, name) && knownEvents[name as keyof Known] === "shown";
}

export function isKnown(name: string): boolean {
  return Object.hasOwn(knownEvents, name);
}

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
