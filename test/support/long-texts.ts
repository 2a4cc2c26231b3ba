const characters = [..."*_~`[]()!<>|#-+=:;$\\&{}\"'.,/@^? \t\n0aé你👍"];
/** Pieces that open, close or nearly close something. */
const pieces = [
  "a**b",
  "*a_",
  "*a **b ",
  "**_a ",
  "a*_b~~",
  "*a* ",
  "~a~~b",
  "[a](",
  "[a](b)",
  "![",
  "![a](b)",
  "[a]",
  "[a][",
  "[a](<",
  '[a](b "',
  "[[a]",
  "![[]()",
  "*[a*](b)",
  "[^a]",
  "[^a]: x\n",
  "[x]: /y\n",
  "[x]:\n",
  "<a ",
  "<a b='",
  "<b>a</b> ",
  "<!--",
  "<?",
  "<![CDATA[",
  "</",
  "<x@y",
  "<div>\n\n",
  "<think>",
  "</think>",
  "<details>",
  "- a\n",
  "- a\n\n",
  "1. a\n",
  "2) a\n\n",
  "- [ ] a\n",
  "> a\n",
  "> a\n\n",
  "- > a\n\n",
  "> - a\n\n",
  "1. - a\n\n",
  "> - ",
  "- > ",
  "1. ",
  "a|b\n",
  "|a|b|\n|-|-|\n",
  "www.",
  "www.a.b ",
  "http://",
  "http://a.b ",
  "http://a.b/?!",
  "a@b",
  "a@b.c ",
  "a.b-c",
  "a+",
  "&amp;",
  "&#1;",
  "$ a",
  "$$ a ",
  "$$a$$ ",
  "$$\na\n",
  "$a$ ",
  "\\(",
  "\\(a\\) ",
  "\\[",
  "\\[a\n",
  "\\begin{a}",
  "```\n",
  "```a\nb\n",
  "~~~\n",
  "`a``b",
  "a\n=\n",
  "a  \n",
  "\\*",
  "    a\n",
  "a. B",
  "a, ",
  "Mr. ",
  "“a” ",
  "【1†s】",
  "[!NOTE]\n",
];

function* generators(): Generator<[name: string, make: (length: number) => string]> {
  const repeated = (piece: string) => (length: number) =>
    piece.repeat(Math.ceil(length / piece.length));
  for (const each of characters) {
    const name = JSON.stringify(each);
    yield [`a run of ${name}`, repeated(each)];
    yield [`${name} and blanks`, repeated(`${each} `)];
    yield [`${name} and letters`, repeated(`${each}a`)];
    yield [`${name} behind words`, repeated(`a${each} `)];
    yield [`lines of ${name}`, repeated(`${each}\n`)];
    yield [`paragraphs of ${name}`, repeated(`${each} a\n\n`)];
    yield [
      `growing runs of ${name}`,
      (length) =>
        Array.from({ length: Math.floor(Math.sqrt(2 * length)) }, (_, index) =>
          each.repeat(index + 1),
        ).join(" "),
    ];
    yield [`a run of ${name} and a letter`, (length) => `${each.repeat(length)}a`];
    yield [`a run of ${name} between letters`, (length) => `a${each.repeat(length)}a`];
  }
  for (const piece of pieces) yield [`${JSON.stringify(piece)} again and again`, repeated(piece)];
  const halves: readonly (readonly [string, string])[] = [
    ["[", "]"],
    ["[", "](x)"],
    ["(", ")"],
    ["<b>", "</b>"],
    ["**a ", "b**"],
    ["\\(", "\\)"],
    ["{", "}"],
    ["<think>", "</think>"],
  ];
  for (const [open, close] of halves) {
    yield [
      `${open} and ${close} in one another`,
      (length) => {
        const count = Math.ceil(length / (open.length + close.length));
        return open.repeat(count) + close.repeat(count);
      },
    ];
  }
  yield [
    "a table with many columns",
    (length) => {
      const count = Math.floor(length / 4);
      return `${"|a".repeat(count)}\n${"|-".repeat(count)}\n`;
    },
  ];
  yield [
    "a table with many columns and short rows",
    (length) => {
      const count = Math.floor(Math.sqrt(length));
      return `${"|a".repeat(count)}\n${"|-".repeat(count)}\n${"|\n".repeat(Math.floor(length / 3))}`;
    },
  ];
  yield [
    "a list ever deeper",
    (length) =>
      Array.from(
        { length: Math.floor(Math.sqrt(length)) },
        (_, index) => `${" ".repeat(index * 2)}- a`,
      ).join("\n"),
  ];
  yield [
    "many definitions, all used",
    (length) =>
      ["", ": /x"]
        .map((end) =>
          Array.from({ length: Math.floor(length / 24) }, (_, index) => `[r${index}]${end}`).join(
            "\n",
          ),
        )
        .join("\n\n"),
  ];
  yield [
    "many footnotes, all used",
    (length) =>
      ["", ": x"]
        .map((end) =>
          Array.from({ length: Math.floor(length / 24) }, (_, index) => `[^r${index}]${end}`).join(
            "\n\n",
          ),
        )
        .join("\n\n"),
  ];
  yield [
    "a long paragraph, then a list with gaps",
    (length) => `${"a\n".repeat(length / 4)}- a\n${"\n- b\n".repeat(length / 10)}`,
  ];
}

/** Texts that make careless readers of text slow, by the length wanted. What a model writes is not trusted. */
export const longTexts: ReadonlyMap<string, (length: number) => string> = new Map(generators());
