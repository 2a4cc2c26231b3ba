import type { Container } from "./tokens.ts";

/** Where the first thing on a line stands. `base`: the column its containers' content begins at. */
export interface Cursor {
  readonly offset: number;
  readonly column: number;
  readonly base: number;
}

/** How many of the containers a line goes on with. */
export function enter(line: string, containers: readonly Container[]) {
  let cursor = skipBlanks(line, { offset: 0, column: 0, base: 0 });
  let matched = 0;
  for (const { indent } of containers) {
    const width = cursor.column - cursor.base;
    if (indent === null) {
      if (width > 3 || line[cursor.offset] !== ">") break;
      cursor = afterQuote(line, cursor);
    } else if (cursor.offset === line.length) {
      cursor = { ...cursor, base: cursor.column };
    } else {
      if (width < indent) break;
      cursor = { ...cursor, base: cursor.base + indent };
    }
    matched++;
  }
  return { cursor, matched };
}

/** The containers that begin on a line, and the numbers of its list items, which are read out. */
export function begin(line: string, start: Cursor, interrupts: boolean) {
  const containers: Container[] = [];
  let numbers = "";
  let cursor = start;
  while (cursor.offset < line.length && cursor.column - cursor.base <= 3) {
    if (line[cursor.offset] === ">") {
      cursor = afterQuote(line, cursor);
      containers.push({ indent: null });
      continue;
    }
    const rest = line.slice(cursor.offset);
    if (isRule(rest)) break;
    const marker = /^(?:[-+*]|(\d{1,9})[.)])(?=[ \t\r]|$)/.exec(rest);
    if (!marker) break;
    const width = marker[0].length;
    const after = skipBlanks(line, {
      ...cursor,
      offset: cursor.offset + width,
      column: cursor.column + width,
    });
    const empty = after.offset === line.length;
    if (interrupts && containers.length === 0) {
      if (empty || (marker[1] !== undefined && Number(marker[1]) !== 1)) break;
    }
    const gap = after.column - cursor.column - width;
    const indent = cursor.column - cursor.base + width + (empty || gap > 4 ? 1 : gap);
    containers.push({ indent });
    if (marker[1] !== undefined) numbers += `${marker[0]} `;
    cursor = { ...after, base: cursor.base + indent };
  }
  return { cursor, containers, numbers };
}

function afterQuote(line: string, { offset, column }: Cursor): Cursor {
  const gap = line[offset + 1] === " " || line[offset + 1] === "\t" ? 1 : 0;
  return skipBlanks(line, { offset: offset + 1, column: column + 1, base: column + 1 + gap });
}

function skipBlanks(line: string, { offset, column, base }: Cursor): Cursor {
  let [at, to] = [offset, column];
  for (; line[at] === " " || line[at] === "\t" || line[at] === "\r"; at++) {
    to += line[at] === "\t" ? 4 - (to % 4) : 1;
  }
  return { offset: at, column: to, base };
}

export function isRule(rest: string): boolean {
  return /^([-*_])[ \t]*(?:\1[ \t]*){2,}\r?$/.test(rest);
}
