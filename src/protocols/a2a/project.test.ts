import { StreamResponse, TaskState, type Task } from "@a2a-js/sdk";
import { describe, expect, it } from "vitest";
import type { ReplyEvent } from "../../replies/reply-event.ts";
import { startOf, taskOf, taskProjection, type TaskProgress } from "./project.ts";

const options = {
  taskId: "t",
  contextId: "c",
  agentId: "actor",
  base: "http://here",
  language: "en",
  history: [],
  stored: [],
} as const;
const projection = taskProjection(options);

const event = (type: ReplyEvent["type"], more: object): ReplyEvent =>
  ({ type, session_id: "s", message_id: "t", timestamp: "2026-01-01T00:00:00Z", ...more }) as never;

const requirements = [{ id: "r1", kind: "confirm", tool: "erase", arguments: {} }];
const log = [
  event("user_message", { message: "x" }),
  event("queued", { position: 1 }),
  event("reasoning_chunk", { chunk: "hm" }),
  event("assistant_chunk", { chunk: "Wrong" }),
  event("tool_call", { tool_call_id: "1", name: "look", status: "started" }),
  event("media", { kind: "image", url: "/chat/attachments/1", media_type: "image/png" }),
  event("media", { kind: "image", url: "/chat/attachments/1", media_type: "image/png" }),
  event("replaced", { content: "Right" }),
  event("agent_event", { event: "member_started", agent_id: "w", name: "W" }),
  event("agent_custom", { name: "own", agent_id: "w", data: { a: 1 } }),
  event("sources", { sources: [{ url: "https://example.com" }] }),
  event("suggestions", { suggestions: ["More?"] }),
  event("tasks", { tasks: [] }),
  event("audio_chunk", { sequence: 1 }),
  event("audio_response", { audio: {} }),
  event("steered", { user_message_id: "u", message: "m", text_start: 0 }),
  event("paused", { requirements }),
  event("assistant_chunk", { chunk: " words" }),
  event("snapshot", { content: "Right words, " }),
];
const ends = [
  event("conversation_complete", {
    full_response: "Right words, all",
    finish_reason: "stop",
    usage: { input_tokens: 1, output_tokens: 2 },
    output: { a: 1 },
  }),
  event("cancelled", { full_response: "Right words, ", reason: "cancelled" }),
  event("error", {
    full_response: "Other",
    error: "Broken",
    error_type: "agent_failed",
    code: 502,
  }),
  event("error", { full_response: "", error: "Long", error_type: "context_too_long", code: 422 }),
];

/** What a client has that takes in what it is told. */
function taken(told: readonly StreamResponse[]): Pick<Task, "artifacts"> & { state: unknown } {
  let artifacts: Task["artifacts"] = [];
  let state: unknown;
  for (const { payload } of told) {
    if (payload?.$case === "task") ({ artifacts } = payload.value);
    if (payload?.$case === "task" || payload?.$case === "statusUpdate") {
      state = payload.value.status?.state;
    }
    if (payload?.$case !== "artifactUpdate" || payload.value.artifact === undefined) continue;
    const { artifact, append } = payload.value;
    const before = artifacts.find(({ artifactId }) => artifactId === artifact.artifactId);
    const parts = append ? [...(before?.parts ?? []), ...artifact.parts] : artifact.parts;
    artifacts = [...artifacts.filter((each) => each !== before), { ...artifact, parts }];
  }
  return { artifacts, state };
}

const contents = ({ artifacts }: Pick<Task, "artifacts">) =>
  Object.fromEntries(
    artifacts.map(({ artifactId, parts }) => [
      artifactId,
      parts.map(({ content }) => (artifactId === "text" ? content?.value : content)),
    ]),
  );
const joined = (task: Pick<Task, "artifacts">) => {
  const { text = [], ...others } = contents(task);
  return { text: text.join(""), ...others };
};

describe.each(ends.map((end) => [end.type, end] as const))("a task that ends with %s", (_, end) => {
  const events = [...log, end];

  it("is the same to whoever comes at any moment", () => {
    const states: TaskProgress[] = [];
    const told: (readonly StreamResponse[])[] = [];
    let state = projection.initial;
    for (const [index, each] of events.entries()) {
      const [next, responses] = projection.project(state, each, index * 64);
      state = next;
      states.push(next);
      told.push(responses.map(({ data }) => data));
    }
    const whole = taskOf(options, state);
    const expected = { ...joined(whole), state: whole.status?.state };
    const outcome = (all: readonly StreamResponse[]) => {
      const { state: reached, ...task } = taken(all);
      return { ...joined(task), state: reached };
    };
    expect(outcome(told.flat())).toEqual(expected);
    for (const [index, before] of states.entries()) {
      const rest = told.slice(index + 1).flat();
      const task = { payload: { $case: "task" as const, value: taskOf(options, before) } };
      expect(outcome([task, ...rest])).toEqual(expected);
      expect(outcome([...startOf(options, before), ...rest])).toEqual(expected);
    }
    for (const each of told.flat()) {
      const wire = StreamResponse.toJSON(each);
      expect(StreamResponse.toJSON(StreamResponse.fromJSON(wire))).toEqual(wire);
    }
  });
});

it("is rejected for what would end in the same way again", () => {
  const [state] = projection.project(projection.initial, ends[3] as ReplyEvent, 64);
  expect(state.state).toBe(TaskState.TASK_STATE_REJECTED);
});
