import { expect, test } from "vitest";
import { createMemoryCache } from "../cache/memory.ts";
import type { FoundSession } from "../sessions/session-store.ts";
import { createKeptPages } from "./kept-pages.ts";
import type { HistoryPage, StoredMessage } from "./message-store.ts";

const unset = [
  "context",
  "outputFormat",
  "reasoning",
  "media",
  "extras",
  "audio",
  "attachments",
].concat(["unspoken", "requirements", "answers", "feedback", "error"]);

function createStage(ttlMs: number) {
  const reads: string[] = [];
  let status: StoredMessage["status"] = "complete";
  const message = () =>
    ({
      messageId: "m",
      content: "said",
      status,
      createdAt: new Date(0),
      ...Object.fromEntries(unset.map((name) => [name, null])),
    }) as StoredMessage;
  const pages = createKeptPages({
    messages: {
      async history(session): Promise<HistoryPage> {
        reads.push((session as FoundSession).version);
        return { messages: [message()], hasMore: true, last: 1 };
      },
    },
    cache: createMemoryCache({}),
    ttlMs,
  });
  const read = (version: string, limit = 1) =>
    pages.read({ sessionId: "s", version } as FoundSession, [], { kind: "after", seq: 0 }, limit);
  return { read, reads, setStatus: (next: typeof status) => (status = next) };
}

test("a page is read once for each version, path, place and length", async () => {
  const { read, reads } = createStage(1_000);
  const first = await read("1");
  expect(await read("1")).toEqual(first);
  expect(JSON.parse(first.messages)).toMatchObject([{ message_id: "m", content: "said" }]);
  expect(reads).toEqual(["1"]);
  await read("2");
  await read("1", 2);
  expect(reads).toEqual(["1", "2", "1"]);
});

test.each(["queued", "streaming", "paused"] as const)(
  "a page with a message that is %s is read each time",
  async (status) => {
    const { read, reads, setStatus } = createStage(1_000);
    setStatus(status);
    await read("1");
    setStatus("complete");
    await read("1");
    await read("1");
    expect(reads).toEqual(["1", "1"]);
  },
);

test("nothing is kept for no time", async () => {
  const { read, reads } = createStage(0);
  await read("1");
  await read("1");
  expect(reads).toEqual(["1", "1"]);
});
