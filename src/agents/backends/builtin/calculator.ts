import { ArithmeticFault, evaluateArithmetic, formatNumber } from "../../../lib/arithmetic.ts";
import type { Language } from "../../../problems/catalogue.ts";
import type { AgentDescriptor, AgentEvent } from "../../agent-backend.ts";
import { planCalculation, type Calculation } from "./calculation.ts";
import { streamText } from "./text-pieces.ts";
import { convert } from "./units.ts";

const calculateTool = "calculate";

export const calculatorDescriptor: AgentDescriptor = {
  agentId: "calculator",
  name: { en: "Calculator", zh: "计算器" },
  description: {
    en: "Works out arithmetic and percentages, and converts units. Needs no model.",
    zh: "计算算式和百分比，换算单位。无需模型。",
  },
  type: "agent",
  model: null,
  tools: [calculateTool],
  metadata: { attachments: [] },
};

/** Why there is no answer. */
type Refusal =
  | { readonly reason: "syntax"; readonly at: number }
  | { readonly reason: "unknown_name" | "arguments"; readonly name: string }
  | { readonly reason: "no_value" | "units" | "limit" };

type Outcome = { readonly value: string } | { readonly refusal: Refusal };

/** Whether the message is a calculation, whatever comes of it. */
export function isCalculation(message: string): boolean {
  const calculation = planCalculation(message);
  if (calculation === null) return false;
  const outcome = workOut(calculation);
  if ("value" in outcome)
    return calculation.kind === "conversion" || !/^[\d.,]+$/.test(message.trim());
  return outcome.refusal.reason === "no_value" || outcome.refusal.reason === "limit";
}

/** Works out what a message asks to be worked out: everything but the `finish` event. */
export async function* calculate(
  message: string,
  language: Language,
  toolCallId: string,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void, void> {
  const calculation = planCalculation(message);
  if (calculation === null) {
    yield* streamText(abilities[language], signal);
    return;
  }
  const { agentId } = calculatorDescriptor;
  const call = { type: "tool", toolCallId, name: calculateTool, agentId } as const;
  const asked = describe(calculation);
  yield { ...call, status: "started", arguments: { expression: asked } };
  const outcome = workOut(calculation);
  if ("value" in outcome) {
    yield { ...call, status: "completed", result: outcome.value };
    yield* streamText(`${asked} = ${outcome.value}`, signal);
  } else {
    yield { ...call, status: "failed", result: outcome.refusal };
    yield* streamText(refusalTexts(outcome.refusal, asked)[language], signal);
  }
}

function describe(calculation: Calculation): string {
  if (calculation.kind === "expression") return calculation.expression;
  return `${calculation.value} ${calculation.from}`;
}

function workOut(calculation: Calculation): Outcome {
  try {
    if (calculation.kind === "expression") return told(evaluateArithmetic(calculation.expression));
    const { value, from, to } = calculation;
    const converted = convert(evaluateArithmetic(value), from, to);
    if (converted === null) return { refusal: { reason: "units" } };
    if (typeof converted === "string")
      return { refusal: { reason: "unknown_name", name: converted } };
    return told(converted, ` ${to}`);
  } catch (error) {
    if (!(error instanceof ArithmeticFault)) throw error;
    const { reason, at, subject } = error;
    switch (reason) {
      case "syntax":
        return { refusal: { reason, at } };
      case "unknown_name":
      case "arguments":
        return { refusal: { reason, name: subject } };
      case "limit":
        return { refusal: { reason } };
    }
  }
}

function told(value: number, unit = ""): Outcome {
  if (!Number.isFinite(value)) return { refusal: { reason: "no_value" } };
  return { value: `${formatNumber(value)}${unit}` };
}

const abilities: Readonly<Record<Language, string>> = {
  en: `I could not find a calculation in that. I understand:

- arithmetic: \`(2+3)*4\`, \`15% of 80\`, \`sqrt(2)\`, \`2^10\`, \`sin(30 deg)\`, \`mean 3 5 8\`
- units: \`3 km to miles\`, \`100 F in C\``,
  zh: `这句话里没有找到可以计算的内容。我能理解：

- 算式：\`(2+3)*4 等于多少\`、\`80的15%\`、\`根号2\`、\`2的10次方\`、\`平均值 3 5 8\`
- 单位：\`3公里等于多少英里\`、\`100华氏度是多少摄氏度\``,
};

function refusalTexts(refusal: Refusal, asked: string): Readonly<Record<Language, string>> {
  switch (refusal.reason) {
    case "syntax": {
      const upTo = asked.slice(0, refusal.at).trim();
      return {
        en: `I cannot read this as a calculation: ${asked}${upTo && `\nI can follow it up to: ${upTo}`}`,
        zh: `无法将其理解为算式：${asked}${upTo && `\n能读懂的部分到此为止：${upTo}`}`,
      };
    }
    case "unknown_name":
      return {
        en: `“${refusal.name}” is neither a number, nor a unit, nor a function that I know. Exchange rates and facts are not among the things I know either.`,
        zh: `“${refusal.name}”不是我认识的数、单位或函数。汇率和常识性数据我也没有。`,
      };
    case "arguments":
      return {
        en: `“${refusal.name}” does not take so many numbers: ${asked}`,
        zh: `“${refusal.name}”不能使用这么多个数：${asked}`,
      };
    case "units":
      return {
        en: `The units do not fit together: ${asked}`,
        zh: `单位不匹配，无法换算：${asked}`,
      };
    case "no_value":
      return {
        en: `This has no finite value (a division by zero, for example, or a result that is too large): ${asked}`,
        zh: `没有有限的结果（例如除以零，或结果过大）：${asked}`,
      };
    case "limit":
      return { en: "This is too long for me.", zh: "这个算式太长了。" };
  }
}
