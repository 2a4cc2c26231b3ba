import { expect, test } from "vitest";
import { gather } from "./gather.ts";

/** Asks about keys that are in `there`, and says what it was asked. */
function stage(there: Record<string, string>) {
  const asked: (readonly string[])[] = [];
  const find = gather(async (keys) => {
    asked.push(keys);
    if (keys.includes("bad")) throw new Error("away");
    return new Map(keys.flatMap((key) => (key in there ? [[key, there[key]!] as const] : [])));
  });
  return { asked, find };
}

test("what is asked in one turn of the loop is one question, about each once", async () => {
  const { asked, find } = stage({ a: "1", b: "2" });
  expect(await Promise.all(["a", "b", "a", "c"].map(find))).toEqual(["1", "2", "1", null]);
  expect(asked).toEqual([["a", "b", "c"]]);
});

test("whoever asks while a question is under way is answered by another one", async () => {
  const there: Record<string, string> = { a: "1" };
  const { asked, find } = stage(there);
  const first = find("a");
  await new Promise(setImmediate);
  there["a"] = "2";
  expect([await first, await find("a")]).toEqual(["1", "2"]);
  expect(asked).toHaveLength(2);
});

test("of many no question asks about more than twenty, and a fault is theirs alone who asked with it", async () => {
  const { asked, find } = stage({ k20: "x" });
  const keys = ["bad", ...Array.from({ length: 40 }, (_, index) => `k${index}`)];
  const results = await Promise.allSettled(keys.map(find));
  expect(asked.map(({ length }) => length)).toEqual([20, 20, 1]);
  expect(results.filter(({ status }) => status === "rejected")).toHaveLength(20);
  expect(results[21]).toEqual({ status: "fulfilled", value: "x" });
});
