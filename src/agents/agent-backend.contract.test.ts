import { describe, expect, test } from "vitest";
import { startOpenAiServer } from "../../test/support/openai-server.ts";
import { turnOf } from "../../test/support/scene-turn.ts";
import { Problem } from "../problems/problem.ts";
import {
  agentBackendContract,
  upstreamText,
  type AgentBackendSubject,
} from "./agent-backend.contract.ts";
import { AgentInterrupted, type AgentBackend, type AgentEvent } from "./agent-backend.ts";

/** The contract is only worth something if adapters that are wrong fail it, in the cases that are about their fault. */

type Run = AgentBackend["run"];

/** A backend around one function, as short as somebody in a hurry would write it. */
function hastyBackend(url: string, run: Run): AgentBackend {
  const agent = {
    agentId: "hasty",
    name: " ",
    description: "",
    type: "agent" as const,
    model: null,
    tools: [],
    metadata: {},
  };
  return {
    source: "Our models",
    list: () => Promise.resolve([agent, agent]),
    run,
    async probe(signal) {
      const response = await fetch(`${url}/models`, { signal });
      return { status: response.ok ? "healthy" : "unhealthy", details: { url } };
    },
    close: closesOnce(),
  };
}

function closesOnce(): () => Promise<void> {
  let closed = false;
  return () => {
    if (closed) return Promise.reject(new Error("closed already"));
    closed = true;
    return Promise.resolve();
  };
}

function post(url: string, signal: AbortSignal | null): Promise<Response> {
  return fetch(`${url}/chat/completions`, {
    method: "POST",
    body: JSON.stringify({ model: "m", stream: true, messages: [] }),
    signal,
  });
}

function deltasOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("data: {"))
    .map((line) => {
      const chunk = JSON.parse(line.slice(6)) as { choices?: { delta: { content?: string } }[] };
      return chunk.choices?.[0]?.delta.content ?? "";
    });
}

/** Reads the whole answer before it says anything, has no limits, and asks for the history twice. */
function readsAllFirst(url: string): Run {
  return async function* (request, signal): AsyncGenerator<AgentEvent, void, void> {
    await request.history();
    await request.history();
    const answer = await post(url, signal);
    for (const text of deltasOf(await answer.text())) yield { type: "text", text };
    yield { type: "finish", reason: "stop" };
  };
}

/** Streams, but knows neither abort nor the reader's leaving, and takes every end for a good one. */
function cannotStop(url: string): Run {
  return async function* (): AsyncGenerator<AgentEvent, void, void> {
    const answer = await post(url, null);
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of answer.body?.values({ preventCancel: true }) ?? []) {
      rest += decoder.decode(bytes as Uint8Array, { stream: true });
      const end = rest.lastIndexOf("\n") + 1;
      for (const text of deltasOf(rest.slice(0, end))) yield { type: "text", text };
      rest = rest.slice(end);
    }
    yield { type: "finish", reason: "stop" };
  };
}

/** Tells callers what the source said, whatever happened, and puts it into the reply. */
function tellsAll(url: string): Run {
  return async function* (request, signal): AsyncGenerator<AgentEvent, void, void> {
    const answer = await post(url, signal);
    const text = await answer.text();
    const { agentId } = request;
    if (text.includes(upstreamText)) {
      yield { type: "text", text };
      throw new Problem("agent_failed", { agentId, detail: { en: text, zh: text } });
    }
    throw new AgentInterrupted("told all");
  };
}

/** Shares one answer between all runs, in the wrong order, and ends twice. */
function mixesRuns(url: string): Run {
  const texts: string[] = [];
  let answer: Promise<Response> | null = null;
  return async function* (_request, signal): AsyncGenerator<AgentEvent, void, void> {
    answer ??= post(url, signal);
    texts.unshift(...deltasOf(await (await answer).text()));
    for (const text of texts) yield { type: "text", text };
    yield { type: "finish", reason: "stop" };
    yield { type: "finish", reason: "stop" };
  };
}

async function failsOf(run: (url: string) => Run, names: readonly string[]): Promise<string[]> {
  const failed: string[] = [];
  for (const each of agentBackendContract.filter((one) => names.includes(one.name))) {
    const server = await startOpenAiServer();
    const subject: AgentBackendSubject = {
      backend: hastyBackend(server.url, run(server.url)),
      agentId: "hasty",
      patienceMs: 1_000,
      play: (scene) => server.setRespond(() => turnOf(scene)),
      async stopped() {
        expect(await server.requests.at(-1)?.closed).toBe("aborted");
      },
      unplug: () => server.close(),
      close: () => server.close(),
    };
    try {
      await each.run(subject);
    } catch {
      failed.push(each.name);
    }
    await subject.close();
  }
  return failed;
}

const expectations: readonly {
  readonly name: string;
  readonly run: (url: string) => Run;
  readonly fails: readonly string[];
}[] = [
  {
    name: "reads all first",
    run: readsAllFirst,
    fails: [
      "lists agents with unique ids and texts for people",
      "text arrives while the agent still speaks",
      "history is asked for at most once",
      "an agent that it does not have is refused",
      "an abort in mid-answer ends the run here and at its source",
      "a reader that leaves stops the run at its source",
      "a refusal is agent_failed, without the source's words",
      "an overloaded source is agent_unavailable",
      "an unreachable source is agent_unavailable",
      "a source that never answers is agent_timeout",
      "a source that falls silent is agent_timeout, after what it said",
      "a connection that breaks before the first event is agent_failed",
      "a connection that breaks in mid-answer is AgentInterrupted, after what was said",
      "a stream that ends before its time is no finished run",
      "a line of 100 MB is refused in bounded memory",
      "a probe says whether the source answers, and never raises",
      "a probe shows no addresses",
      "describes itself: a name, its models if there is a choice, and findings that say what mends them",
      "closes, also twice",
    ],
  },
  {
    name: "cannot stop",
    run: cannotStop,
    fails: [
      "an abort before the first event ends the run here and at its source",
      "an abort in mid-answer ends the run here and at its source",
      "a signal that is aborted already runs nothing",
      "a reader that leaves stops the run at its source",
      "a run that fails in mid-answer is agent_failed, after what was said",
    ],
  },
  {
    name: "tells all",
    run: tellsAll,
    fails: [
      "a refusal is agent_failed, without the source's words",
      "garbage is agent_failed, without the source's words",
    ],
  },
  {
    name: "mixes runs",
    run: mixesRuns,
    fails: [
      "text arrives in order and one end comes last",
      "runs side by side do not mix",
      "a fault does not spoil the next run",
    ],
  },
];

describe("an adapter that is wrong fails the contract", () => {
  test.each(expectations)("one that $name", async ({ run, fails }) => {
    expect(await failsOf(run, fails)).toEqual(fails);
  });

  test("every case has an adapter that fails it", () => {
    const shown = new Set(expectations.flatMap(({ fails }) => fails));
    const unshown = agentBackendContract.filter((each) => !shown.has(each.name));
    expect(unshown.map((each) => each.name)).toEqual([]);
  });
});
