/** Numbers of messages that follow one another without a gap, both ends included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** In ascending order, without overlap, none of them empty. */
export type Ranges = readonly Range[];

export function count(ranges: Ranges): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

export function holds(ranges: Ranges, seq: number): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle] as Range).last < seq) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low];
  return range !== undefined && range.first <= seq;
}

/** What lies from `first` to `last`. */
export function clip(ranges: Ranges, first: number, last: number): Ranges {
  return ranges
    .filter((range) => range.last >= first && range.first <= last)
    .map((range) => ({
      first: Math.max(range.first, first),
      last: Math.min(range.last, last),
    }));
}

/** Without the `many` oldest. */
export function skip(ranges: Ranges, many: number): Ranges {
  let left = many;
  for (const { first, last } of ranges) {
    if (last - first >= left) return clip(ranges, first + left, Infinity);
    left -= last - first + 1;
  }
  return [];
}

/** The `many` oldest. */
export function oldest(ranges: Ranges, many: number): Ranges {
  const rest = skip(ranges, many)[0];
  return rest === undefined ? ranges : clip(ranges, 0, rest.first - 1);
}

/** The `many` newest. */
export function newest(ranges: Ranges, many: number): Ranges {
  return skip(ranges, Math.max(0, count(ranges) - many));
}

/** Neighbours without a gap in between become one. */
export function joined(ranges: Ranges): Ranges {
  const result: Range[] = [];
  for (const range of ranges) {
    const before = result.at(-1);
    if (before !== undefined && before.last + 1 === range.first) {
      result[result.length - 1] = { first: before.first, last: range.last };
    } else {
      result.push(range);
    }
  }
  return result;
}
