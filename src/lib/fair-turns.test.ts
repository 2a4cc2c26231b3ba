import { expect, test } from "vitest";
import { FairTurns } from "./fair-turns.ts";

const nextTurn = () => new Promise((resolve) => void setImmediate(resolve));

function stage(atOnce: number) {
  const turns = new FairTurns(atOnce);
  const begun: string[] = [];
  return {
    begun,
    begin(owner: string) {
      turns.take(owner, () => begun.push(owner));
    },
  };
}

test("so many begin at once, and as many in each turn; a crowd costs others no more than one piece of its work", async () => {
  const { begun, begin } = stage(2);
  for (let times = 0; times < 6; times++) begin("crowd");
  begin("alice");
  begin("bob");
  begin("alice");
  expect(begun).toEqual(["crowd", "crowd"]);
  await nextTurn();
  expect(begun.slice(2)).toEqual(["crowd", "alice"]);
  await nextTurn();
  expect(begun.slice(4)).toEqual(["bob", "crowd"]);
  await nextTurn();
  expect(begun.slice(6)).toEqual(["alice", "crowd"]);
  await nextTurn();
  expect(begun.slice(8)).toEqual(["crowd"]);
});

test("one owner alone gets all of every turn", async () => {
  const { begun, begin } = stage(3);
  for (let times = 0; times < 8; times++) begin("alice");
  expect(begun).toHaveLength(3);
  await nextTurn();
  expect(begun).toHaveLength(6);
  await nextTurn();
  expect(begun).toHaveLength(8);
  await nextTurn();
  begin("alice");
  expect(begun).toHaveLength(9);
});

test("whoever comes while others wait does not pass them", async () => {
  const { begun, begin } = stage(1);
  begin("alice");
  begin("bob");
  await nextTurn();
  begin("carol");
  begin("bob");
  await nextTurn();
  await nextTurn();
  expect(begun).toEqual(["alice", "bob", "carol", "bob"]);
});
