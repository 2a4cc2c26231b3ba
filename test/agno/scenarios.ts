import assert from "node:assert/strict";
import type {
  AgentBackend,
  AgentEvent,
  Decision,
  RunRequest,
} from "../../src/agents/agent-backend.ts";
import { Problem } from "../../src/problems/problem.ts";
import type { Exchange } from "./recording-proxy.ts";

/** Where a scenario is played: before a real AgentOS, or before a recording of one. */
export interface Stage {
  readonly backend: AgentBackend;
  /** What the backend has asked AgentOS so far. */
  readonly exchanges: readonly Exchange[];
  /** Breaks the connection of the next run or continuation after so many events. Recordings contain it. */
  cutAfter(events: number): void;
}

export interface Scenario {
  readonly name: string;
  /** Default true; false: too big to be kept as a recording. */
  readonly recorded?: false;
  play(stage: Stage): Promise<void>;
}

export interface Collected {
  readonly events: readonly AgentEvent[];
  readonly error: unknown;
  readonly text: string;
}

export const never = new AbortController().signal;

let sessions = 0;

/** A run in a session of its own. */
export function request(
  agentId: string,
  message: string,
  changes: Partial<RunRequest> = {},
): RunRequest {
  sessions += 1;
  return {
    replyId: `01990000-0000-7000-8000-${String(sessions).padStart(12, "0")}`,
    attempt: 1,
    sessionId: `session-${process.pid}-${sessions}`,
    seq: 2,
    after: 0,
    userId: "user-1",
    agentId,
    message,
    attachments: [],
    settings: {},
    language: "en",
    requestId: "request-1",
    history: () => Promise.resolve([]),
    ...changes,
  };
}

export async function collect(
  events: AsyncGenerator<AgentEvent, void, void>,
  onEvent: (event: AgentEvent, text: string) => void = () => {},
): Promise<Collected> {
  const collected: AgentEvent[] = [];
  let text = "";
  try {
    for await (const event of events) {
      collected.push(event);
      if (event.type === "text") text += event.text;
      if (event.type === "replace") text = event.text;
      onEvent(event, text);
    }
    return { events: collected, error: null, text };
  } catch (error) {
    return { events: collected, error, text };
  }
}

export function only<T extends AgentEvent["type"]>(
  { events }: Pick<Collected, "events">,
  type: T,
): Extract<AgentEvent, { type: T }>[] {
  return events.filter((event): event is Extract<AgentEvent, { type: T }> => event.type === type);
}

/** Ended well, with this text, and said it as it came rather than at the end. */
function assertAnswer(answer: Collected, text: string): void {
  assert.equal(answer.error, null);
  assert.equal(answer.text, text);
  assert.deepEqual(answer.events.at(-1), { type: "finish", reason: "stop" });
  assert.deepEqual(only(answer, "replace"), []);
}

async function pauseOf(stage: Stage, asked: RunRequest) {
  const paused = await collect(stage.backend.run(asked, never));
  assert.equal(paused.error, null);
  const last = paused.events.at(-1);
  assert.equal(last?.type, "paused");
  // As stored in a database and read back by another process.
  const state = JSON.parse(JSON.stringify(last.state)) as Record<string, unknown>;
  return { ...paused, requirements: last.requirements, state };
}

async function goOn(
  stage: Stage,
  asked: RunRequest,
  state: Record<string, unknown>,
  decisions: readonly Decision[],
): Promise<Collected> {
  assert.ok(stage.backend.continue);
  return collect(stage.backend.continue(asked, state, decisions, never));
}

function forms(stage: Stage, path: RegExp) {
  return stage.exchanges.filter((each) => path.test(each.path)).map((each) => each.form);
}

const draft = "You said: Write about cats";

/** What the backend makes of AgentOS, told as people would see it. */
export const scenarios: readonly Scenario[] = [
  {
    name: "lists agents, teams and workflows",
    async play({ backend }) {
      const agents = await backend.list(never);
      const byId = new Map(agents.map((agent) => [agent.agentId, agent]));
      const assistant = byId.get("assistant");
      assert.equal(assistant?.name, "Assistant");
      assert.equal(assistant.description, "Answers questions");
      assert.equal(assistant.type, "agent");
      assert.equal(assistant.model, "test-model");
      assert.match(String(assistant.metadata["agno_version"]), /^\d+\.\d+\.\d+/);
      assert.deepEqual(byId.get("weather")?.tools, ["get_weather", "break_down", "wait_long"]);
      const crew = byId.get("crew");
      assert.equal(crew?.type, "team");
      assert.deepEqual(crew.tools, ["scout", "writer"]);
      assert.equal(crew.metadata["mode"], "coordinate");
      assert.equal(byId.get("article")?.type, "workflow");
      assert.doesNotMatch(JSON.stringify(agents), /127\.0\.0\.1|http:/);
    },
  },
  {
    name: "an agent answers, with usage and under our ids",
    async play(stage) {
      const asked = request("assistant", "hello there", { context: { page: "/home" } });
      const answer = await collect(stage.backend.run(asked, never));
      assertAnswer(answer, "You said: hello there");
      assert.ok(only(answer, "text").length > 1, "it is streamed");
      assert.deepEqual(only(answer, "usage"), [
        { type: "usage", inputTokens: 0, outputTokens: 0, model: "test-model" },
        { type: "usage", inputTokens: 10, outputTokens: 4, model: "test-model" },
      ]);
      assert.ok(only(answer, "resumable").length > 0);
      const run = stage.exchanges.find((each) => each.path === "/agents/assistant/runs");
      assert.equal(run?.form["session_id"], asked.sessionId);
      assert.equal(run.form["user_id"], "user-1");
      assert.equal(run.headers["x-request-id"], "request-1");
      assert.match(String(run.form["metadata"]), new RegExp(asked.replyId));
    },
  },
  {
    name: "Chinese text and emoji arrive whole",
    async play({ backend }) {
      const answer = await collect(backend.run(request("assistant", "你好"), never));
      assertAnswer(answer, "你好，世界！👋🏽\n再见");
    },
  },
  {
    name: "a long answer arrives whole",
    recorded: false,
    async play({ backend }) {
      const answer = await collect(backend.run(request("assistant", "a long one"), never));
      const whole = Array.from({ length: 3_000 }, (_, index) => `token${index} `).join("");
      assertAnswer(answer, whole);
      // Not per token: 3,000 tokens are a second or two.
      assert.ok(only(answer, "resumable").length < 100);
    },
  },
  {
    name: "reasoning is told apart from the answer",
    async play({ backend }) {
      const answer = await collect(backend.run(request("assistant", "think hard"), never));
      assertAnswer(answer, "Thought through.");
      const thought = only(answer, "reasoning").map((event) => event.text);
      assert.equal(thought.join(""), "First this, then that.");
    },
  },
  {
    name: "tools show arguments and results",
    async play({ backend }) {
      const answer = await collect(backend.run(request("weather", "the weather?"), never));
      assertAnswer(answer, "Let me look. The tool says: Sunny in Lyon");
      const [started, completed, ...more] = only(answer, "tool");
      assert.deepEqual(more, []);
      assert.equal(started?.status, "started");
      assert.equal(started.name, "get_weather");
      assert.deepEqual(started.arguments, { city: "Lyon" });
      assert.equal(completed?.toolCallId, started.toolCallId);
      assert.equal(completed.status, "completed");
      assert.equal(completed.result, "Sunny in Lyon");
      assert.equal(completed.agentId, undefined);
    },
  },
  {
    name: "a tool that fails does not end the run",
    async play({ backend }) {
      const answer = await collect(backend.run(request("weather", "break it"), never));
      assertAnswer(answer, "The tool says: the tool broke down");
      const statuses = only(answer, "tool").map((event) => event.status);
      assert.deepEqual(statuses, ["started", "failed"]);
    },
  },
  {
    name: "structured output is JSON",
    async play({ backend }) {
      const answer = await collect(backend.run(request("geographer", "Lyon"), never));
      assertAnswer(answer, '{"name":"Lyon","inhabitants":522250}');
    },
  },
  {
    name: "pictures are told once, by reference",
    async play({ backend }) {
      const answer = await collect(backend.run(request("artist", "a cat"), never));
      assertAnswer(answer, "Here is a cat.");
      assert.deepEqual(only(answer, "media"), [
        { type: "media", kind: "image", url: "http://pictures.invalid/cat.png" },
      ]);
    },
  },
  {
    name: "a team: the leader's text is the answer, members are told beside it",
    async play({ backend }) {
      const answer = await collect(backend.run(request("crew", "Write about cats"), never));
      assertAnswer(answer, "The crew is done.");
      const told = only(answer, "agent").map(({ event, agentId, name, parentAgentId, detail }) => ({
        event,
        agentId,
        name,
        parentAgentId,
        detail,
      }));
      const member = (agentId: string, name: string, detail: string) => [
        { event: "member_started", agentId, name, parentAgentId: "crew", detail: undefined },
        { event: "member_completed", agentId, name, parentAgentId: "crew", detail },
      ];
      assert.deepEqual(told, [
        ...member("scout", "Scout", "You said: find out"),
        ...member("writer", "Writer", "You said: write it up"),
      ]);
    },
  },
  {
    name: "a team that routes: the member's answer comes once",
    async play({ backend }) {
      const answer = await collect(backend.run(request("router", "Write about cats"), never));
      assertAnswer(answer, "You said: find out");
    },
  },
  {
    name: "a workflow: the last step's text is the answer, live; earlier steps are told beside it",
    async play({ backend }) {
      const answer = await collect(backend.run(request("article", "Write about cats"), never));
      assertAnswer(answer, `You said: ${draft}`);
      assert.ok(only(answer, "text").length > 1, "it is streamed");
      const steps = only(answer, "agent").filter((event) => event.event.startsWith("step"));
      assert.deepEqual(
        steps.map(({ event, name, detail }) => [event, name, detail]),
        [
          ["step_started", "draft", undefined],
          ["step_completed", "draft", draft],
          ["step_started", "polish", undefined],
          ["step_completed", "polish", `You said: ${draft}`],
        ],
      );
      const speakers = only(answer, "agent").filter((event) => event.event === "member_started");
      assert.deepEqual(
        speakers.map((event) => [event.agentId, event.parentAgentId]),
        [
          ["drafter", "draft"],
          ["polisher", "polish"],
        ],
      );
    },
  },
  {
    name: "a workflow that ends in a function answers at its end",
    async play({ backend }) {
      const answer = await collect(backend.run(request("shouting", "Write about cats"), never));
      assertAnswer(answer, `${draft}!`);
    },
  },
  {
    name: "an error in mid-run keeps what was said and hides why",
    async play({ backend }) {
      const answer = await collect(backend.run(request("assistant", "explode"), never));
      assert.equal(answer.text, "The first half ");
      assert.ok(answer.error instanceof Problem);
      assert.equal(answer.error.type, "agent_failed");
      assert.doesNotMatch(answer.error.message, /secret-of-the-model/);
      assert.equal(only(answer, "finish").length, 0);
    },
  },
  {
    name: "a workflow whose last step fails has failed, whatever AgentOS calls it",
    async play({ backend }) {
      const answer = await collect(backend.run(request("article", "explode"), never));
      assert.ok(answer.error instanceof Problem, String(answer.error));
      assert.equal(answer.error.type, "agent_failed");
      assert.doesNotMatch(JSON.stringify(answer.events), /secret-of-the-model/);
    },
  },
  {
    name: "an agent that is gone",
    async play({ backend }) {
      const answer = await collect(backend.run(request("nobody", "hello"), never));
      assert.ok(answer.error instanceof Problem);
      assert.equal(answer.error.type, "agent_not_found");
    },
  },
  {
    name: "a confirmation pauses the run, and approved it goes on",
    async play(stage) {
      const asked = request("janitor", "clean");
      const paused = await pauseOf(stage, asked);
      assert.equal(paused.text, "I shall delete it. ");
      const [requirement, ...more] = paused.requirements;
      assert.deepEqual(more, []);
      assert.equal(requirement?.kind, "confirm");
      assert.equal(requirement.tool, "delete_file");
      assert.deepEqual(requirement.arguments, { path: "/data/old.txt" });
      const decisions = [{ id: requirement.id, approved: true }];
      const answer = await goOn(stage, asked, paused.state, decisions);
      assertAnswer(answer, "The tool says: Deleted /data/old.txt");
      const tools = only(answer, "tool").map(({ name, status }) => [name, status]);
      assert.deepEqual(tools, [
        ["delete_file", "started"],
        ["delete_file", "completed"],
      ]);
    },
  },
  {
    name: "a confirmation that is declined does not run the tool, and tells the agent why",
    async play(stage) {
      const asked = request("janitor", "clean");
      const { requirements, state } = await pauseOf(stage, asked);
      const decisions = [{ id: requirements[0]!.id, approved: false, note: "keep it" }];
      const answer = await goOn(stage, asked, state, decisions);
      assertAnswer(answer, "The tool says: The user declined: keep it");
      assert.deepEqual(only(answer, "tool"), []);
    },
  },
  {
    name: "input that is asked for",
    async play(stage) {
      const asked = request("secretary", "write to Bob");
      const { requirements, state } = await pauseOf(stage, asked);
      assert.equal(requirements[0]?.kind, "input");
      assert.equal(requirements[0].tool, "send_email");
      assert.deepEqual(requirements[0].arguments["fields"], [
        { name: "to_address", type: "str", description: "Who gets it." },
      ]);
      assert.equal(requirements[0].arguments["subject"], "Hello");
      const decisions = [
        { id: requirements[0].id, approved: true, result: { to_address: "bob@example.org" } },
      ];
      const answer = await goOn(stage, asked, state, decisions);
      assertAnswer(answer, "The tool says: Sent Hello to bob@example.org");
    },
  },
  {
    name: "input that is refused does not run the tool",
    async play(stage) {
      const asked = request("secretary", "write to Bob");
      const { requirements, state } = await pauseOf(stage, asked);
      const answer = await goOn(stage, asked, state, [
        { id: requirements[0]!.id, approved: false },
      ]);
      assertAnswer(answer, "The tool says: The user declined.");
      assert.deepEqual(only(answer, "tool"), []);
    },
  },
  {
    name: "a tool that is run elsewhere",
    async play(stage) {
      const asked = request("operator", "list files");
      const { requirements, state } = await pauseOf(stage, asked);
      assert.equal(requirements[0]?.kind, "external");
      assert.deepEqual(requirements[0].arguments, { command: "ls" });
      const decisions = [{ id: requirements[0].id, approved: true, result: "one.txt" }];
      const answer = await goOn(stage, asked, state, decisions);
      assertAnswer(answer, "The tool says: one.txt");
    },
  },
  {
    name: "a team pauses for its member, and goes on",
    async play(stage) {
      const asked = request("cleaners", "clean");
      const { requirements, state } = await pauseOf(stage, asked);
      assert.equal(requirements.length, 1);
      assert.equal(requirements[0]?.tool, "delete_file");
      assert.deepEqual(requirements[0].arguments, { member: "Janitor", path: "/data/old.txt" });
      const answer = await goOn(stage, asked, state, [{ id: requirements[0].id, approved: true }]);
      assert.equal(answer.error, null);
      assert.match(answer.text, /^All done\./);
      const member = only(answer, "tool").find((event) => event.name === "delete_file");
      assert.equal(member?.agentId, "janitor");
    },
  },
  {
    name: "a workflow pauses before a step, and goes on",
    async play(stage) {
      const asked = request("checked", "Write about cats");
      const { requirements, state, text } = await pauseOf(stage, asked);
      assert.equal(text, "");
      assert.equal(requirements[0]?.kind, "confirm");
      assert.equal(requirements[0].tool, "publish");
      assert.deepEqual(requirements[0].arguments, { message: "Publish it?" });
      const answer = await goOn(stage, asked, state, [{ id: requirements[0].id, approved: true }]);
      assertAnswer(answer, `You said: ${draft}`);
    },
  },
  {
    name: "a workflow pauses for the agent in its step, and goes on",
    async play(stage) {
      const asked = request("cleaning", "clean");
      const { requirements, state } = await pauseOf(stage, asked);
      assert.equal(requirements[0]?.tool, "delete_file");
      const answer = await goOn(stage, asked, state, [{ id: requirements[0].id, approved: true }]);
      assert.equal(answer.error, null);
      assert.match(answer.text, /The tool says: Deleted \/data\/old\.txt$/);
    },
  },
  {
    name: "attachments reach the agent",
    async play(stage) {
      const bytes = new TextEncoder().encode("meow");
      const asked = request("assistant", "read this", {
        attachments: [
          { name: "cat.txt", mediaType: "text/plain; charset=utf-8", bytes },
          { name: "notes.yaml", mediaType: "application/yaml", bytes },
        ],
      });
      const answer = await collect(stage.backend.run(asked, never));
      assert.equal(answer.error, null);
      assert.deepEqual(forms(stage, /assistant\/runs$/)[0]?.["files"], [
        "cat.txt text/plain 4",
        "notes.yaml text/plain 4",
      ]);
    },
  },
  {
    name: "an attachment that AgentOS does not take is the caller's fault",
    async play({ backend }) {
      const bytes = new TextEncoder().encode("<svg/>");
      const attachments = [{ name: "cat.svg", mediaType: "image/svg+xml", bytes }];
      const asked = request("assistant", "look", { attachments });
      const answer = await collect(backend.run(asked, never));
      assert.ok(answer.error instanceof Problem, String(answer.error));
      assert.equal(answer.error.type, "validation_failed");
    },
  },
  {
    name: "earlier messages go along for an agent that remembers nothing",
    async play(stage) {
      const history = () =>
        Promise.resolve([
          { role: "user" as const, content: "My name is Ann", agentId: null },
          { role: "assistant" as const, content: "Hello Ann", agentId: "forgetful" },
        ]);
      const answer = await collect(
        stage.backend.run(request("forgetful", "Who am I?", { history }), never),
      );
      assert.equal(answer.error, null);
      const [form] = forms(stage, /forgetful\/runs$/);
      assert.match(String(form?.["message"]), /My name is Ann[^]*Who am I\?$/);
    },
  },
  {
    name: "earlier messages go along when AgentOS has lost the session",
    async play(stage) {
      const own = { agentId: "assistant", status: "complete", told: 0 } as const;
      const history = () =>
        Promise.resolve([
          { role: "user" as const, content: "My name is Ann", agentId: null },
          { role: "assistant" as const, content: "Hello", agentId: "assistant", own },
        ]);
      const asked = request("assistant", "Who am I?", { history, seq: 4, after: 2 });
      assert.equal((await collect(stage.backend.run(asked, never))).error, null);
      // From now on it knows.
      const again = { ...asked, message: "And now?", seq: 6, after: 4 };
      assert.equal((await collect(stage.backend.run(again, never))).error, null);
      const sent = forms(stage, /assistant\/runs$/).map((form) => String(form["message"]));
      assert.match(sent[0] ?? "", /My name is Ann[^]*Who am I\?$/);
      assert.equal(sent[1], "And now?");
    },
  },
  {
    name: "a connection that breaks in mid-run loses and doubles nothing",
    async play(stage) {
      stage.cutAfter(12);
      const answer = await collect(stage.backend.run(request("assistant", "slowly"), never));
      assertAnswer(answer, Array.from({ length: 60 }, (_, index) => `w${index} `).join(""));
      assert.ok(stage.exchanges.some((each) => each.path.endsWith("/resume")));
    },
  },
  {
    name: "a connection of a team that breaks in mid-run loses and doubles nothing",
    async play(stage) {
      stage.cutAfter(14);
      const answer = await collect(stage.backend.run(request("crew", "Write about cats"), never));
      assertAnswer(answer, "The crew is done.");
      assert.equal(only(answer, "agent").length, 4);
      assert.ok(stage.exchanges.some((each) => each.path.endsWith("/resume")));
    },
  },
  {
    name: "a deleted session is deleted in AgentOS",
    async play(stage) {
      const asked = request("assistant", "hello");
      assert.equal((await collect(stage.backend.run(asked, never))).error, null);
      await stage.backend.forgetSession?.({
        sessionId: asked.sessionId,
        userId: asked.userId,
        agentIds: ["assistant"],
      });
      const deleted = stage.exchanges.findLast((each) => each.method === "DELETE");
      assert.equal(deleted?.path, `/sessions/${asked.sessionId}`);
      assert.equal(deleted.status, 204);
    },
  },
  {
    name: "a probe tells the version",
    async play({ backend }) {
      const health = await backend.probe(AbortSignal.timeout(10_000));
      assert.equal(health.status, "healthy");
      assert.match(JSON.stringify(health.details), /"version":"\d+\.\d+/);
    },
  },
];
