type Language = "en" | "zh";

const longest = 60;

/** What is said for each; `{}` are taken by what follows in braces. */
const says: Record<Language, Record<string, string>> = {
  en: {
    "=": " equals ",
    "+": " plus ",
    "-": " minus ",
    "*": " times ",
    "/": " over ",
    "<": " is less than ",
    ">": " is greater than ",
    "%": " percent ",
    times: " times ",
    cdot: " times ",
    div: " divided by ",
    pm: " plus or minus ",
    le: " is at most ",
    leq: " is at most ",
    ge: " is at least ",
    geq: " is at least ",
    ne: " is not ",
    neq: " is not ",
    approx: " is about ",
    infty: " infinity ",
    to: " to ",
    "^2": " squared ",
    "^3": " cubed ",
    "^": " to the power of {} ",
    _: " {} ",
    frac: " {} over {} ",
    sqrt: " the square root of {} ",
  },
  zh: {
    "=": "等于",
    "+": "加",
    "-": "减",
    "*": "乘以",
    "/": "除以",
    "<": "小于",
    ">": "大于",
    "%": "百分之",
    times: "乘以",
    cdot: "乘以",
    div: "除以",
    pm: "加减",
    le: "小于等于",
    leq: "小于等于",
    ge: "大于等于",
    geq: "大于等于",
    ne: "不等于",
    neq: "不等于",
    approx: "约等于",
    infty: "无穷大",
    to: "趋于",
    "^2": "的平方",
    "^3": "的立方",
    "^": "的{}次方",
    _: " {} ",
    frac: " {}除以{} ",
    sqrt: "根号{}",
  },
};
const greek =
  /^(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|pi|rho|sigma|tau|phi|omega|Delta|Sigma|Omega)$/;
const spaces = /^(?:,|;|quad|left|right|displaystyle|!)$/;
const piece = /\s*(\\[a-zA-Z]+|\\.|\^[23](?!\d)|\d+(?:[.,]\d+)*|[\s\S])/y;

/** A short formula in words; null where only the eye helps. */
export function speakFormula(source: string, language: Language): string | null {
  if (source.length > longest) return null;
  const words = says[language];
  let at = 0;

  function next(): string | null {
    piece.lastIndex = at;
    const found = piece.exec(source)?.[1];
    if (found === undefined) return null;
    at = piece.lastIndex;
    return found;
  }

  function argument(): string | null {
    const first = next();
    return first === null ? null : say(first);
  }

  function group(): string | null {
    let said = "";
    for (let each = next(); each !== "}"; each = next()) {
      const part = each === null ? null : say(each);
      if (part === null) return null;
      said += part;
    }
    return said.trim();
  }

  function say(each: string): string | null {
    if (each === "{") return group();
    if (/^(?:[\p{L}\d(),.!|]|\d.*)$/u.test(each)) return each;
    const name = each.replace(/^\\(?=.)/, "");
    if (each.startsWith("\\")) {
      if (greek.test(name)) return ` ${name} `;
      if (spaces.test(name)) return " ";
    }
    let said = Object.hasOwn(words, name) ? words[name] : undefined;
    while (said?.includes("{}")) {
      const part = argument();
      if (part === null) return null;
      said = said.replace("{}", () => part.trim());
    }
    return said ?? null;
  }

  let said = "";
  for (let each = next(); each !== null; each = next()) {
    const part = say(each);
    if (part === null) return null;
    said += part;
  }
  return said.replaceAll(/\s+/g, " ").trim();
}
