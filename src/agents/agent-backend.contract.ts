import assert from "node:assert/strict";
import { afterEach, describe, test } from "vitest";
import { Problem } from "../problems/problem.ts";
import type { ProblemType } from "../problems/catalogue.ts";
import {
  AgentInterrupted,
  type AgentBackend,
  type AgentEvent,
  type RunRequest,
} from "./agent-backend.ts";

/** What the source of the agents does with the runs to come. */
export type Scene =
  /** Says these texts, one after the other, and ends well. */
  | { readonly kind: "answer"; readonly texts: readonly string[] }
  /** Takes the run and never answers. */
  | { readonly kind: "hang_before_answer" }
  /** Says these texts, then nothing more, and keeps the connection. */
  | { readonly kind: "hang_in_answer"; readonly texts: readonly string[] }
  /** Refuses with a 500 whose body holds `upstreamText`. */
  | { readonly kind: "refuse" }
  /** Refuses with a 503, however often it is asked. */
  | { readonly kind: "overloaded" }
  /** Resets the connection before any event. */
  | { readonly kind: "die_before_answer" }
  /** Says these texts, then resets the connection. */
  | { readonly kind: "die_in_answer"; readonly texts: readonly string[] }
  /** Says these texts and ends the stream properly, without the sign that the run is complete. */
  | { readonly kind: "end_early"; readonly texts: readonly string[] }
  /** Reports in the stream that the run failed, with `upstreamText` as reason. */
  | { readonly kind: "fail_in_answer"; readonly texts: readonly string[] }
  /** Sends events with `upstreamText` that are not in the source's format. */
  | { readonly kind: "garbage" }
  /** One line of this many bytes. */
  | { readonly kind: "huge_line"; readonly bytes: number };

/** Planted in what the source says when it fails; callers must never see it. */
export const upstreamText = "upstream-detail-4711";

/** A backend with a real source behind it, whose time-outs are 0.3 to 2 s so that cases about them end soon. */
export interface AgentBackendSubject {
  readonly backend: AgentBackend;
  /** An agent that it has. */
  readonly agentId: string;
  /** How long a run may take before it counts as one that does not end; default 10 s. */
  readonly patienceMs?: number;
  play(scene: Scene): void;
  /** Settles when the source noticed that the latest run was given up. */
  stopped(): Promise<void>;
  /** Takes the source off the network. */
  unplug(): Promise<void>;
  /** Closes backend and source. */
  close(): Promise<void>;
}

export interface AgentBackendCase {
  readonly name: string;
  readonly run: (subject: AgentBackendSubject) => Promise<void>;
}

/** A run of the subject's agent. */
export function runRequest(agentId: string, changes: Partial<RunRequest> = {}): RunRequest {
  return {
    replyId: "01990000-0000-7000-8000-000000000001",
    attempt: 1,
    sessionId: "01990000-0000-7000-8000-000000000002",
    seq: 2,
    after: 0,
    userId: "contract",
    agentId,
    message: "Hello",
    attachments: [],
    settings: {},
    language: "en",
    requestId: "contract-request",
    history: () => Promise.resolve([]),
    ...changes,
  };
}

interface Outcome {
  readonly events: readonly AgentEvent[];
  readonly error: unknown;
}

const never = new AbortController().signal;

/** Runs to the end, however it ends; one that does not end is a fault of its own. */
async function collect(
  subject: AgentBackendSubject,
  signal: AbortSignal = never,
  onEvent: (event: AgentEvent) => void = () => {},
  request: RunRequest = runRequest(subject.agentId),
): Promise<Outcome> {
  const events: AgentEvent[] = [];
  const reading = (async (): Promise<Outcome> => {
    try {
      for await (const event of subject.backend.run(request, signal)) {
        events.push(event);
        onEvent(event);
      }
      return { events, error: null };
    } catch (error) {
      return { events, error };
    }
  })();
  return within(subject, reading, "the run did not end");
}

async function within<T>(
  { patienceMs = 10_000 }: AgentBackendSubject,
  work: Promise<T>,
  complaint: string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: complaint })), patienceMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function textOf(events: readonly AgentEvent[]): string {
  let text = "";
  for (const event of events) {
    if (event.type === "text") text += event.text;
    if (event.type === "replace") text = event.text;
  }
  return text;
}

function isEnd(event: AgentEvent): boolean {
  return event.type === "finish" || event.type === "paused";
}

function assertNoEnd(events: readonly AgentEvent[]): void {
  assert.equal(events.filter(isEnd).length, 0, "a run that was cut off must not report an end");
}

function assertProblem(error: unknown, ...types: readonly ProblemType[]): void {
  assert.ok(error instanceof Problem, `expected ${types.join(" or ")}, got ${String(error)}`);
  assert.ok(types.includes(error.type), `expected ${types.join(" or ")}, got ${error.type}`);
  for (const language of ["en", "zh"] as const) {
    assert.ok(!error.text(language).includes(upstreamText), "the source's own words reach callers");
  }
  assert.ok(!JSON.stringify(error.details ?? []).includes(upstreamText));
  if (error.status === 503) {
    assert.ok((error.retryAfterSeconds ?? 0) >= 1, "a 503 says when to come back");
  }
}

const pieces = ["Hel", "lo ", "你", "好 ", "👋🏽", "!\n", "end"];

/** What every agent backend does; each case gets a fresh one. */
export const agentBackendContract: readonly AgentBackendCase[] = [
  {
    name: "lists agents with unique ids and texts for people",
    async run({ backend, agentId }) {
      const agents = await backend.list(never);
      const ids = agents.map((agent) => agent.agentId);
      assert.ok(ids.includes(agentId));
      assert.equal(new Set(ids).size, ids.length);
      for (const agent of agents) {
        const names = typeof agent.name === "string" ? [agent.name] : Object.values(agent.name);
        assert.ok(names.length > 0 && names.every((name) => name.trim() !== ""));
        assert.ok(["agent", "team", "workflow"].includes(agent.type));
      }
    },
  },
  {
    name: "text arrives in order and one end comes last",
    async run(subject) {
      subject.play({ kind: "answer", texts: pieces });
      const { events, error } = await collect(subject);
      assert.equal(error, null);
      assert.equal(textOf(events), pieces.join(""));
      assert.equal(events.filter(isEnd).length, 1);
      const last = events.at(-1);
      assert.ok(last && isEnd(last), "the end comes last");
    },
  },
  {
    name: "text arrives while the agent still speaks",
    async run(subject) {
      subject.play({ kind: "hang_in_answer", texts: ["first", "second"] });
      const stop = new AbortController();
      let seen = "";
      const { events } = await collect(subject, stop.signal, (event) => {
        if (event.type === "text") seen += event.text;
        if (seen === "firstsecond") stop.abort(new Error("seen enough"));
      });
      assert.equal(textOf(events), "firstsecond");
    },
  },
  {
    name: "runs side by side do not mix",
    async run(subject) {
      subject.play({ kind: "answer", texts: pieces });
      const outcomes = await Promise.all([collect(subject), collect(subject), collect(subject)]);
      for (const { events, error } of outcomes) {
        assert.equal(error, null);
        assert.equal(textOf(events), pieces.join(""));
      }
    },
  },
  {
    name: "history is asked for at most once",
    async run(subject) {
      subject.play({ kind: "answer", texts: pieces });
      let asked = 0;
      const request = runRequest(subject.agentId, {
        history: () => {
          asked += 1;
          return Promise.resolve([{ role: "user", content: "before", agentId: null }]);
        },
      });
      const { error } = await collect(subject, never, () => {}, request);
      assert.equal(error, null);
      assert.ok(asked <= 1);
    },
  },
  {
    name: "an agent that it does not have is refused",
    async run(subject) {
      subject.play({ kind: "answer", texts: pieces });
      const request = runRequest("no-such-agent-anywhere");
      const { events, error } = await collect(subject, never, () => {}, request);
      assertProblem(error, "agent_not_found", "agent_failed");
      assertNoEnd(events);
    },
  },
  {
    name: "an abort before the first event ends the run here and at its source",
    async run(subject) {
      subject.play({ kind: "hang_before_answer" });
      const stop = new AbortController();
      const running = collect(subject, stop.signal);
      setTimeout(() => stop.abort(new Error("stopped on purpose")), 250);
      assertNoEnd((await running).events);
      await within(subject, subject.stopped(), "the source was not told");
    },
  },
  {
    name: "an abort in mid-answer ends the run here and at its source",
    async run(subject) {
      subject.play({ kind: "hang_in_answer", texts: ["first"] });
      const stop = new AbortController();
      const reason = new Error("stopped on purpose");
      const { events, error } = await collect(subject, stop.signal, (event) => {
        if (event.type === "text") stop.abort(reason);
      });
      assert.ok(error === null || error === reason, `ended in ${String(error)}`);
      assertNoEnd(events);
      await within(subject, subject.stopped(), "the source was not told");
    },
  },
  {
    name: "a signal that is aborted already runs nothing",
    async run(subject) {
      subject.play({ kind: "answer", texts: pieces });
      const { events, error } = await collect(subject, AbortSignal.abort(new Error("too late")));
      assert.ok(!(error instanceof Problem));
      assert.equal(events.length, 0);
    },
  },
  {
    name: "a reader that leaves stops the run at its source",
    async run(subject) {
      subject.play({ kind: "hang_in_answer", texts: ["first"] });
      const reading = async () => {
        for await (const event of subject.backend.run(runRequest(subject.agentId), never)) {
          if (event.type === "text") return;
        }
      };
      await within(subject, reading(), "the run did not end");
      await within(subject, subject.stopped(), "the source was not told");
    },
  },
  {
    name: "a refusal is agent_failed, without the source's words",
    async run(subject) {
      subject.play({ kind: "refuse" });
      const { events, error } = await collect(subject);
      assertProblem(error, "agent_failed");
      assertNoEnd(events);
    },
  },
  {
    name: "an overloaded source is agent_unavailable",
    async run(subject) {
      subject.play({ kind: "overloaded" });
      const { error } = await collect(subject);
      assertProblem(error, "agent_unavailable");
    },
  },
  {
    name: "an unreachable source is agent_unavailable",
    async run(subject) {
      await subject.unplug();
      const { error } = await collect(subject);
      assertProblem(error, "agent_unavailable");
    },
  },
  {
    name: "a source that never answers is agent_timeout",
    async run(subject) {
      subject.play({ kind: "hang_before_answer" });
      const { error } = await collect(subject);
      assertProblem(error, "agent_timeout");
      await within(subject, subject.stopped(), "the source was not told");
    },
  },
  {
    name: "a source that falls silent is agent_timeout, after what it said",
    async run(subject) {
      subject.play({ kind: "hang_in_answer", texts: ["first", "second"] });
      const { events, error } = await collect(subject);
      assert.equal(textOf(events), "firstsecond");
      assertProblem(error, "agent_timeout");
      await within(subject, subject.stopped(), "the source was not told");
    },
  },
  {
    name: "a connection that breaks before the first event is agent_failed",
    async run(subject) {
      subject.play({ kind: "die_before_answer" });
      const { error } = await collect(subject);
      assertProblem(error, "agent_failed", "agent_unavailable");
    },
  },
  {
    name: "a connection that breaks in mid-answer is AgentInterrupted, after what was said",
    async run(subject) {
      subject.play({ kind: "die_in_answer", texts: ["first", "second"] });
      const { events, error } = await collect(subject);
      assert.equal(textOf(events), "firstsecond");
      assert.ok(error instanceof AgentInterrupted, `ended in ${String(error)}`);
      assertNoEnd(events);
    },
  },
  {
    name: "a stream that ends before its time is no finished run",
    async run(subject) {
      subject.play({ kind: "end_early", texts: ["first"] });
      const { events, error } = await collect(subject);
      assert.ok(error === null || error instanceof AgentInterrupted, `ended in ${String(error)}`);
      assertNoEnd(events);
    },
  },
  {
    name: "a run that fails in mid-answer is agent_failed, after what was said",
    async run(subject) {
      subject.play({ kind: "fail_in_answer", texts: ["first"] });
      const { events, error } = await collect(subject);
      assert.equal(textOf(events), "first");
      assertProblem(error, "agent_failed");
    },
  },
  {
    name: "garbage is agent_failed, without the source's words",
    async run(subject) {
      subject.play({ kind: "garbage" });
      const { events, error } = await collect(subject);
      assertProblem(error, "agent_failed");
      assert.ok(!textOf(events).includes(upstreamText));
    },
  },
  {
    name: "a line of 100 MB is refused in bounded memory",
    async run(subject) {
      subject.play({ kind: "huge_line", bytes: 100 * 1024 * 1024 });
      const before = usedBytes();
      let peak = before;
      const sampler = setInterval(() => {
        peak = Math.max(peak, usedBytes());
      }, 2);
      const { events, error } = await collect(subject);
      clearInterval(sampler);
      // Where the machine is slow, the silence within the line may be noticed first.
      assertProblem(error, "agent_failed", "agent_timeout");
      assertNoEnd(events);
      const grownMegabytes = Math.round((Math.max(peak, usedBytes()) - before) / 1024 / 1024);
      assert.ok(grownMegabytes < 80, `memory grew by ${grownMegabytes} MB`);
    },
  },
  {
    name: "a fault does not spoil the next run",
    async run(subject) {
      subject.play({ kind: "die_in_answer", texts: ["first"] });
      await collect(subject);
      subject.play({ kind: "answer", texts: pieces });
      const { events, error } = await collect(subject);
      assert.equal(error, null);
      assert.equal(textOf(events), pieces.join(""));
    },
  },
  {
    name: "a probe says whether the source answers, and never raises",
    async run(subject) {
      assert.equal((await subject.backend.probe(AbortSignal.timeout(5_000))).status, "healthy");
      await subject.unplug();
      const health = await within(
        subject,
        subject.backend.probe(AbortSignal.timeout(1_000)),
        "the probe is not bounded by its signal",
      );
      assert.equal(health.status, "unhealthy");
      assert.ok((health.remedy ?? "").length > 10, "nothing says what would mend it");
    },
  },
  {
    name: "a probe shows no addresses",
    async run(subject) {
      const well = await subject.backend.probe(AbortSignal.timeout(5_000));
      await subject.unplug();
      const away = await subject.backend.probe(AbortSignal.timeout(1_000));
      assert.doesNotMatch(JSON.stringify([well, away]), /https?:\/\/|127\.0\.0\.1|localhost/);
    },
  },
  {
    name: "describes itself: a name, its models if there is a choice, and findings that say what mends them",
    async run({ backend }) {
      assert.match(backend.source, /^[a-z][a-z0-9-]{0,31}$/);
      for (const model of (await backend.listModels?.(never)) ?? []) assert.notEqual(model.id, "");
      for (const finding of (await backend.examine?.(never)) ?? []) {
        assert.notEqual(finding.name, "");
        assert.notEqual(finding.found, "");
        assert.ok(finding.status === "ok" || finding.remedy !== undefined, "no remedy is named");
      }
    },
  },
  {
    name: "closes, also twice",
    async run({ backend }) {
      await backend.close();
      await backend.close();
    },
  },
];

function usedBytes(): number {
  const { heapTotal, external } = process.memoryUsage();
  return heapTotal + external;
}

/**
 * Registers the contract for one adapter. A deviation is a case that does not apply, by its name, with the reason;
 * one that names no case fails.
 */
export function runAgentBackendContract(options: {
  readonly name: string;
  readonly create: () => Promise<AgentBackendSubject>;
  readonly deviations?: Readonly<Record<string, string>>;
}): void {
  const { name, create, deviations = {} } = options;
  describe(`${name} keeps the contract of agent backends`, () => {
    let subject: AgentBackendSubject | null = null;
    afterEach(async () => {
      await subject?.close();
      subject = null;
    });
    for (const each of agentBackendContract) {
      const reason = deviations[each.name];
      if (reason !== undefined) {
        test.skip(`${each.name} (does not apply: ${reason})`);
      } else {
        test(each.name, async () => {
          subject = await create();
          await each.run(subject);
        });
      }
    }
    test("deviations name cases", () => {
      const names = new Set(agentBackendContract.map((each) => each.name));
      assert.deepEqual(
        Object.keys(deviations).filter((deviation) => !names.has(deviation)),
        [],
      );
    });
  });
}
