import { expect, test } from "vitest";
import type { LoggedEvent } from "../log/reply-log.ts";
import type { ReplyEventType } from "../reply-event.ts";
import { openSent } from "./follow-sent.ts";
import { eachPage, type NextPage } from "./pages.ts";

const event = (seq: number, type: ReplyEventType, fields: object = {}): LoggedEvent => ({
  seq,
  type,
  json: JSON.stringify(fields),
});
const takenIn = event(2, "cancelled", { reason: "taken_in" });

/** Each time a reply is read: whose events, after which number, and what comes. */
type Script = readonly (readonly [
  replyId: string,
  after: number,
  pages: readonly NextPage<LoggedEvent>[],
])[];

async function seen(script: Script, waiting: string | undefined, isThere: boolean[] = []) {
  const scenes = script.values();
  let isOpen = 0;
  const open = openSent(
    {
      isThere: () => Promise.resolve(isThere.shift() ?? false),
      open: (replyId, after) => () => {
        const [id, from, pages] = scenes.next().value ?? [];
        expect([replyId, after]).toEqual([id, from]);
        const rest = [...(pages ?? [])];
        isOpen += 1;
        return {
          // Half of them at once.
          next: () => {
            const page = rest.shift() ?? "over";
            return rest.length % 2 === 0 ? page : Promise.resolve(page);
          },
          close: () => (isOpen -= 1),
        };
      },
    },
    { replyId: "running", ...(waiting !== undefined && { waiting }) },
    7,
  );
  const events: string[] = [];
  for await (const page of eachPage(open, new AbortController().signal)) {
    events.push(...(page ?? []).map(({ seq, type }) => `${seq} ${type}`));
  }
  expect(isOpen).toBe(0);
  expect(scenes.next().done).toBe(true);
  return events;
}

test("a message that has its own reply is answered by that, and nobody else is asked", async () => {
  const pages = [[event(8, "assistant_chunk")], [event(9, "conversation_complete")]];
  expect(await seen([["running", 7, pages]], undefined)).toEqual([
    "8 assistant_chunk",
    "9 conversation_complete",
  ]);
});

test("one that the running reply has taken in is answered by that, which goes on behind a pause", async () => {
  expect(
    await seen(
      [
        ["running", 7, [[event(8, "assistant_chunk")], [event(9, "paused")]]],
        ["own", 0, [[takenIn]]],
        ["running", 9, [[event(10, "conversation_complete")]]],
      ],
      "own",
      [true, false],
    ),
  ).toEqual(["8 assistant_chunk", "9 paused", "10 conversation_complete"]);
});

test("one that the running reply has not taken in is answered by its own behind that one's end", async () => {
  expect(
    await seen(
      [
        ["running", 7, [[event(8, "conversation_complete")]]],
        ["own", 0, [[event(1, "assistant_chunk")], [event(2, "conversation_complete")]]],
      ],
      "own",
      [true, true],
    ),
  ).toEqual(["8 conversation_complete", "1 assistant_chunk", "2 conversation_complete"]);
});

test("one whose own reply is gone, since it was taken in, ends with the running one", async () => {
  expect(
    await seen([["running", 7, [[event(8, "conversation_complete")]]]], "own", [false]),
  ).toEqual(["8 conversation_complete"]);
});
