import { expect, test } from "vitest";
import { RedisRefused, type RedisArgument, type RedisClient } from "../../redis/redis-client.ts";
import { createStreamReader } from "./stream-reader.ts";

/** A reader whose Redis gives these answers, and what it was asked. */
function stage(...answers: unknown[][]) {
  const asked: string[] = [];
  const client: Partial<RedisClient> = {
    async sendAll(commands: RedisArgument[][]) {
      asked.push(
        commands
          .map(([name, , from, to]) =>
            [name, from, to].filter((each) => each !== undefined).join(" "),
          )
          .join(", "),
      );
      return answers.shift() ?? [];
    },
  };
  return { reader: createStreamReader(client as RedisClient, (replyId) => replyId), asked };
}

const entries = (...ids: string[]) => ids.map((id) => [id, ["assistant_chunk", `"${id}"`]]);
const ends = (first: string, last: string) => [entries(first), entries(last)];
const ids = ({ events }: { readonly events: readonly { readonly json: string }[] }) =>
  events.map(({ json }) => JSON.parse(json) as string);

test("each number is read once, of the attempt that was first, up to the first that is missing", async () => {
  const { reader } = stage(ends("1-1", "2-6"), [
    entries("1-1", "1-2"),
    entries("2-2", "2-3", "2-5", "2-6"),
  ]);
  expect(ids(await reader.read("reply", 0, 10, 1_000))).toEqual(["1-1", "1-2", "2-3"]);
});

test("whoever goes on reading asks once; a stream that is gone is told from one that is not longer", async () => {
  const { reader, asked } = stage(
    ends("1-1", "1-2"),
    [entries("1-1", "1-2")],
    [entries("1-3"), 1],
    [[], 1],
    [[], 0],
  );
  await reader.read("reply", 0, 10, 1_000);
  expect(ids(await reader.read("reply", 2, 10, 1_000))).toEqual(["1-3"]);
  expect(await reader.read("reply", 3, 10, 1_000)).toEqual({ events: [], first: 3 });
  expect(await reader.read("reply", 3, 10, 1_000)).toEqual({ events: [], first: null });
  expect(asked).toEqual([
    "XRANGE - +, XREVRANGE + -",
    "XRANGE 1-1 1",
    "XRANGE 1-3 +, EXISTS",
    "XRANGE 1-4 +, EXISTS",
    "XRANGE 1-4 +, EXISTS",
  ]);
});

test("whoever reads from further back does not take the place of who is at the end", async () => {
  const { reader, asked } = stage(
    ends("1-1", "1-3"),
    [entries("1-1", "1-2", "1-3")],
    ends("1-1", "1-3"),
    [entries("1-1")],
    [entries("1-4"), 1],
  );
  await reader.read("reply", 0, 10, 1_000);
  await reader.read("reply", 0, 1, 1_000);
  expect(ids(await reader.read("reply", 3, 10, 1_000))).toEqual(["1-4"]);
  expect(asked.at(-1)).toBe("XRANGE 1-4 +, EXISTS");
});

test("who waits at the end of what others have written has a place there too", async () => {
  const { reader, asked } = stage(ends("1-1", "2-3"), [entries("2-4"), 1]);
  expect(await reader.read("reply", 3, 10, 1_000)).toEqual({ events: [], first: 1 });
  expect(ids(await reader.read("reply", 3, 10, 1_000))).toEqual(["2-4"]);
  expect(asked.at(-1)).toBe("XRANGE 2-4 +, EXISTS");
});

test("an answer that is a fault is no answer", async () => {
  const refused = new RedisRefused("NOPERM");
  const { reader } = stage([refused, []], [refused, []]);
  await expect(reader.read("reply", 0, 10, 1_000)).rejects.toBe(refused);
  await expect(reader.stat("reply")).rejects.toBe(refused);
});
