/** A message understood as something to work out; whether it can be is for arithmetic to say. */
export type Calculation =
  | { readonly kind: "expression"; readonly expression: string }
  | {
      readonly kind: "conversion";
      /** An expression. */
      readonly value: string;
      readonly from: string;
      readonly to: string;
    };

const maxLength = 1_000;

/** Typographic signs as on a keyboard. */
const signs: readonly (readonly [RegExp, string])[] = [
  [/²/g, "^2"],
  [/³/g, "^3"],
  [/[×✕·⋅]/g, "*"],
  [/[÷⁄]/g, "/"],
  [/[−–—]/g, "-"],
  [/\*\*/g, "^"],
  [/π/g, "pi"],
];

/** A number or a group in brackets, as functions without brackets take it. */
const operand = String.raw`(\d[\d.]*|\([^()]*\))`;

/** What people write, as an expression. */
const words: readonly (readonly [RegExp, string])[] = [
  [/([\d.]+)\s*%\s*of\s/gi, "$1% * "],
  [/([\d.]+)\s*的\s*([\d.]+\s*%)/g, "$1 * $2"],
  [/([\d.]+\s*%)\s*的\s*([\d.]+)/g, "$1 * $2"],
  [new RegExp(String.raw`(?:the )?factorial of ${operand}`, "gi"), "($1)!"],
  [new RegExp(String.raw`${operand} factorial\b`, "gi"), "($1)!"],
  [new RegExp(String.raw`${operand}\s*的阶乘`, "g"), "($1)!"],
  [/百分之\s*([\d.]+)/g, "$1%"],
  [new RegExp(String.raw`(?:(?:the )?square root of|√|根号)\s*${operand}`, "gi"), "sqrt($1)"],
  [new RegExp(String.raw`${operand}\s*的平方根`, "g"), "sqrt($1)"],
  [/\bsquared\b|的平方/gi, "^2"],
  [/\bcubed\b|的立方/gi, "^3"],
  [/\bto the power of\b/gi, "^"],
  [/的\s*(\d+)\s*次方/g, "^$1"],
  [/\bmultiplied by\b|\btimes\b|乘以|乘/gi, "*"],
  [/\bdivided by\b|\bover\b|除以/gi, "/"],
  [/\bplus\b|加上|加/gi, "+"],
  [/\bminus\b|减去|减/gi, "-"],
  [/\bpercent\b/gi, "%"],
];

const before =
  /^(?:(?:please|can you|calculate|compute|evaluate|convert|what(?:'s|’s| is| are)|how much (?:is|are)|the|请问|请|帮我|算一下|算算|计算|算|把|将)[\s,:：，]*)+/i;
const after = /(?:[\s=?？。;；]|(?<![\d)!])[!！]|吗|呢|equals?|please|等于|是|得|多少|几)$/i;

/** Measures of a list, and the functions they are. */
const measures: readonly (readonly [RegExp, string])[] = [
  [/^(?:mean|average|平均值?|平均数)/i, "mean"],
  [/^(?:median|中位数)/i, "median"],
  [/^(?:sum|total|总和|求和)/i, "sum"],
  [/^(?:min(?:imum)?|最小值?)/i, "min"],
  [/^(?:max(?:imum)?|最大值?)/i, "max"],
];

/** Reads a message as a calculation, in English or Chinese; null when it is none. */
export function planCalculation(message: string): Calculation | null {
  if (message.length > maxLength) return null;
  // 2024-11-22 is a day.
  if (/^\s*\d{4}([-/])\d{1,2}\1\d{1,2}\b/.test(message)) return null;
  let question = message.replaceAll("²", "^2").replaceAll("³", "^3").normalize("NFKC");
  for (const [sign, plain] of signs) question = question.replace(sign, plain);
  question = question.replace(/\s+/g, " ").trim().replace(before, "");
  for (let end = after.exec(question); end !== null; end = after.exec(question)) {
    question = question.slice(0, end.index);
  }
  if (!/\d/.test(question)) {
    return /^(?:pi|e)$/i.test(question) ? { kind: "expression", expression: question } : null;
  }
  return planConversion(question) ?? planList(question) ?? planExpression(question);
}

const unit = String.raw`([\p{L}°][\p{L}°/^2 ]*)`;
const conversions: readonly RegExp[] = [
  new RegExp(String.raw`^([-+*/^%().\d ]*\d[\d.)]*) ?${unit} (?:to|in|into|as) ${unit}$`, "iu"),
  new RegExp(
    String.raw`^([-+*/^%().\d ]*\d[\d.)]*) ?${unit}?(?:等于|是|有|换算成|合)(?:多少|几)?${unit}$`,
    "iu",
  ),
];

function planConversion(question: string): Calculation | null {
  for (const pattern of conversions) {
    const [, value, from, to] = pattern.exec(question) ?? [];
    if (value === undefined || from === undefined || to === undefined) continue;
    const plain = (name: string) =>
      name
        .trim()
        .replace("^2", "2")
        .replace(/^square /i, "");
    return { kind: "conversion", value, from: plain(from), to: plain(to) };
  }
  return null;
}

/** "mean 3 5 8", "1, 4 和 2 的中位数". */
function planList(question: string): Calculation | null {
  const turned = question.replace(/^([^\p{L}]+(?:[和与]\s*[\d.]+)?)\s*的\s*(\S+)$/u, "$2 $1");
  for (const [name, function_] of measures) {
    const rest = turned.replace(name, "");
    if (rest === turned) continue;
    const list = rest.replace(/^\s*(?:of|:|是)?\s*/i, "");
    const numbers = list.split(/[\s,;、]+|和|与|\band\b/).filter((each) => each !== "");
    if (numbers.length < 2 || !numbers.every((each) => /^[-+]?\d[\d.]*$/.test(each))) continue;
    return { kind: "expression", expression: `${function_}(${numbers.join(", ")})` };
  }
  return null;
}

function planExpression(question: string): Calculation | null {
  let expression = question;
  for (const [spoken, written] of words) expression = expression.replace(spoken, written);
  if (!/\p{L} *\(/u.test(expression)) {
    expression = expression.replace(/(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])/g, (number) =>
      number.replaceAll(",", ""),
    );
  }
  if (/\p{Script=Han}/u.test(expression)) return null;
  return { kind: "expression", expression: expression.trim() };
}
