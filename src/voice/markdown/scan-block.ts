import { blockElements } from "./block-elements.ts";
import { enter, isRule } from "./columns.ts";
import { lineAhead, lineEnd, reach, textAhead, type Ahead } from "./look-ahead.ts";
import {
  goesOnAsText,
  silent,
  type Block,
  type Container,
  type MarkdownState,
  type Step,
} from "./tokens.ts";

const literalElement = /^<(pre|script|style|textarea)(?=[\s>])/i;

/** What begins at the start of a line, inside its containers. */
interface Line {
  readonly source: string;
  readonly at: number;
  /** The rest of the line. */
  readonly rest: Ahead;
  readonly state: MarkdownState;
  readonly final: boolean;
}

/** `undefined`: not this; null: what follows decides. */
type BlockRule = (line: Line) => Step | undefined;

/** The block of a line whose containers are known. */
export function scanBlock(source: string, at: number, state: MarkdownState, final: boolean): Step {
  const line: Line = { source, at, rest: lineAhead(source, at, final), state, final };
  for (const rule of rules) {
    const step = rule(line);
    if (step !== undefined) return step;
  }
  return text(line, { kind: "paragraph" });
}

function text(
  { at, state }: Line,
  block: Block,
  used = 0,
  containers = state.lazy ?? state.containers,
): Step {
  return {
    token: silent(at + used),
    state: { ...state, place: "text", block, containers, lazy: null, item: false },
  };
}

/** A line that says nothing but its end. */
function mark(line: Line, length: number): Step {
  return text(line, { kind: "none" }, length, line.state.containers);
}

function holds({ rest }: Line): boolean {
  return !rest.complete && rest.text.length < reach.construct;
}

const blank: BlockRule = (line) => {
  const { rest, state } = line;
  if (!/^\r?$/.test(rest.text)) return undefined;
  if (!rest.complete) return null;
  const stays = state.block.kind === "indented";
  return text(line, stays ? state.block : { kind: "none" }, 0, state.containers);
};

const indented: BlockRule = ({ at, state }) => {
  const { kind } = state.block;
  if (state.indentation < 4 || goesOnAsText(state.block) || kind === "html" || state.rescued)
    return undefined;
  return {
    token: { kind: kind === "indented" ? "silent" : "code", end: at },
    state: { ...state, place: "rest", block: { kind: "indented" } },
  };
};

const html: BlockRule = (line) =>
  line.state.block.kind === "html" || line.state.indentation >= 4
    ? text(line, line.state.block.kind === "html" ? line.state.block : { kind: "paragraph" })
    : undefined;

const fence: BlockRule = (line) => {
  const { source, at, rest, state } = line;
  const run = /^(`{3,}|~{3,})/.exec(rest.text)?.[0];
  if (run === undefined || state.rescued) return undefined;
  const info = rest.text.slice(run.length);
  if (run.startsWith("`") && info.includes("`")) return undefined;
  if (!rest.complete) return rest.text.length < reach.line ? null : undefined;
  const end = lineEnd(source, at, rest);
  if (state.doubtful && info.trim() === "") {
    return { token: silent(end), state: { ...state, place: "line", block: { kind: "none" } } };
  }
  return {
    token: { kind: "code", end: at + run.length },
    state: {
      ...state,
      place: "rest",
      block: { kind: "fence", mark: run, kept: { text: "", blank: false } },
      lazy: null,
      doubtful: false,
    },
  };
};

const heading: BlockRule = (line) => {
  const { rest } = line;
  const run = /^#{1,6}/.exec(rest.text)?.[0];
  if (run === undefined) return undefined;
  const next = rest.text[run.length];
  if (next === undefined && !rest.complete) return null;
  if (next !== undefined && !/[ \t\r]/.test(next)) return undefined;
  return text(
    line,
    { kind: "heading" },
    run.length + (next === undefined ? 0 : 1),
    line.state.containers,
  );
};

/** Rules, and what underlines a heading. */
const rule: BlockRule = (line) => {
  const { rest, state } = line;
  if (!/^[-*_= \t\r]+$/.test(rest.text)) return undefined;
  if (!rest.complete) return rest.text.length < reach.line ? null : undefined;
  const underlines = state.block.kind === "paragraph" && state.lazy === null;
  const silences = isRule(rest.text) || (underlines && /^(?:-+|=+)[ \t\r]*$/.test(rest.text));
  return silences ? mark(line, rest.text.length) : undefined;
};

const task: BlockRule = (line) => {
  const { rest, state } = line;
  if (!state.item || !rest.text.startsWith("[")) return undefined;
  if (rest.text.length < 4 && !rest.complete) return null;
  return /^\[[ xX]\][ \t]/.test(rest.text) ? text(line, { kind: "paragraph" }, 3) : undefined;
};

/** `[!NOTE]` at the start of a quotation. */
const alert: BlockRule = (line) => {
  const { rest, state } = line;
  if (!rest.text.startsWith("[")) return undefined;
  if (state.containers.at(-1)?.indent !== null) return undefined;
  if (rest.text.length < 2 && !rest.complete) return null;
  if (!rest.text.startsWith("[!")) return undefined;
  if (!rest.complete && rest.text.length < reach.line) return null;
  const name = /^\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t\r]*$/i.exec(rest.text)?.[1];
  if (name === undefined) return undefined;
  const end = line.at + rest.text.length;
  return {
    token: { kind: "alert", end, text: name.toLowerCase() },
    state: { ...state, place: "text", block: { kind: "paragraph" } },
  };
};

/** Where a link leads, given apart from it; the text of a footnote. */
const definition: BlockRule = (line) => {
  const { rest, state } = line;
  if (!rest.text.startsWith("[") || state.block.kind === "paragraph") return undefined;
  const label = /^\[(?:\\.|[^[\]\\])*(\](:|$)|\\?$)/.exec(rest.text);
  if (!label) return undefined;
  if (label[2] !== ":") return holds(line) && rest.text.length < reach.label ? null : undefined;
  if (rest.text.startsWith("[^")) {
    const containers = [...state.containers, { indent: 4 }];
    return text(line, { kind: "paragraph" }, label[0].length, containers);
  }
  if (!rest.complete) return holds(line) ? null : undefined;
  if (label[0].slice(1, -2).trim() === "" || !whereTo.test(rest.text.slice(label[0].length)))
    return undefined;
  return text(line, { kind: "definition" }, rest.text.length);
};

/** An address and a title. */
const whereTo =
  /^[ \t]*(?:<[^<>]*>|(?!<)(?:[^\s()]|\([^\s()]*\))+)(?:[ \t]+(?:"[^"]*"|'[^']*'|\([^()]*\)))?[ \t\r]*$/;

const tagBlock: BlockRule = (line) => {
  const { source, at, rest, state, final } = line;
  if (!rest.text.startsWith("<")) return undefined;
  const head = textAhead(rest.text, 0, reach.label, rest.complete);
  if (/^<\/?[a-z0-9-]{0,20}$/i.test(head.text) && !head.complete) return null;
  const thinking = /^<think(?:ing)?>/i.exec(head.text)?.[0];
  if (thinking !== undefined && !state.rescued) {
    const block: Block = { kind: "thinking", kept: { text: "", blank: true } };
    return {
      token: silent(at + thinking.length),
      state: { ...state, place: "line", block, containers: [] },
    };
  }
  const opener = /^<!--/.exec(head.text)?.[0] ?? literalElement.exec(head.text)?.[0];
  if (opener !== undefined) {
    const closer = opener === "<!--" ? "-->" : `</${opener.slice(1).toLowerCase()}>`;
    const ahead = containedAhead(source, at, state.containers, final);
    const found = ahead.text.toLowerCase().indexOf(closer, opener === "<!--" ? 2 : opener.length);
    if (found >= 0) {
      const end = at + found + closer.length;
      return { token: silent(end), state: { ...state, place: "text", block: { kind: "heading" } } };
    }
    if (!ahead.complete) return null;
    return text(line, { kind: "html" }, /^<[^<>]*>/.exec(head.text)?.[0].length ?? opener.length);
  }
  if (head.text === "<!" || head.text === "<!-") return head.complete ? undefined : null;
  const name = /^<\/?([a-z][a-z0-9-]*)(?=[\s>]|\/>|$)/i.exec(head.text)?.[1]?.toLowerCase();
  if (name === undefined) return undefined;
  if (blockElements.has(name)) return text(line, { kind: "html" }, 0, state.containers);
  if (state.block.kind === "paragraph") return undefined;
  if (!rest.complete && rest.text.length < reach.label && /^<[^<>]*>?[ \t]*$/.test(rest.text))
    return null;
  return /^<[^<>]*>[ \t\r]*$/.test(rest.text) && rest.complete
    ? text(line, { kind: "html" })
    : undefined;
};

/** What is ahead within these containers. */
function containedAhead(
  source: string,
  at: number,
  containers: readonly Container[],
  final: boolean,
): Ahead {
  const ahead = textAhead(source, at, reach.construct, final);
  for (let end = ahead.text.indexOf("\n"); end >= 0; end = ahead.text.indexOf("\n", end + 1)) {
    const below = lineAhead(ahead.text, end + 1, ahead.complete);
    if (enter(below.text, containers).matched === containers.length) continue;
    return {
      text: ahead.text.slice(0, end),
      complete: below.complete || !/^[ \t>]*$/.test(below.text),
    };
  }
  return ahead;
}

/** Rows go on as long as there are cells. */
const row: BlockRule = ({ at, rest, state }) => {
  if (state.block.kind !== "table") return undefined;
  if (!rest.text.includes("|")) {
    return rest.complete || rest.text.length >= reach.label ? undefined : null;
  }
  return { token: silent(at), state: { ...state, place: "rest" } };
};

/**
 * A table's first line is told by its second. A line is looked through for cells up to the first mark after which speech
 * might begin anyway, so that this costs no time.
 */
const table: BlockRule = (line) => {
  const { source, at, rest, state, final } = line;
  const before = rest.text.slice(0, firstCell).search(/[.,;:!?，。！？；：、]/u);
  const pipe = rest.text.slice(0, firstCell).indexOf("|");
  if (pipe < 0 || (before >= 0 && before < pipe)) {
    const decided = rest.complete || before >= 0 || rest.text.length >= firstCell;
    return decided ? undefined : null;
  }
  if (state.rescued || state.lazy !== null) return undefined;
  if (!rest.complete) return holds(line) ? null : undefined;
  const next = at + rest.text.length + 1;
  const below = lineAhead(source, next, final);
  const { cursor, matched } = enter(below.text, state.containers);
  const delimiter = below.text.slice(cursor.offset);
  const possible =
    matched === state.containers.length &&
    cursor.column - cursor.base <= 3 &&
    /^[|:\- \t\r]*$/.test(delimiter);
  if (!below.complete && below.text.length < reach.construct) {
    if (/^[ \t>\r]*$/.test(below.text) || possible) return null;
  }
  // A list item, or the line under a heading.
  if (!possible || !/[|:]/.test(delimiter) || /^-(?:[ \t\r]|$)/.test(delimiter)) return undefined;
  if (!/^\|?(?:[ \t]*:?-+:?[ \t]*\|)*[ \t]*:?-+:?[ \t]*\|?[ \t\r]*$/.test(delimiter))
    return undefined;
  if (cells(rest.text) !== cells(delimiter)) return undefined;
  return {
    token: { kind: "table", end: lineEnd(source, next, below) },
    state: { ...state, place: "line", block: { kind: "table" } },
  };
};

const firstCell = 24;

function cells(row: string): number {
  const inner = row.trim().replaceAll("\\|", "").replace(/^\|/, "").replace(/\|$/, "");
  return inner.split("|").length;
}

const rules: readonly BlockRule[] = [
  blank,
  indented,
  html,
  fence,
  heading,
  rule,
  row,
  task,
  alert,
  definition,
  tagBlock,
  table,
];
