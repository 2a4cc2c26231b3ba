import fc from "fast-check";
import { expect, test } from "vitest";
import { arrange } from "./arrange.ts";
import type { SourceMessage } from "./conversation.ts";

function message(id: number, parent: number | null): SourceMessage {
  return {
    id: `m${id}`,
    parentId: parent === null ? null : `m${parent}`,
    role: "user",
    status: "complete",
    content: "",
    createdAt: new Date(id),
    metadata: {},
    reasoning: null,
    files: [],
  };
}

test("whatever the order and the branches: each stands behind its parent, and all are there", () => {
  const parents = fc.array(fc.nat(), { maxLength: 60 });
  fc.assert(
    fc.property(parents, fc.infiniteStream(fc.nat()), (given, chance) => {
      const tree = given.map((at, id) => message(id, id === 0 || at % 7 === 0 ? null : at % id));
      const shuffled = tree
        .map((each) => ({ each, at: chance.next().value as number }))
        .sort((a, b) => a.at - b.at)
        .map(({ each }) => each);
      const arranged = arrange(shuffled);
      expect(new Set(arranged.messages)).toEqual(new Set(tree));
      for (const [index, { parentId }] of arranged.messages.entries()) {
        const place = arranged.parents[index] ?? 0;
        expect(place).toBeLessThanOrEqual(index);
        expect(place === 0 ? null : arranged.messages[place - 1]?.id).toBe(parentId);
      }
    }),
  );
});

test("100,000 messages behind one another, the last one first", () => {
  const chain = Array.from({ length: 100_000 }, (_, id) => message(id, id === 0 ? null : id - 1));
  const { messages, parents } = arrange(chain.reverse());
  expect(messages[99_999]?.id).toBe("m99999");
  expect(parents[99_999]).toBe(99_999);
});

test("too many branches are refused: every look at a conversation would read them", () => {
  const star = Array.from({ length: 6_000 }, (_, id) => message(id, id === 0 ? null : 0));
  expect(() => arrange(star)).toThrow(/5000 branches/);
});
