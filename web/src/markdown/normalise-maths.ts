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
      const inline = round ?? single;
      if (inline !== undefined) return `$$${inline}$$`;
      const shown = square ?? double;
      if (shown === undefined) return whole;
      const before = text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset);
      const isAlone =
        before.trim() === "" && /^[ \t]*(\n|$)/.test(text.slice(offset + whole.length));
      if (!isAlone) return `$$${shown.replaceAll(/\s*\n\s*/g, " ")}$$`;
      return `$$\n${shown
        .trim()
        .split("\n")
        .map((line) => before + line.trim())
        .join("\n")}\n${before}$$`;
    },
  );
}

/** Whether it is worth loading what formulas need. */
export function mayHaveMaths(text: string): boolean {
  return text.includes("$") || text.includes("\\(") || text.includes("\\[");
}
