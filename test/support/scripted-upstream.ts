import {
  AgentInterrupted,
  leavesRun,
  type AgentBackend,
  type AgentEvent,
  type Decision,
  type RunRequest,
} from "../../src/agents/agent-backend.ts";
import type { ReplyLimits } from "../../src/replies/lifecycle/admission.ts";
import { Problem } from "../../src/problems/problem.ts";

/**
 * What an agent does with a message: the message is a list of these, such as `say mark say pause say`.
 * - `say`: a piece of text; `tool`: a tool at work, after which the reply is stored, and where the agent lasts takes in
 *   what the user has said meanwhile; `mark`: a state to resume from
 * - `pause`: a person must decide; `fail`: the agent failed; `cut`: its connection broke; `hang`: it says nothing any
 *   more and does not hear that it shall stop
 */
export type Step = "say" | "tool" | "mark" | "pause" | "fail" | "cut" | "hang";

/** The text after each step of a message that is not failed or cut. */
export function textsOf(message: string, replyId: string): string[] {
  let text = "";
  return [
    "",
    ...stepsOf(message).map((step, index) => {
      if (step === "say") text += piece(replyId, index);
      return text;
    }),
  ];
}

/** Of several messages that are answered as one too. */
const stepsOf = (message: string) => message.split(/\s+/) as Step[];
const piece = (replyId: string, index: number) => `${index}:${replyId.slice(-4)} `;

interface Run {
  readonly replyId: string;
  readonly attempt: number;
  readonly source: string;
  readonly userId: string;
  readonly signal: AbortSignal;
}

/** What agents know of the node that calls them. */
export interface AgentsNode {
  readonly runs: Set<Run>;
  readonly limits: ReplyLimits;
  /** It has died. */
  readonly isGone: () => boolean;
  /** It has said that it makes no more replies. */
  readonly isClosed: () => boolean;
}

export type Upstream = ReturnType<typeof createUpstream>;

/** What agents do beyond this service: it outlives every node. */
export function createUpstream() {
  const permits = new Map<string, number>();
  const waiting = new Set<() => void>();
  /** Runs that wait for a person's decision at their source. */
  const paused = new Map<string, { readonly sessionId: string }>();
  const abandoned = new Set<string>();
  const forgotten = new Set<string>();
  const faults: string[] = [];
  /** What runs were called with, and what they have taken in since, by reply. */
  const asked = new Map<string, string>();
  const taken = new Map<string, string[]>();
  /** What runs that were lost in a pause heard of it when they were taken up. */
  const decided = new Map<string, readonly Decision[]>();
  /** Of all nodes. */
  const underway = new Set<Run>();
  const mode = { isFree: false };
  /** How many of the next jobs fail. */
  let failures = 0;

  const wake = () => {
    const all = [...waiting];
    waiting.clear();
    for (const each of all) each();
  };
  const changed = () => new Promise<void>((resolve) => waiting.add(resolve));

  const permit = async (sessionId: string, isOver: () => boolean): Promise<void> => {
    while (!mode.isFree && !isOver()) {
      const left = permits.get(sessionId) ?? 0;
      if (left > 0) {
        permits.set(sessionId, left - 1);
        return;
      }
      await changed();
    }
  };

  async function* play(
    request: RunRequest,
    from: number,
    signal: AbortSignal,
    isCut: () => boolean,
    steers: boolean,
  ): AsyncGenerator<AgentEvent, void, void> {
    const { replyId, sessionId, message } = request;
    if ((asked.get(replyId) ?? message) !== message) {
      faults.push(`${replyId} was asked ${message}, and ${asked.get(replyId)} before`);
    }
    asked.set(replyId, message);
    signal.addEventListener("abort", wake, { once: true });
    const steps = stepsOf(message);
    for (let index = from; index < steps.length; index += 1) {
      const step = steps[index];
      if (step === "hang") while (!isCut()) await changed();
      await permit(sessionId, () => signal.aborted || isCut());
      signal.throwIfAborted();
      if (isCut()) throw new AgentInterrupted("the node is gone");
      switch (step) {
        case "say":
          yield { type: "text", text: piece(replyId, index) };
          break;
        case "tool":
          yield { type: "tool", toolCallId: `call ${index}`, name: "tool", status: "completed" };
          if (steers) {
            const said = (await request.steered?.()) ?? [];
            const before = taken.get(replyId) ?? [];
            taken.set(replyId, [...before, ...said.map((each) => each.message)]);
          }
          break;
        case "mark":
          yield { type: "resumable", state: { next: index + 1 } };
          break;
        case "pause":
          paused.set(replyId, { sessionId });
          yield {
            type: "paused",
            requirements: [{ id: `need ${index}`, kind: "confirm", tool: "tool", arguments: {} }],
            state: { next: index + 1 },
          };
          return;
        case "fail":
          throw new Problem("agent_failed", { agentId: request.agentId });
        case "cut":
          throw new AgentInterrupted("cut");
        default:
      }
    }
    yield { type: "finish", reason: "stop" };
  }

  return {
    taken,
    decided,
    paused,
    abandoned,
    forgotten,
    /** What no agent should ever have seen. */
    faults,
    asked,
    wake,
    /** Lets the session's agent do so many more steps. */
    allow(sessionId: string, steps: number): void {
      permits.set(sessionId, (permits.get(sessionId) ?? 0) + steps);
      wake();
    },
    /** From now on agents go on to their ends. */
    release(): void {
      mode.isFree = true;
      wake();
    },
    failJobs(times: number): void {
      failures = times;
    },
    /** As one node reaches it. */
    backend(source: string, node: AgentsNode, canResume: boolean): AgentBackend {
      const { runs, limits } = node;
      const live = (fits: (run: Run) => boolean) =>
        [...runs].filter((each) => !each.signal.aborted && fits(each)).length;
      const check = (mine: Run) => {
        const { perNode, perSource, perUser } = limits;
        const numbers: [string, number, number][] = [
          ["here", live(() => true), perNode],
          [`from ${source}`, live((each) => each.source === source), perSource],
          [`of ${mine.userId}`, live((each) => each.userId === mine.userId), perUser || Infinity],
        ];
        for (const [of, number, limit] of numbers) {
          if (number > limit) faults.push(`${number} runs ${of}, where ${limit} may be`);
        }
      };
      async function* run(
        request: RunRequest,
        from: number,
        signal: AbortSignal,
      ): AsyncGenerator<AgentEvent, void, void> {
        if (node.isGone()) throw new AgentInterrupted("the node is gone");
        if (node.isClosed() && !signal.aborted) faults.push("a closed node has called an agent");
        paused.delete(request.replyId);
        const { replyId, attempt, userId } = request;
        const mine = { replyId, attempt, source, userId, signal };
        runs.add(mine);
        underway.add(mine);
        check(mine);
        try {
          yield* play(request, from, signal, node.isGone, canResume);
        } finally {
          runs.delete(mine);
          underway.delete(mine);
          // What can be taken up again is one run, whoever listens to it.
          const stops = canResume && signal.aborted && !leavesRun(signal) && !node.isGone();
          const others = [...underway].filter((each) => each.replyId === replyId);
          if (stops && others.some((each) => each.attempt > attempt)) {
            faults.push(`${replyId} was stopped by attempt ${attempt}, although another goes on`);
          }
        }
      }
      const job = (work: () => void) => {
        if (node.isGone()) return Promise.reject(new Error("the node is gone"));
        if (failures > 0) {
          failures -= 1;
          return Promise.reject(new Error("away"));
        }
        work();
        return Promise.resolve();
      };
      const goOn = (request: RunRequest, state: object, signal: AbortSignal) =>
        run(request, (state as { next: number }).next, signal);
      const resume: typeof goOn = (request, state, signal) => {
        if (request.decisions !== undefined) decided.set(request.replyId, request.decisions);
        return goOn(request, state, signal);
      };
      return {
        source,
        list: () =>
          Promise.resolve([
            {
              agentId: source,
              name: source,
              description: "",
              type: "agent",
              model: null,
              tools: [],
              metadata: {},
            },
          ]),
        run: (request, signal) => run(request, 0, signal),
        continue: (request, state, _decisions, signal) => goOn(request, state, signal),
        ...(canResume && { resume, steers: () => true }),
        abandon: ({ replyId }) =>
          job(() => {
            paused.delete(replyId);
            abandoned.add(replyId);
          }),
        forgetSession: ({ sessionId }) => job(() => forgotten.add(sessionId)),
        probe: () => Promise.resolve({ status: "healthy", details: {} }),
        close: () => Promise.resolve(),
      };
    },
  };
}
