import type { Logger } from "../../../telemetry/logger.ts";

/** `models.context_tokens`: of every model, or of each. */
export type ContextTokens = number | Readonly<Record<string, number>> | null;

/** How much each model takes, as far as that is known. */
export interface ContextWindows {
  /** Tokens, by this estimate, that a prompt for the model may have; `told` is what its endpoint says of its window. */
  roomFor(model: string, told: number | null, maxOutputTokens: number | undefined): number;
  /** The model reported how many tokens a prompt had. */
  observe(model: string, estimatedTokens: number, tokens: number): void;
  /** The model refused a prompt for its length, perhaps with a number in it. */
  refused(model: string, estimatedTokens: number, words: string): void;
}

interface Known {
  /** Tokens that the model counts for one of the estimate. */
  ratio: number;
  /** Of the estimate: more was refused. */
  limit: number;
  limitUntilMs: number;
}

/** Where nobody says how large a window is: most have at least this, and the rest refuse and are learned of. */
const usualWindow = 32_768;
/** The answer must fit too. */
const usualOutput = 4_096;
/** A prompt of less than this was refused for something else, whatever the words. */
const leastLimit = 1_024;
/** Models and servers are replaced: after so long a larger prompt is tried again. */
const keptMs = 60 * 60_000;
/** Model names may come from callers: only so many are remembered. */
const maxModels = 200;
/** Anything else says more about the server's arithmetic than about the text. */
const ratios = { least: 0.5, most: 4 } as const;

export function createContextWindows(options: {
  readonly contextTokens: ContextTokens;
  readonly now: () => number;
  readonly log: Logger;
}): ContextWindows {
  const { contextTokens, now, log } = options;
  const models = new Map<string, Known>();

  const knownOf = (model: string): Known => {
    const known = models.get(model) ?? { ratio: 1, limit: Infinity, limitUntilMs: 0 };
    if (!models.has(model)) {
      if (models.size >= maxModels) models.delete(models.keys().next().value ?? "");
      models.set(model, known);
    }
    if (now() >= known.limitUntilMs) known.limit = Infinity;
    return known;
  };

  const configured = (model: string): number | null => {
    if (contextTokens === null || typeof contextTokens === "number") return contextTokens;
    const own = Object.hasOwn(contextTokens, model) ? contextTokens[model] : undefined;
    return own ?? contextTokens["default"] ?? null;
  };

  return {
    roomFor(model, told, maxOutputTokens = usualOutput) {
      const window = configured(model) ?? told ?? usualWindow;
      const { ratio, limit } = knownOf(model);
      const output = Math.min(maxOutputTokens, window / 4);
      return Math.floor(Math.min((window - output) / ratio, limit));
    },
    observe(model, estimatedTokens, tokens) {
      if (estimatedTokens < 50 || tokens <= 0) return;
      const known = knownOf(model);
      const ratio = Math.min(ratios.most, Math.max(ratios.least, tokens / estimatedTokens));
      known.ratio += (ratio - known.ratio) / 4;
    },
    refused(model, estimatedTokens, words) {
      const known = knownOf(model);
      const stated = (statedLimit(words) ?? Infinity) / known.ratio;
      const lower = Math.min(known.limit, stated * 0.9, estimatedTokens * 0.75);
      known.limit = Math.max(lower, leastLimit);
      known.limitUntilMs = now() + keptMs;
      const limit = Math.floor(known.limit);
      log.warn({ model, limit }, "a prompt was too long for its model, shorter ones are sent");
    },
  };
}

/** Of the numbers in a refusal, what was sent is the largest and what is taken mostly the one below it. */
function statedLimit(words: string): number | null {
  const numbers = [...new Set((words.match(/\d[\d,]*\d/g) ?? []).map(plainNumber))]
    .filter((number) => number >= 512 && number <= 100_000_000)
    .toSorted((a, b) => b - a);
  return numbers[1] ?? numbers[0] ?? null;
}

function plainNumber(text: string): number {
  return Number(text.replaceAll(",", ""));
}
