import { count, holds, joined, type Range, type Ranges } from "./ranges.ts";

/**
 * A conversation as a tree. Messages have numbers in the order in which they were accepted, from 1; each is the child of
 * the one numbered before it, unless a segment begins with it: then it is a child of that segment's `parent`. So what
 * goes on where it left off needs nothing stored, a conversation without branches is one segment, and a path of
 * thousands of messages is a few ranges of numbers.
 */
export interface Tree {
  /** Ascending. The last one is open: whatever comes next belongs to it; only that one may be empty. */
  readonly segments: readonly Segment[];
  /** The newest number ever given. */
  readonly lastSeq: number;
  /** Threads begun so far; the session's own, 0, not counted. */
  readonly threads: number;
}

export interface Segment extends Range {
  /** 0: it begins a conversation of its own. */
  readonly parent: number;
  /**
   * Those with the same number make one line from the root, in which nothing was taken away or said otherwise: what an
   * agent that remembers by itself may remember together.
   */
  readonly thread: number;
}

/** As a session's row has it; `tree` is null while each message follows the one before it. */
export interface TreeRow {
  readonly lastSeq: number;
  readonly tree: StoredTree | null;
}

export interface StoredTree {
  /** [first, parent, last, thread]; the last of the open one is null. */
  readonly segments: readonly (readonly [number, number, number | null, number])[];
  readonly threads: number;
  /** Messages that were deleted. */
  readonly removed: number;
}

export function readTree({ lastSeq, tree }: TreeRow): Tree {
  if (tree === null) {
    return { segments: [{ first: 1, parent: 0, last: lastSeq, thread: 0 }], lastSeq, threads: 0 };
  }
  const segments = tree.segments.map(([first, parent, last, thread]) => ({
    first,
    parent,
    last: last ?? lastSeq,
    thread,
  }));
  return { segments, lastSeq, threads: tree.threads };
}

export function storeTree(tree: Tree): StoredTree | null {
  const { segments, lastSeq, threads } = tree;
  const [only] = segments;
  if (segments.length === 1 && only?.first === 1 && only.thread === 0) return null;
  return {
    segments: segments.map(({ first, parent, last, thread }, index) => [
      first,
      parent,
      index === segments.length - 1 ? null : last,
      thread,
    ]),
    threads,
    removed: lastSeq - count(everything(tree)),
  };
}

/** The last message of the active path; 0 when there is none. What comes next hangs below it unless it says otherwise. */
export function headOf({ segments, lastSeq }: Tree): number {
  const open = segments.at(-1) as Segment;
  return isEmpty(open) ? open.parent : lastSeq;
}

/** 0: it has none. The message must be there. */
export function parentOf(tree: Tree, seq: number): number {
  const segment = segmentOf(tree.segments, seq);
  return segment === undefined || segment.first === seq ? (segment?.parent ?? 0) : seq - 1;
}

/** In their order; of 0 those that begin a conversation. */
export function childrenOf({ segments }: Tree, seq: number): readonly number[] {
  const segment = segmentOf(segments, seq);
  const next = segment !== undefined && segment.last > seq ? [seq + 1] : [];
  const branches = segments.filter((each) => each.parent === seq && !isEmpty(each));
  return [...next, ...branches.map(({ first }) => first)];
}

/** From the root to this message; of 0 nothing. */
export function pathTo({ segments }: Tree, seq: number): Ranges {
  const path: Range[] = [];
  for (let last = seq; last > 0;) {
    const segment = segmentOf(segments, last);
    if (segment === undefined) break;
    path.push({ first: segment.first, last });
    last = segment.parent;
  }
  return joined(path.reverse());
}

/** All messages, in the order in which they were accepted. */
export function everything({ segments }: Tree): Ranges {
  return joined(segments.filter((segment) => !isEmpty(segment)));
}

/** A message and all that hangs below it; of 0 everything. */
export function subtreeOf({ segments }: Tree, seq: number): Ranges {
  const found: Range[] = [];
  for (const { first, last, parent } of segments) {
    if (first <= seq && seq <= last) found.push({ first: seq, last });
    else if (first <= last && (seq === 0 || holds(found, parent))) found.push({ first, last });
  }
  return joined(found);
}

/** The leaf that was added last below a message (itself where nothing is); of 0 of all. 0: there is none. */
export function newestBelow(tree: Tree, seq: number): number {
  return subtreeOf(tree, seq).at(-1)?.last ?? 0;
}

/** The line that a message belongs to, as far as agents' own memory goes. */
export function threadOf({ segments }: Tree, seq: number): number {
  return segmentOf(segments, seq)?.thread ?? 0;
}

export function threadsOf({ segments }: Tree): readonly number[] {
  return [...new Set(segments.map(({ thread }) => thread))];
}

/** With `many` messages more, the first of them below `parent`, each other below the one before it. */
export function withMessages(tree: Tree, parent: number, many: number): Tree {
  const { segments, lastSeq, threads } = withHead(tree, parent);
  const open = segments.at(-1) as Segment;
  const last = lastSeq + many;
  return { segments: [...segments.slice(0, -1), { ...open, last }], lastSeq: last, threads };
}

/**
 * With `many` messages more at the head that no agent knows of. They begin a line of their own: what agents remember by
 * themselves does not hold them, and what is said next is said with all that stands before it.
 */
export function withUntold(tree: Tree, many: number): Tree {
  const { lastSeq, threads } = tree;
  const segments = tree.segments.filter((segment) => !isEmpty(segment));
  const [first, last, thread] = [lastSeq + 1, lastSeq + many, threads + 1];
  const added = { first, parent: headOf(tree), last, thread };
  return { segments: [...segments, added], lastSeq: last, threads: thread };
}

/** What comes next hangs below this message; below 0: begins a conversation. */
export function withHead(tree: Tree, seq: number): Tree {
  if (headOf(tree) === seq) return tree;
  const { lastSeq } = tree;
  const segments = tree.segments.filter((segment) => !isEmpty(segment));
  if (seq === lastSeq && segments.at(-1)?.last === lastSeq) return { ...tree, segments };
  const inherited = inheritedThread(segments, seq);
  const thread = inherited ?? tree.threads + 1;
  const threads = Math.max(tree.threads, thread);
  const open = { first: lastSeq + 1, parent: seq, last: lastSeq, thread };
  return { segments: [...segments, open], lastSeq, threads };
}

/**
 * Without a message and all that hangs below it. The head moves only if it was among them: to the newest leaf that is
 * left beside or above. `isKnown`: agents may have seen something of it; what they remember of that line is then to be
 * forgotten, and what is left of the line begins a new one.
 */
export function without(tree: Tree, seq: number, isKnown: boolean): Tree {
  const gone = subtreeOf(tree, seq);
  const parent = parentOf(tree, seq);
  const before = headOf(tree);
  const lost = isKnown ? threadOf(tree, seq) : null;
  const threads = isKnown ? tree.threads + 1 : tree.threads;
  const segments = tree.segments
    .map((segment) => ({
      ...segment,
      last: segment.first < seq && seq <= segment.last ? seq - 1 : segment.last,
      thread: segment.thread === lost ? threads : segment.thread,
    }))
    .filter((segment) => !isEmpty(segment) && !holds(gone, segment.first));
  const left = { segments, lastSeq: tree.lastSeq, threads };
  const head = holds(gone, before) ? newestBelow(left, parent) : before;
  return withHead({ ...left, segments: [...segments, closed(left)] }, head);
}

/**
 * Without messages that follow one another and of which no agent knows: what hangs below them hangs below the one before
 * them then. The head moves as when they are deleted.
 */
export function withdrawn(tree: Tree, first: number, last: number): Tree {
  const parent = parentOf(tree, first);
  const isGone = (seq: number) => first <= seq && seq <= last;
  const before = headOf(tree);
  const segments = tree.segments
    .map((segment) => (isGone(segment.parent) ? { ...segment, parent } : segment))
    .flatMap((segment) =>
      segment.last < first || last < segment.first
        ? [segment]
        : [
            { ...segment, last: first - 1 },
            { ...segment, first: last + 1, parent },
          ],
    )
    .filter((segment) => !isEmpty(segment));
  const left = { ...tree, segments };
  const head = isGone(before) ? newestBelow(left, parent) : before;
  return withHead({ ...left, segments: [...segments, closed(left)] }, head);
}

/**
 * A reply moves behind messages that were said after it: from the first of `freed`, to the number `to`. They hang below
 * what it was below then, one below the other; `freed` besides are replies that were to be made between them. What hangs
 * below any of these hangs below it. Null where something of that was said before `to`: parents come before children.
 */
export function movedBehind(
  tree: Tree,
  freed: readonly number[],
  questions: readonly number[],
  to: number,
): Tree | null {
  const others = freed.flatMap((seq) =>
    childrenOf(tree, seq).filter((child) => !questions.includes(child)),
  );
  if (others.some((child) => child < to)) return null;
  const segments = tree.segments.map((segment) =>
    others.includes(segment.first) && !isEmpty(segment) ? { ...segment, parent: to } : segment,
  );
  return freed.reduce<Tree>((left, seq) => withdrawn(left, seq, seq), { ...tree, segments });
}

/** A place for the head that no message is at. */
function closed({ lastSeq }: Tree): Segment {
  return { first: lastSeq + 1, parent: -1, last: lastSeq, thread: 0 };
}

/** What goes on at the end of a line belongs to it, unless something else does already. */
function inheritedThread(segments: readonly Segment[], parent: number): number | null {
  const segment = segmentOf(segments, parent);
  if (segment?.last !== parent) return null;
  const { thread } = segment;
  return segments.some((each) => each.parent === parent && each.thread === thread) ? null : thread;
}

function segmentOf(segments: readonly Segment[], seq: number): Segment | undefined {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((segments[middle] as Segment).last < seq) low = middle + 1;
    else high = middle;
  }
  const found = segments[low];
  return found !== undefined && found.first <= seq && seq <= found.last ? found : undefined;
}

function isEmpty({ first, last }: Range): boolean {
  return last < first;
}
