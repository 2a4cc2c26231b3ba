import type { Language } from "../../../problems/catalogue.ts";
import type { AgentDescriptor, AgentEvent } from "../../agent-backend.ts";
import { planCalculation, type Calculation, type Measure } from "./calculation.ts";
import type { Outcome, Refusal, Result } from "./evaluator-protocol.ts";
import type { Evaluator } from "./evaluator.ts";
import { streamText } from "./text-pieces.ts";

const calculateTool = "calculate";
const maxShownCharacters = 300;

export const calculatorDescriptor: AgentDescriptor = {
  agentId: "calculator",
  name: { en: "Calculator", zh: "计算器" },
  description: {
    en: "Works out arithmetic, converts units and describes pasted numbers. Needs no model.",
    zh: "计算算式、换算单位、统计粘贴的数字。无需模型。",
  },
  type: "agent",
  model: null,
  tools: [calculateTool],
  metadata: { attachments: [] },
};

/** Works out what a message asks to be worked out. */
export interface Calculator {
  /** Whether the message is a calculation: an expression, a conversion, statistics of numbers. */
  understands(message: string, signal: AbortSignal): Promise<boolean>;
  /** Everything but the `finish` event. */
  answer(
    message: string,
    language: Language,
    toolCallId: string,
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void, void>;
}

export function createCalculator(evaluator: Evaluator): Calculator {
  const { agentId } = calculatorDescriptor;
  return {
    async understands(message, signal) {
      const calculation = planCalculation(message);
      return calculation !== null && (await evaluator.understands(calculation, signal));
    },
    async *answer(message, language, toolCallId, signal) {
      const calculation = planCalculation(message);
      if (calculation === null) {
        yield* streamText(abilities[language], signal);
        return;
      }
      const call = { type: "tool", toolCallId, name: calculateTool, agentId } as const;
      yield { ...call, status: "started", arguments: { expression: describe(calculation) } };
      const outcome = await evaluator.evaluate(calculation, signal);
      yield outcome.ok
        ? { ...call, status: "completed", result: outcome.results }
        : { ...call, status: "failed", result: outcome.refusal };
      yield* streamText(sayOutcome(calculation, outcome, language), signal);
    },
  };
}

function describe(calculation: Calculation): string {
  switch (calculation.kind) {
    case "expression":
      return shorten(calculation.expression);
    case "conversion":
      return shorten(`${calculation.source} to ${calculation.target}`);
    case "statistics":
      return shorten(`${calculation.measures.join(", ")} of ${calculation.numbers.join(", ")}`);
  }
}

function shorten(text: string): string {
  return text.length <= maxShownCharacters ? text : `${text.slice(0, maxShownCharacters)}…`;
}

function sayOutcome(calculation: Calculation, outcome: Outcome, language: Language): string {
  if (!outcome.ok) return sayRefusal(calculation, outcome.refusal, language);
  const value = outcome.results[0]?.text ?? "";
  switch (calculation.kind) {
    case "expression":
      return `${shorten(calculation.expression)} = ${value}`;
    case "conversion":
      return `${calculation.shownSource} = ${value} ${calculation.shownTarget}`;
    case "statistics":
      return sayStatistics(calculation.numbers.length, outcome.results, language);
  }
}

const measureTexts: Readonly<Record<Measure, Readonly<Record<Language, string>>>> = {
  count: { en: "Count", zh: "个数" },
  sum: { en: "Sum", zh: "总和" },
  mean: { en: "Mean", zh: "平均值" },
  median: { en: "Median", zh: "中位数" },
  mode: { en: "Mode", zh: "众数" },
  std: { en: "Standard deviation (of a sample, n − 1)", zh: "标准差（样本，n − 1）" },
  variance: { en: "Variance (of a sample, n − 1)", zh: "方差（样本，n − 1）" },
  min: { en: "Minimum", zh: "最小值" },
  max: { en: "Maximum", zh: "最大值" },
  range: { en: "Range", zh: "极差" },
  product: { en: "Product", zh: "乘积" },
};

function sayStatistics(count: number, results: readonly Result[], language: Language): string {
  const named = results.map(({ name, text }) => {
    const label = measureTexts[name as Measure][language];
    return language === "zh" ? `${label}：${text}` : `${label}: ${text}`;
  });
  if (named.length > 1) return named.map((line) => `- ${line}`).join("\n");
  return language === "zh"
    ? `${named.join("")}（共 ${count} 个数）`
    : `${named.join("")} (${count} numbers)`;
}

const abilities: Readonly<Record<Language, string>> = {
  en: `I could not find a calculation in that. I understand:

- arithmetic: \`(2+3)*4\`, \`15% of 80\`, \`sqrt(2)\`, \`2^100\`, \`sin(30 deg)\`
- units: \`3 km to miles\`, \`100 degF in degC\`, \`how many feet are in 2 m\`
- statistics of numbers: \`mean 3 5 8\`, \`median of 1, 4, 2, 8\`, or just a list of numbers`,
  zh: `这句话里没有找到可以计算的内容。我能理解：

- 算式：\`(2+3)*4 等于多少\`、\`80的15%\`、\`根号2\`、\`2的100次方\`
- 单位：\`3公里等于多少英里\`、\`100华氏度是多少摄氏度\`
- 统计：\`平均值 3 5 8\`、\`1、4、2、8 的中位数\`，或者直接粘贴一列数字`,
};

function sayRefusal(calculation: Calculation, refusal: Refusal, language: Language): string {
  const shown = describe(calculation);
  const reasons = refusalTexts(refusal, shown);
  return reasons[language];
}

function refusalTexts(refusal: Refusal, shown: string): Record<Language, string> {
  switch (refusal.reason) {
    case "syntax": {
      const upTo = refusal.at === null ? "" : shown.slice(0, Math.max(0, refusal.at)).trim();
      return upTo === ""
        ? {
            en: `I cannot read this as a calculation: ${shown}`,
            zh: `无法将其理解为算式：${shown}`,
          }
        : {
            en: `I cannot read this as a calculation: ${shown}\nI can follow it up to: ${upTo}`,
            zh: `无法将其理解为算式：${shown}\n能读懂的部分到此为止：${upTo}`,
          };
    }
    case "unknown_name":
      return {
        en: `“${refusal.name}” is neither a number, nor a unit, nor a function that I know. Exchange rates and facts are not among the things I know either.`,
        zh: `“${refusal.name}”不是我认识的数、单位或函数。汇率和常识性数据我也没有。`,
      };
    case "not_allowed":
      return {
        en: `“${refusal.name}” is not available in this calculator. It takes numbers, units, arithmetic and the usual functions, such as sqrt, log, sin, round, mean, std.`,
        zh: `此计算器不支持“${refusal.name}”。可以使用数、单位、四则运算以及常用函数，例如 sqrt、log、sin、round、mean、std。`,
      };
    case "units":
      return {
        en: `The units do not fit together: ${shown}`,
        zh: `单位不匹配，无法换算或运算：${shown}`,
      };
    case "no_value":
      return {
        en: `This has no finite value (a division by zero, for example, or a result that is too large): ${shown}`,
        zh: `没有有限的结果（例如除以零，或结果过大）：${shown}`,
      };
    case "arguments":
      return {
        en: `A function in this does not take what it is given: ${shown}`,
        zh: `其中的函数无法使用给出的参数：${shown}`,
      };
    case "limit":
      return {
        en: "This is too large for me: formulas are limited in length, size and time, so that one of them cannot hold up the others.",
        zh: "这超出了我的能力：算式的长度、规模和用时都有上限，以免影响其他人。",
      };
  }
}
