import type { AgentEvent } from "../../agent-backend.ts";
import { withUse, type Spent } from "../../spent.ts";
import type { ComponentKind } from "./components.ts";
import { asCount, asList, asRecord, asText, type Wire } from "./wire.ts";

/** What a run has told of its use. */
export interface UsageProgress {
  readonly spent: readonly Spent[];
  /** Of all models, for nodes of an older version. */
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** What a run uses, by model. */
export interface RunUsage {
  /** A model is asked; what it uses it tells later, or never. */
  asked(event: Wire, into: AgentEvent[]): void;
  /** A model has answered. */
  answered(event: Wire, into: AgentEvent[]): void;
  /** Totals at the end: servers before 2.4 tell nothing on the way, and members may be hidden. */
  ended(kind: ComponentKind, event: Wire, into: AgentEvent[]): void;
  readonly progress: UsageProgress;
}

type Tokens = Omit<Spent, "model">;

type Count = keyof Tokens;
const none: Tokens = { input: 0, output: 0, cached: 0, reasoning: 0 };

/** Their `input_tokens` are without what was read from a cache or written to one. */
const cachesApart: ReadonlySet<string> = new Set(["Anthropic", "AwsBedrock", "VertexAI"]);

export function createRunUsage(begun: readonly Spent[] = []): RunUsage {
  let spent = begun;

  const use = (used: Tokens & { readonly model?: string | undefined }, into: AgentEvent[]) => {
    const { model, input, output, cached, reasoning } = used;
    const isKnown = model === undefined || spent.some((each) => each.model === model);
    if (isKnown && input + output + cached + reasoning === 0) return;
    spent = withUse(spent, used);
    into.push({
      type: "usage",
      inputTokens: input,
      outputTokens: output,
      ...(cached > 0 && { cachedTokens: cached }),
      ...(reasoning > 0 && { reasoningTokens: reasoning }),
      ...(model !== undefined && { model }),
    });
  };

  return {
    asked: (event, into) => use({ ...none, model: asText(event["model"]) }, into),
    answered(event, into) {
      const tokens = tokensOf(event, asText(event["model_provider"]));
      use({ ...tokens, model: asText(event["model"]) }, into);
    },
    ended(kind, event, into) {
      const { total, models } = totalsOf(kind, event);
      // Never more than is missing in the whole, whatever is told of single models.
      let missing = lessOf(total, spent.reduce(sumOf, none));
      for (const { model, ...tokens } of models) {
        const known = spent.find((each) => each.model === model) ?? none;
        const share = leastOf(missing, lessOf(tokens, known));
        missing = lessOf(missing, share);
        use({ ...share, model }, into);
      }
      const [only] = spent;
      use({ ...missing, model: spent.length === 1 && only?.model ? only.model : undefined }, into);
    },
    get progress() {
      const { input, output } = spent.reduce(sumOf, none);
      return { spent, inputTokens: input, outputTokens: output };
    },
  };
}

/** As it is stored with the state of a run. */
export function readSpent(progress: Wire): readonly Spent[] {
  if (Array.isArray(progress["spent"])) {
    return asList(progress["spent"]).map((each) => ({
      model: asText(each["model"]) ?? "",
      input: asCount(each["input"]),
      output: asCount(each["output"]),
      cached: asCount(each["cached"]),
      reasoning: asCount(each["reasoning"]),
    }));
  }
  // An older version of this service told models not apart.
  const input = asCount(progress["inputTokens"]);
  const output = asCount(progress["outputTokens"]);
  return input + output === 0 ? [] : [{ ...none, model: "", input, output }];
}

/** A run's metrics, or those of a workflow's steps, in all and by model. */
function totalsOf(kind: ComponentKind, event: Wire): { total: Tokens; models: readonly Spent[] } {
  const metrics = asRecord(event["metrics"]);
  const parts =
    kind === "workflow"
      ? Object.values(asRecord(metrics["steps"])).map((each) => asRecord(asRecord(each)["metrics"]))
      : [metrics];
  let total = none;
  let models: readonly Spent[] = [];
  for (const part of parts) {
    total = sumOf(total, tokensOf(part, undefined));
    // By what a model was used for; one may be used for several things.
    for (const each of Object.values(asRecord(part["details"])).flatMap(asList)) {
      const tokens = tokensOf(each, asText(each["provider"]));
      // The total counts input as the provider does.
      total = { ...total, input: total.input + tokens.input - asCount(each["input_tokens"]) };
      models = withUse(models, { ...tokens, model: asText(each["id"]) });
    }
  }
  return { total, models: models.filter(({ model }) => model !== "") };
}

function tokensOf(told: Wire, provider: string | undefined): Tokens {
  const cached = asCount(told["cache_read_tokens"]);
  const isApart = provider !== undefined && cachesApart.has(provider);
  const apart = isApart ? cached + asCount(told["cache_write_tokens"]) : 0;
  return {
    input: asCount(told["input_tokens"]) + apart,
    output: asCount(told["output_tokens"]),
    cached,
    reasoning: asCount(told["reasoning_tokens"]),
  };
}

function each(of: (count: Count) => number): Tokens {
  const [input, output, cached, reasoning] = [
    of("input"),
    of("output"),
    of("cached"),
    of("reasoning"),
  ];
  return { input, output, cached, reasoning };
}

function sumOf(left: Tokens, right: Tokens): Tokens {
  return each((count) => left[count] + right[count]);
}

function lessOf(left: Tokens, right: Tokens): Tokens {
  return each((count) => Math.max(0, left[count] - right[count]));
}

function leastOf(left: Tokens, right: Tokens): Tokens {
  return each((count) => Math.min(left[count], right[count]));
}
