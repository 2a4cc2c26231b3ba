import { expect, test } from "vitest";
import type { AgentEvent } from "../../agent-backend.ts";
import { createRunUsage, readSpent } from "./run-usage.ts";
import type { Wire } from "./wire.ts";

const answer = (model: string, input: number, output: number, more: Wire = {}): Wire => ({
  model,
  model_provider: "OpenAI",
  input_tokens: input,
  output_tokens: output,
  ...more,
});

/** What is told of these answers and of the metrics at the end, added up by model. */
function spentOf(answers: readonly Wire[], metrics: Wire, kind: "agent" | "workflow" = "agent") {
  const usage = createRunUsage();
  const events: AgentEvent[] = [];
  for (const each of answers) {
    usage.asked(each, events);
    usage.answered(each, events);
  }
  usage.ended(kind, { metrics }, events);
  const told: Record<string, number[]> = {};
  for (const event of events) {
    if (event.type !== "usage") continue;
    const { inputTokens, outputTokens, cachedTokens = 0, reasoningTokens = 0 } = event;
    const sum = (told[event.model ?? ""] ??= [0, 0, 0, 0]);
    for (const [at, count] of [inputTokens, outputTokens, cachedTokens, reasoningTokens].entries())
      sum[at] = (sum[at] ?? 0) + count;
  }
  const { spent } = usage.progress;
  expect(told).toEqual(
    Object.fromEntries(spent.map((s) => [s.model, [s.input, s.output, s.cached, s.reasoning]])),
  );
  return told;
}

const detail = (id: string, input: number, output: number, more: Wire = {}) => ({
  id,
  provider: "OpenAI",
  input_tokens: input,
  output_tokens: output,
  ...more,
});

test.each<{ name: string; answers?: Wire[]; metrics: Wire; spent: Record<string, number[]> }>([
  {
    name: "what models tell on the way, with what was cached and thought",
    answers: [
      answer("a", 10, 2, { cache_read_tokens: 4, reasoning_tokens: 1 }),
      answer("a", 20, 3, { cache_read_tokens: 16 }),
      answer("b", 5, 1),
    ],
    metrics: { input_tokens: 35, output_tokens: 6, cache_read_tokens: 20, reasoning_tokens: 1 },
    spent: { a: [30, 5, 20, 1], b: [5, 1, 0, 0] },
  },
  {
    name: "what only the end tells, by model and whatever it was for",
    metrics: {
      input_tokens: 60,
      output_tokens: 12,
      details: {
        model: [detail("a", 30, 6, { reasoning_tokens: 2 })],
        memory_model: [detail("a", 10, 2), detail("b", 20, 4)],
      },
      reasoning_tokens: 2,
    },
    spent: { a: [40, 8, 0, 2], b: [20, 4, 0, 0] },
  },
  {
    name: "what of a member was hidden on the way",
    answers: [answer("a", 10, 2)],
    metrics: {
      input_tokens: 25,
      output_tokens: 5,
      details: { model: [detail("a", 10, 2), detail("b", 15, 3)] },
    },
    spent: { a: [10, 2, 0, 0], b: [15, 3, 0, 0] },
  },
  {
    name: "no more than there was in all, whatever the parts say",
    answers: [{ input_tokens: 10, output_tokens: 2 }],
    metrics: { input_tokens: 12, output_tokens: 2, details: { model: [detail("a", 12, 2)] } },
    spent: { "": [10, 2, 0, 0], a: [2, 0, 0, 0] },
  },
  {
    name: "totals without models of a run with one",
    answers: [answer("a", 0, 0)],
    metrics: { input_tokens: 7, output_tokens: 1 },
    spent: { a: [7, 1, 0, 0] },
  },
  {
    name: "totals without any model",
    metrics: { input_tokens: 7, output_tokens: 1 },
    spent: { "": [7, 1, 0, 0] },
  },
  {
    name: "a model that was asked and told nothing",
    answers: [answer("a", 0, 0)],
    metrics: {},
    spent: { a: [0, 0, 0, 0] },
  },
  {
    name: "of a provider that counts what was cached apart from the input",
    answers: [
      answer("c", 10, 2, {
        model_provider: "Anthropic",
        cache_read_tokens: 100,
        cache_write_tokens: 50,
      }),
    ],
    metrics: {
      input_tokens: 10,
      output_tokens: 2,
      cache_read_tokens: 100,
      cache_write_tokens: 50,
      details: {
        model: [
          detail("c", 10, 2, {
            provider: "Anthropic",
            cache_read_tokens: 100,
            cache_write_tokens: 50,
          }),
        ],
      },
    },
    spent: { c: [160, 2, 100, 0] },
  },
  {
    name: "members that are nothing of the kind",
    metrics: { input_tokens: "7", details: { model: [null, 1, { id: 3 }], x: "y" } },
    spent: {},
  },
])("usage of a run: $name", ({ answers = [], metrics, spent }) => {
  expect(spentOf(answers, metrics)).toEqual(spent);
});

test("a workflow uses what its steps do", () => {
  const step = (id: string, input: number) => ({
    metrics: { input_tokens: input, output_tokens: 1, details: { model: [detail(id, input, 1)] } },
  });
  const metrics = { steps: { draft: step("a", 10), publish: step("b", 20) } };
  expect(spentOf([], metrics, "workflow")).toEqual({ a: [10, 1, 0, 0], b: [20, 1, 0, 0] });
});

test("what a state holds is read back, also one of an older version", () => {
  const usage = createRunUsage();
  usage.answered(answer("a", 10, 2, { cache_read_tokens: 3 }), []);
  const stored = JSON.parse(JSON.stringify(usage.progress)) as Wire;
  expect(readSpent(stored)).toEqual(usage.progress.spent);
  expect(stored).toMatchObject({ inputTokens: 10, outputTokens: 2 });
  const older = readSpent({ inputTokens: 10, outputTokens: 2 });
  const events: AgentEvent[] = [];
  createRunUsage(older).ended("agent", { metrics: { input_tokens: 11, output_tokens: 2 } }, events);
  expect(events).toEqual([{ type: "usage", inputTokens: 1, outputTokens: 0 }]);
});
