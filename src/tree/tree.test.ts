import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clip, count, holds, newest, oldest, skip, type Ranges } from "./ranges.ts";
import {
  childrenOf,
  everything,
  headOf,
  newestBelow,
  parentOf,
  pathTo,
  readTree,
  storeTree,
  subtreeOf,
  threadOf,
  withHead,
  withMessages,
  withdrawn,
  without,
  type Tree,
} from "./tree.ts";

const numbers = (ranges: Ranges): number[] =>
  ranges.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, at) => first + at),
  );

type Deed =
  | { readonly do: "add"; readonly at: number; readonly many: number }
  | { readonly do: "go on"; readonly many: number }
  | { readonly do: "show"; readonly at: number }
  | { readonly do: "remove"; readonly at: number; readonly isKnown: boolean };

const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({
    do: fc.constant("add" as const),
    at: fc.nat(),
    many: fc.constantFrom(1, 2),
  }),
  fc.record({ do: fc.constant("go on" as const), many: fc.constantFrom(1, 2) }),
  fc.record({ do: fc.constant("show" as const), at: fc.nat() }),
  fc.record({ do: fc.constant("remove" as const), at: fc.nat(), isKnown: fc.boolean() }),
);

/** The same with a parent for each message, and what each line has come to know of. */
function createModel() {
  const parents = new Map<number, number>();
  let head = 0;
  let last = 0;
  const children = (seq: number) =>
    [...parents].filter(([, parent]) => parent === seq).map(([child]) => child);
  const below = (seq: number): number[] => [
    ...(seq === 0 ? [] : [seq]),
    ...children(seq).flatMap(below),
  ];
  const path = (seq: number): number[] => (seq === 0 ? [] : [...path(parents.get(seq) ?? 0), seq]);
  return {
    parents,
    children,
    below: (seq: number) => below(seq).sort((a, b) => a - b),
    path,
    head: () => head,
    add(parent: number, many: number) {
      let at = parent;
      for (let index = 0; index < many; index += 1) {
        last += 1;
        parents.set(last, at);
        at = last;
      }
      head = at;
    },
    show(seq: number) {
      head = Math.max(...below(seq));
    },
    remove(seq: number) {
      const parent = parents.get(seq) ?? 0;
      const gone = below(seq);
      for (const each of gone) parents.delete(each);
      if (gone.includes(head)) head = Math.max(0, ...below(parent));
    },
  };
}

const empty = readTree({ lastSeq: 0, tree: null });

test("whatever is done to a tree: parents, paths, children, head and what is left are those of the messages", () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
      const model = createModel();
      let tree: Tree = empty;
      /** What each line of an agent's memory was told, in order. */
      const known = new Map<number, number[]>();
      const learn = () => {
        const seq = headOf(tree);
        const thread = threadOf(tree, seq);
        const memory = known.get(thread) ?? [];
        const path = model.path(seq);
        // It remembers the beginning of this path, and nothing else.
        expect(path.slice(0, memory.length)).toEqual(memory);
        known.set(thread, path);
      };
      for (const each of deeds) {
        const all = [...model.parents.keys()];
        const pick = (at: number) => all[at % all.length] ?? 0;
        if (each.do === "add") {
          const parent = at0(each.at, all);
          model.add(parent, each.many);
          tree = withMessages(tree, parent, each.many);
          learn();
        } else if (each.do === "go on") {
          model.add(model.head(), each.many);
          // As a node does that knows of no branches: it takes numbers, and that is all.
          tree = readTree({ lastSeq: tree.lastSeq + each.many, tree: storeTree(tree) });
          learn();
        } else if (each.do === "show" && all.length > 0) {
          model.show(pick(each.at));
          tree = withHead(tree, newestBelow(tree, pick(each.at)));
        } else if (each.do === "remove" && all.length > 0) {
          const seq = pick(each.at);
          const thread = threadOf(tree, seq);
          model.remove(seq);
          tree = without(tree, seq, true);
          known.delete(thread);
          for (const [line, memory] of known) {
            if (memory.some((one) => !model.parents.has(one))) known.delete(line);
          }
        }
        tree = readTree({ lastSeq: tree.lastSeq, tree: storeTree(tree) });
        expect(headOf(tree)).toBe(model.head());
        expect(numbers(everything(tree))).toEqual([...model.parents.keys()].sort((a, b) => a - b));
        expect(numbers(pathTo(tree, headOf(tree)))).toEqual(model.path(model.head()));
        for (const [seq, parent] of model.parents) {
          expect(parentOf(tree, seq)).toBe(parent);
          expect(childrenOf(tree, seq)).toEqual(model.children(seq));
          expect(numbers(subtreeOf(tree, seq))).toEqual(model.below(seq));
        }
        expect(childrenOf(tree, 0)).toEqual(model.children(0));
      }
    }),
    { numRuns: 300 },
  );
});

/** One of them, or nothing. */
function at0(at: number, all: readonly number[]): number {
  return [0, ...all][at % (all.length + 1)] ?? 0;
}

test("a conversation without branches stores nothing, also when its head went away and came back", () => {
  const long = readTree({ lastSeq: 10_000, tree: null });
  expect(storeTree(long)).toBeNull();
  expect(pathTo(long, 10_000)).toEqual([{ first: 1, last: 10_000 }]);
  const away = withHead(long, 4);
  expect(storeTree(away)).not.toBeNull();
  expect(storeTree(withHead(away, 10_000))).toBeNull();
});

test("what is deleted is counted, and its numbers are not given again", () => {
  const tree = without(readTree({ lastSeq: 10, tree: null }), 5, true);
  expect(storeTree(tree)).toEqual({
    segments: [
      [1, 0, 4, 1],
      [11, 4, null, 1],
    ],
    threads: 1,
    removed: 6,
  });
  const none = without(tree, 1, false);
  expect(storeTree(none)).toEqual({ segments: [[11, 0, null, 2]], threads: 2, removed: 10 });
  expect(headOf(none)).toBe(0);
});

describe("lines that agents may remember", () => {
  const trunk = readTree({ lastSeq: 6, tree: null });

  test("a branch is a line of its own", () => {
    const edited = withMessages(trunk, 2, 2);
    expect(threadOf(edited, 8)).toBe(1);
    expect(threadOf(edited, 6)).toBe(0);
  });

  test("who comes back to the end of a line goes on with it; who comes second does not", () => {
    const edited = withMessages(trunk, 2, 2);
    const back = withMessages(edited, 6, 2);
    expect(threadOf(back, 10)).toBe(0);
    expect(threadOf(withMessages(back, 6, 2), 12)).toBe(2);
  });

  test("a line of which something known was taken away goes on as a new one", () => {
    expect(threadOf(without(trunk, 5, true), 4)).toBe(1);
    expect(threadOf(without(trunk, 5, false), 4)).toBe(0);
  });
});

test("ranges are counted, cut and looked into as the numbers that they stand for", () => {
  const ranges = fc
    .uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 40 })
    .map((list) => list.sort((a, b) => a - b))
    .map((list) => ({
      list,
      ranges: list.reduce<{ first: number; last: number }[]>((found, seq) => {
        const before = found.at(-1);
        if (before?.last === seq - 1) before.last = seq;
        else found.push({ first: seq, last: seq });
        return found;
      }, []),
    }));
  fc.assert(
    fc.property(ranges, fc.nat({ max: 60 }), fc.nat({ max: 60 }), ({ list, ranges }, one, two) => {
      expect(count(ranges)).toBe(list.length);
      expect(holds(ranges, one)).toBe(list.includes(one));
      expect(numbers(clip(ranges, one, two))).toEqual(list.filter((n) => n >= one && n <= two));
      expect(numbers(skip(ranges, one))).toEqual(list.slice(one));
      expect(numbers(oldest(ranges, one))).toEqual(list.slice(0, one));
      expect(numbers(newest(ranges, one))).toEqual(one === 0 ? [] : list.slice(-one));
    }),
  );
});

test("a pair that is withdrawn is gone, what hangs below it hangs below the one before it, and the head stays where it can", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(), { minLength: 1, maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      (places, choices) => {
        let tree: Tree = empty;
        /** The parents of the first messages of pairs. */
        const pairs = new Map<number, number>();
        const replies = () => [0, ...[...pairs.keys()].map((first) => first + 1)];
        for (const at of places) {
          const parent = replies()[at % replies().length] ?? 0;
          tree = withMessages(tree, parent, 2);
          pairs.set(tree.lastSeq - 1, parent);
        }
        for (const choice of choices) {
          const first = [...pairs.keys()][choice % Math.max(1, pairs.size)];
          if (first === undefined) continue;
          const head = headOf(tree);
          const parent = pairs.get(first) ?? 0;
          pairs.delete(first);
          for (const [each, above] of pairs) if (above === first + 1) pairs.set(each, parent);
          tree = withdrawn(tree, first, first + 1);
          if (head !== first + 1) expect(headOf(tree)).toBe(head);
          // What is stored says the same.
          tree = readTree({ lastSeq: tree.lastSeq, tree: storeTree(tree) });
          expect(numbers(everything(tree))).toEqual(
            [...pairs.keys()].flatMap((each) => [each, each + 1]).sort((a, b) => a - b),
          );
          for (const [each, above] of pairs) {
            expect(parentOf(tree, each)).toBe(above);
            expect(parentOf(tree, each + 1)).toBe(each);
          }
          expect([0, ...replies()]).toContain(headOf(tree));
        }
      },
    ),
  );
});
