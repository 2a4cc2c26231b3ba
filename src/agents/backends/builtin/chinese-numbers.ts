const digits = new Map([..."零一二三四五六七八九"].map((character, value) => [character, value]));
digits.set("〇", 0).set("两", 2);
const small = new Map([
  ["十", 10],
  ["百", 100],
  ["千", 1_000],
]);
const large = new Map([
  ["万", 10_000],
  ["亿", 100_000_000],
]);

/**
 * Writes Chinese numerals as digits: 三十五 → 35, 一万二千 → 12000, 三点五 → 3.5, 3.5万 → 35000. Characters that
 * are part of a word are left alone only where the numeral does not read as a number; callers check what remains.
 */
export function readChineseNumbers(text: string): string {
  return text
    .replace(
      /(\d+(?:\.\d+)?)\s*([百千万亿]+)(?!克|米|瓦|卡|焦|帕|赫|字)/g,
      (whole, number, scales) => scaled(String(number), String(scales)) ?? whole,
    )
    .replace(
      /(?<![\d.]\s?)(?:(?!百分之)[零〇一二两三四五六七八九十百千万亿])+(?:点[零〇一二三四五六七八九]+)?/g,
      (run, at: number, whole: string) => readRun(run, whole.charAt(at + run.length)),
    );
}

function scaled(number: string, scales: string): string | undefined {
  const factor = [...scales].reduce(
    (product, scale) => product * (small.get(scale) ?? large.get(scale) ?? Number.NaN),
    1,
  );
  return Number.isFinite(factor) ? `(${number}*${factor})` : undefined;
}

/** 千 and 百 before a unit belong to the unit (千克, 百帕), unless a numeral stands before them. */
function readRun(run: string, next: string): string {
  const unitPrefix = /[千百]$/.test(run) && /[克米瓦卡焦帕赫字]/.test(next) ? run.slice(-1) : "";
  const numeral = unitPrefix === "" ? run : run.slice(0, -1);
  if (numeral === "") return run;
  // 三两 is three liang; 两 alone is two.
  const liang = numeral.length > 1 && numeral.endsWith("两") ? "两" : "";
  const value = readNumeral(liang === "" ? numeral : numeral.slice(0, -1));
  return value === undefined ? run : `${value}${liang}${unitPrefix}`;
}

function readNumeral(numeral: string): string | undefined {
  const [whole = "", fraction] = numeral.split("点");
  const value = /[十百千万亿]/.test(whole) ? readScaled(whole) : readDigits(whole);
  if (value === undefined) return undefined;
  return fraction === undefined ? value : `${value}.${readDigits(fraction) ?? ""}`;
}

function readDigits(characters: string): string | undefined {
  const read = [...characters].map((character) => digits.get(character));
  return read.length === 0 || read.includes(undefined) ? undefined : read.join("");
}

function readScaled(characters: string): string | undefined {
  let total = 0;
  let section = 0;
  let digit: number | undefined;
  let lastStep = Number.POSITIVE_INFINITY;
  for (const character of characters) {
    const scale = small.get(character);
    const step = large.get(character);
    if (scale !== undefined) {
      section += (digit ?? 1) * scale;
      digit = undefined;
    } else if (step !== undefined) {
      // 三亿五千万 adds, 一万亿 multiplies.
      const below = section + (digit ?? 0);
      total = step > lastStep ? (total + below) * step : total + (below === 0 ? 1 : below) * step;
      lastStep = step;
      section = 0;
      digit = undefined;
    } else {
      digit = digits.get(character);
      if (digit === undefined) return undefined;
    }
  }
  const value = total + section + (digit ?? 0);
  return Number.isSafeInteger(value) ? String(value) : undefined;
}
