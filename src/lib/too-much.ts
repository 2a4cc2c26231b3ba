/**
 * The parser's time grows with the square of the marks of a paragraph, and its stack with what stands in one another; rows of
 * tables get all columns of their head. Beyond these, which nobody writes, text is shown as it was written.
 */
const maxMarks = 1_000;
const maxDepth = 40;
/** Lines of quotes, and of lists that begin in one another: each costs more than the one before it. */
const maxNested = 500;
const maxCells = 10_000;
/** Looking for addresses begins again at each of its parts. */
const maxWord = 5_000;

/** Ends every paragraph, in quotes too. */
const blank = /^(?: {0,3}>)*\s*$/;
const mark = /[*_~[\]<>&$`\\!|:@]/g;
const fenceStart = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/;
/** Within these a fence is none, and what follows it is no code. */
const otherBlock = /^ {0,3}(?:<|\$\$)/;
const item = /^(\s*)(?:[-*+]|(\d{1,9})[.)])[ \t]+\S/;
/** What follows is no row any more. */
const startsBlock = /^(?: {4}|\t|\s*(?:[-*+#>_<]|\d{1,9}[.)]))/;
const delimiterRow = /^[\s|:-]*-[\s|:-]*$/;
const longWord = new RegExp(`\\S{${maxWord + 1}}`);

/** Whether a text is not worth, or not safe, to be parsed. Takes a time that is proportional to its length. */
export function isTooMuch(text: string): boolean {
  let fence: string | null = null;
  let areFencesSure = true;
  let marks = 0;
  let itemIndent: number | null = null;
  let columns = 0;
  let cells = 0;
  let nested = 0;
  let above = "";
  for (const line of text.split("\n")) {
    if (fence !== null) {
      if (closes(line, fence)) fence = null;
      continue;
    }
    const start = areFencesSure ? fenceStart.exec(line)?.[1] : undefined;
    if (start !== undefined) {
      fence = start;
      marks = columns = 0;
      continue;
    }
    if (otherBlock.test(line)) areFencesSure = false;
    const containers = containersOf(line);
    // Of a list in lists the first of them stand above, in lines less indented.
    const indentation = line.length - line.trimStart().length;
    if (containers.length > 0 && containers.length + indentation / 2 > maxDepth) return true;
    if (blank.test(line)) {
      marks = columns = 0;
      above = "";
      continue;
    }
    const [, indent, number] = item.exec(line) ?? [];
    // Further in, it would go on with the paragraph above; so would another number than the first.
    const isItem =
      indent !== undefined &&
      indent.length <= (itemIndent === null ? 3 : itemIndent + 5) &&
      (number === undefined || Number(number) === 1 || itemIndent !== null);
    if (isItem) [itemIndent, marks] = [indent.length, 0];
    if (startsBlock.test(line)) columns = 0;
    if (columns > 0) cells += columns;
    else if (line.includes("|") && delimiterRow.test(line)) {
      const count = pipesOf(line);
      if (count === pipesOf(above)) columns = count + 1;
    }
    // Each row of a table is parsed by itself.
    if (columns > 0) marks = 0;
    marks += (line.match(mark)?.length ?? 0) + 1;
    if (marks > maxMarks || cells > maxCells) return true;
    if (line.length > maxWord && longWord.test(line)) return true;
    if (containers.length > 1 || containers[0] === ">") nested += 1;
    if (nested > maxNested) return true;
    above = line;
  }
  return false;
}

function closes(line: string, fence: string): boolean {
  const end = line.trim();
  return (
    end.startsWith(fence) && end.replaceAll(fence.charAt(0), "") === "" && /^ {0,3}\S/.test(line)
  );
}

function pipesOf(row: string): number {
  const inner = row
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.match(/(?<!\\)\|/g)?.length ?? 0;
}

/** The marks of the quotes and items of lists that a line may open or go on with. */
function containersOf(line: string): readonly string[] {
  const [prefix = ""] = /^(?:[\s>]|[-*+](?=\s)|\d{1,9}[.)](?=\s))*/.exec(line) ?? [];
  return prefix.match(/>|[-*+]|\d+/g) ?? [];
}
