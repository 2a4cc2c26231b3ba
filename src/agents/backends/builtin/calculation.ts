import { readChineseNumbers } from "./chinese-numbers.ts";
import { nameUnits } from "./unit-names.ts";

export type Measure =
  | "count"
  | "sum"
  | "mean"
  | "median"
  | "mode"
  | "std"
  | "variance"
  | "min"
  | "max"
  | "range"
  | "product";

/** A message understood as something to work out; whether it can be is for the evaluator to say. */
export type Calculation =
  | { readonly kind: "expression"; readonly expression: string }
  | {
      readonly kind: "conversion";
      readonly source: string;
      readonly target: string;
      /** As the person wrote them. */
      readonly shownSource: string;
      readonly shownTarget: string;
    }
  | {
      readonly kind: "statistics";
      readonly measures: readonly Measure[];
      readonly numbers: readonly string[];
    };

/** Longer ones than people type by hand are not read. */
export const maxExpressionCharacters = 1_000;
const maxNumbers = 5_000;
const maxPlannedCharacters = 60_000;

const allMeasures: readonly Measure[] = ["count", "sum", "mean", "median", "min", "max", "std"];

const measureNames: readonly (readonly [Measure, RegExp])[] = [
  ["std", /standard deviation|std\.?(?: ?dev)?|st\.?dev|标准偏?差/i],
  ["variance", /variance|方差/i],
  ["median", /median|中位数|中值/i],
  ["mode", /\bmode\b|众数/i],
  ["mean", /\bmean\b|average|\bavg\b|平均值|平均数|均值|平均/i],
  ["sum", /\bsum\b|\btotal\b|add up|总和|求和|之和|合计|总计|加起来/i],
  ["product", /\bproduct\b|乘积/i],
  ["range", /\brange\b|极差/i],
  ["min", /\bmin(?:imum)?\b|smallest|lowest|最小值?/i],
  ["max", /\bmax(?:imum)?\b|largest|highest|biggest|最大值?/i],
  ["count", /\bcount\b|how many numbers|几个数|个数/i],
];
const wholeSummary = /\bstat(?:istic)?s?\b|summar(?:y|i[sz]e)|describe|统计/i;

/** Reads a message as a calculation, in English or Chinese; null when it is none. */
export function planCalculation(message: string): Calculation | null {
  if (message.length > maxPlannedCharacters) return null;
  const text = plainSigns(message).trim();
  return planStatistics(text) ?? planConversion(text) ?? planExpression(text);
}

/** Full-width forms and typographic signs as on a keyboard; superscripts keep their meaning. */
function plainSigns(message: string): string {
  return message
    .replace(/²/g, "^2")
    .replace(/³/g, "^3")
    .replace(/㎡/g, "m^2")
    .replace(/℃/g, "°C")
    .replace(/℉/g, "°F")
    .normalize("NFKC")
    .replace(/[×✕✖·∙⋅]/g, "*")
    .replace(/[÷⁄]/g, "/")
    .replace(/[−–—]/g, "-")
    .replace(/√/g, "sqrt ")
    .replace(/π/g, "pi")
    .replace(/\*\*/g, "^")
    .replace(/° ?([CF])\b/g, "deg$1");
}

const numberToken = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d{1,3})?$/i;
const thousandsToken = /^[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;

/** Numbers in one unbroken list, and words around it that say what is wanted of them. */
function planStatistics(text: string): Calculation | null {
  const first = text.search(/[-+]?\.?\d/);
  if (first < 0) return null;
  const last = /\d[%.]?(?=\D*$)/.exec(text);
  if (last === null) return null;
  const end = last.index + last[0].length;
  const words = `${text.slice(0, first)} ${text.slice(end)}`;
  const numbers = readNumbers(text.slice(first, end).replace(/[[\](){}]/g, " "));
  if (numbers === null || numbers.length < 2 || numbers.length > maxNumbers) return null;

  const measures = measureNames.filter(([, name]) => name.test(words)).map(([name]) => name);
  if (measures.length > 0) return { kind: "statistics", measures, numbers };
  const wantsAll = wholeSummary.test(words) || (numbers.length >= 3 && !/[\p{L}=]/u.test(words));
  return wantsAll ? { kind: "statistics", measures: allMeasures, numbers } : null;
}

/** The numbers of a list, or null when something else stands between them. */
function readNumbers(list: string): string[] | null {
  // A comma inside "1,200" belongs to the number only where something else separates the numbers.
  const spaced = list.split(/[\s;|、]+|(?<=,)\s+/).filter((part) => part !== "");
  const numbers: string[] = [];
  for (const part of spaced) {
    if (/^(?:and|和|与|及|跟|,)$/i.test(part)) continue;
    const bare = part.replace(/,$/, "");
    if (spaced.length > 1 && thousandsToken.test(bare)) {
      numbers.push(bare.replaceAll(",", ""));
      continue;
    }
    for (const token of part.split(/,|和|与|及|跟/)) {
      if (token === "") continue;
      if (!numberToken.test(token) || token.length > 60) return null;
      numbers.push(token);
    }
  }
  return numbers;
}

const unitText = String.raw`[\p{L}°'"/*^ \d()]+?`;
const conversionQuestions: readonly (readonly [RegExp, "source" | "target"])[] = [
  [
    new RegExp(
      String.raw`^(.+?)(?:等于|是|有|合|换算(?:成|为)|转换?(?:成|为)|换成|折合|相当于|=)+(?:多少|几)?个?(${unitText})$`,
      "u",
    ),
    "source",
  ],
  [new RegExp(String.raw`^(.+?)(?:多少|几)个?(${unitText})$`, "u"), "source"],
  [
    new RegExp(
      String.raw`^how (?:many|much) (${unitText}) (?:are |is |make )?(?:there )?(?:in |to )?(.+)$`,
      "iu",
    ),
    "target",
  ],
  [
    new RegExp(String.raw`^(.+?) (?:is|are|equals?|makes?|=) how many (${unitText})$`, "iu"),
    "source",
  ],
  [new RegExp(String.raw`^(.+) (?:to(?! the )|into|->|=>) (${unitText})$`, "iu"), "source"],
  [new RegExp(String.raw`^(.+) (?:in|as) (${unitText})$`, "iu"), "source"],
];

function planConversion(text: string): Calculation | null {
  if (text.length > 200) return null;
  const question = stripQuestion(text);
  for (const [pattern, first] of conversionQuestions) {
    const found = pattern.exec(question);
    if (found?.[1] === undefined || found[2] === undefined) continue;
    const [source, target] = first === "source" ? [found[1], found[2]] : [found[2], found[1]];
    const shownSource = source.trim();
    const shownTarget = target.trim();
    const named = nameUnits(
      readChineseNumbers(shownSource.replace(/^(?:an?|one)\s+(?=\p{L})/iu, "1 ")),
    );
    const asked = nameUnits(shownTarget);
    if (!/\d/.test(named) || /\p{Script=Han}/u.test(named + asked)) continue;
    return {
      kind: "conversion",
      source: addParts(temperatureUnits(thousands(named), asked)),
      target: temperatureUnits(asked, named),
      shownSource,
      shownTarget,
    };
  }
  return null;
}

const temperature = /(?:^|[\d\s])(C|F|K|degC|degF|deg|celsius|fahrenheit|kelvin)$/i;

/** "20 C to F" is about temperatures, not about coulombs and farads, and so is 20度 when 华氏度 is asked for. */
function temperatureUnits(text: string, other: string): string {
  const unit = temperature.exec(text)?.[1];
  const otherUnit = temperature.exec(other)?.[1];
  if (unit === undefined || otherUnit === undefined) return text;
  const bare = text.slice(0, -unit.length);
  if (/^[CF]$/i.test(unit)) return `${bare}deg${unit.toUpperCase()}`;
  if (unit.toLowerCase() !== "deg" || otherUnit.toLowerCase() === "deg") return text;
  return `${bare}${/^(?:deg)?C|celsius/i.test(otherUnit) ? "degF" : "degC"}`;
}

/** "5 ft 3 inch" and "2 hours 30 minutes" are sums. */
function addParts(source: string): string {
  return source.replace(/(\d\s*\p{L}+)\s+(?=\d+(?:\.\d+)?\s*\p{L})/gu, "$1 + ");
}

const words: readonly (readonly [RegExp, string])[] = [
  [/([\d.]+)\s*(?:%|percent|per cent)\s*of\s+/gi, "($1/100) * "],
  [/(?:the )?square root of\s*/gi, "sqrt "],
  [/(?:the )?cube root of\s*/gi, "cbrt "],
  [/(?:the )?factorial of\s*([\d.]+)/gi, "($1)!"],
  [/\bsquared\b/gi, "^2"],
  [/\bcubed\b/gi, "^3"],
  [/\b(?:raised )?to the power (?:of )?/gi, "^"],
  [/\bmultiplied by\b|\btimes\b/gi, "*"],
  [/\bdivided by\b|\bover\b/gi, "/"],
  [/\bplus\b/gi, "+"],
  [/\bminus\b/gi, "-"],
  [/\bpercent\b|\bper cent\b/gi, "%"],
  [/([\d.]+)\s*的\s*([\d.]+)\s*%/g, "$1 * ($2/100)"],
  [/百分之\s*([\d.]+)/g, "($1/100)"],
  [/([\d.]+|\))\s*的\s*平方根/g, "sqrt($1)"],
  [/([\d.]+|\))\s*的\s*立方根/g, "cbrt($1)"],
  [/([\d.]+|\))\s*的?\s*平方/g, "$1^2"],
  [/([\d.]+|\))\s*的?\s*立方/g, "$1^3"],
  [/([\d.]+|\))\s*的\s*([\d.]+)\s*次[方幂]/g, "$1^$2"],
  [/([\d.]+|\))\s*的?\s*阶乘/g, "$1!"],
  [/根号/g, "sqrt "],
  [/除以/g, "/"],
  [/乘以|乘/g, "*"],
  [/加上|加/g, "+"],
  [/减去|减/g, "-"],
  [/\bln\s*\(/gi, "log("],
  // A function without parentheses takes the number or the group that follows.
  [/\b(sqrt|cbrt)\s+([\d.]+)/g, "$1($2)"],
  [/\b(sqrt|cbrt)\s+\(/g, "$1("],
];

function planExpression(text: string): Calculation | null {
  if (text.length > maxExpressionCharacters * 2) return null;
  // 2024-11-22 is a day and 13:30 a time.
  if (/^\d{4}([-/])\d{1,2}\1\d{1,2}\b/.test(text)) return null;
  const question = stripQuestion(text);
  let expression = nameUnits(readChineseNumbers(question));
  for (const [spoken, written] of words) expression = expression.replace(spoken, written);
  expression = thousands(expression).trim();
  if (!/\d|\bpi\b|\be\b/.test(expression) || /\p{Script=Han}/u.test(expression)) return null;
  return { kind: "expression", expression };
}

/** "1,234.5 + 2", but not the comma of max(1,200). */
function thousands(expression: string): string {
  if (/\p{L}\s*\(|\[/u.test(expression)) return expression;
  return expression.replace(/(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])/g, (number) =>
    number.replaceAll(",", ""),
  );
}

const before =
  /^(?:(?:please|can you|could you|would you|hey|hi|hello|so|and|now|tell me|find|calculate|compute|evaluate|solve|convert|work out|what(?:'s|’s| is| are| does| do)|how much (?:is|are|does)|the (?:value|result) of|the(?= (?:square|cube|factorial))|请问|请|帮我|帮忙|麻烦(?:你|您)?|你好|你能|能不能|可以|算一算|算一下|算算|计算一下|计算|换算一下|算出|算|求|问一下|一下|那么|把|将)[\s,:;，：]*)+/i;
/** One of them at a time: repeated inside one pattern they could be tried in exponentially many ways. */
const after =
  /(?:[\s=?？。.,;；~]|(?<![\d)!])[!！]|吗|呢|啊|equals?|equal to|is|what|please|thanks?|等于|是|得|为|一共|总共|有|多少|几|什么|的?结果|的值)$/i;

/** Without "what is", "帮我算一下", "等于多少" and the question mark. */
function stripQuestion(text: string): string {
  const bare = text.replace(/\s+/g, " ").trim();
  let question = bare.replace(before, "");
  for (let end = after.exec(question); end !== null; end = after.exec(question)) {
    question = question.slice(0, end.index);
  }
  return question;
}
