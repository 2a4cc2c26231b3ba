const code =
  /^ {0,3}(`{3,}|~{3,})[^\n]*(?:\n[\s\S]*?(?:^ {0,3}\1[`~]*[ \t]*$|(?![\s\S]))|(?![\s\S]))|(`+)(?!`)[\s\S]*?[^`]\2(?!`)/;
const bracketed = /\\\[([\s\S]+?)\\\]|\\\(([^\n]+?)\\\)/;
const doubleDollar = /(?<!\\)\$\$([^$]+?)\$\$/;
/** As Pandoc reads it, so that prices stay prices: no blank inside the signs, no digit behind. */
const singleDollar = /(?<![\\$\w])\$(?![\s$])([^$\n]*?[^\s$\\])\$(?![\w$])/;
const anyOfThem = new RegExp(
  [code, bracketed, doubleDollar, singleDollar]
    .map(({ source }, index) =>
      // Only the first part refers back to groups, and it keeps their numbers.
      index === 0 ? `(?:${source})` : source,
    )
    .join("|"),
  "gm",
);

/** Marks that do not close are looked for again and again: of one block, longer ones are shown as they were written. */
const maxLength = 10_000;

/**
 * Formulas in one spelling. Models write `\(x\)`, `\[x\]`, `$x$` and `$$x$$`; the parser is left with `$$`, on lines of
 * their own for displayed formulas. Code stays as it is.
 */
export function normaliseMaths(text: string): string {
  return mapMaths(text, (tex, isDisplayed, offset, length) => {
    if (!isDisplayed) return `$$${tex}$$`;
    const before = text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset);
    const isAlone = before.trim() === "" && /^[ \t]*(\n|$)/.test(text.slice(offset + length));
    if (!isAlone) return `$$${tex.replaceAll(/\s*\n\s*/g, " ")}$$`;
    return `$$\n${tex
      .trim()
      .split("\n")
      .map((line) => before + line.trim())
      .join("\n")}\n${before}$$`;
  });
}

type ChangeMaths = (tex: string, isDisplayed: boolean, offset: number, length: number) => string;

/** The text with something else in the place of each formula; code stays as it is. */
export function mapMaths(text: string, change: ChangeMaths): string {
  if (!mayHaveMaths(text) || text.length > maxLength) return text;
  return text.replaceAll(
    anyOfThem,
    (
      whole: string,
      _fence: string | undefined,
      _ticks: string | undefined,
      square: string | undefined,
      round: string | undefined,
      double: string | undefined,
      single: string | undefined,
      offset: number,
    ) => {
      const tex = round ?? single ?? square ?? double;
      if (tex === undefined) return whole;
      return change(tex, (round ?? single) === undefined, offset, whole.length);
    },
  );
}

/** Whether it is worth loading what formulas need. */
export function mayHaveMaths(text: string): boolean {
  return text.includes("$") || text.includes("\\(") || text.includes("\\[");
}
