import { describe, expect, test } from "vitest";
import {
  hasLooseEnds,
  mergeMessages,
  stillOnPath,
  withTurn,
} from "../../web/src/state/merge-messages.ts";
import type { MessageView } from "../../web/src/state/reply-view.ts";

function message(id: string, changes: Partial<MessageView> = {}): MessageView {
  return {
    message_id: id,
    session_id: "s",
    role: "assistant",
    content: id,
    timestamp: "2026-01-01T00:00:00Z",
    agent_id: "a",
    status: "complete",
    metadata: {},
    ...changes,
  };
}

const live = {
  lastEventId: 7,
  members: [],
  position: null,
  durationMs: 12,
  timeToFirstTokenMs: 3,
};
const none = () => false;
const merge = (shown: string, newer: string) =>
  mergeMessages(
    [...shown].map((id) => message(id)),
    [...newer].map((id) => message(id)),
    none,
  )
    .map(({ message_id: id }) => id)
    .join("");

describe("mergeMessages", () => {
  test.each([
    ["", "ab", "ab"],
    ["ab", "", "ab"],
    ["abc", "bcd", "abcd"],
    ["ab", "cd", "abcd"],
    ["abc", "abc", "abc"],
    // Accepted while the page was on its way.
    ["abcx", "bc", "abcx"],
    ["abx", "bc", "abcx"],
  ])("%s and %s are %s", (shown, newer, expected) => {
    expect(merge(shown, newer)).toBe(expected);
  });

  test("newer knowledge replaces what was shown, and keeps what only events tell", () => {
    const [merged] = mergeMessages(
      [message("a", { content: "old", live })],
      [message("a", { content: "new" })],
      none,
    );
    expect(merged).toMatchObject({ content: "new", live });
  });

  test("a followed reply is ahead of what was stored, but for its agent", () => {
    const [merged] = mergeMessages(
      [message("a", { content: "Hello wor", status: "streaming", agent_id: "guess" })],
      [message("a", { content: "Hel", status: "streaming", agent_id: "real" })],
      (id) => id === "a",
    );
    expect(merged).toMatchObject({ content: "Hello wor", agent_id: "real" });
  });
});

test("what the service has told of and is no longer there is on another branch", () => {
  const path = (shown: string, tail: string, isWhole = false) =>
    stillOnPath(
      [...shown].map((id) => message(id, id === "x" ? {} : { parent_id: null })),
      [...tail].map((id) => message(id)),
      isWhole,
    )
      .map(({ message_id: id }) => id)
      .join("");
  expect(path("abcd", "bce")).toBe("abc");
  // Accepted while the page was on its way.
  expect(path("abcx", "bc")).toBe("abcx");
  expect(path("abcx", "de")).toBe("x");
  // Nothing stands before the beginning.
  expect(path("abcdx", "cd", true)).toBe("cdx");
});

test("what a question on the path stands behind is no newer than that, told of or not", () => {
  const shown = [
    message("rolled back", { role: "user" }),
    message("its reply"),
    message("instead", { role: "user" }),
    message("the reply to that"),
  ];
  const ids = (tail: readonly string[]) =>
    stillOnPath(
      shown,
      tail.map((id) => message(id)),
      true,
    ).map(({ message_id: id }) => id);
  expect(ids(["instead", "the reply to that"])).toEqual(["instead", "the reply to that"]);
  expect(ids(["instead"])).toEqual(["instead", "the reply to that"]);
  // The page was on its way when the question was accepted.
  expect(ids(["rolled back", "its reply"])).toHaveLength(4);
});

describe("withTurn", () => {
  test("puts a question that became part of what waits before its reply", () => {
    const first = { type: "user_message", session_id: "s", message_id: "r", message: "one" };
    const opening = (id: string, text: string) =>
      ({ ...first, user_message_id: id, message: text }) as Parameters<typeof withTurn>[1];
    const shown = withTurn(withTurn([], opening("q1", "one"), "a"), opening("q2", "two"), "a");
    expect(shown.map(({ message_id: id }) => id)).toEqual(["q1", "q2", "r"]);
    expect(shown[2]?.reply_to).toBe("q2");
    expect(withTurn(shown, opening("q1", "one"), "a")).toBe(shown);
  });

  const event = {
    type: "user_message",
    session_id: "s",
    message_id: "reply",
    user_message_id: "question",
    message: "Hi",
    timestamp: "2026-01-01T00:00:01Z",
  } as Parameters<typeof withTurn>[1];

  test("puts a question and its reply to the end, once", () => {
    const shown = withTurn([message("a")], event, "agent");
    expect(shown.map(({ message_id: id, role }) => `${id} ${role}`)).toEqual([
      "a assistant",
      "question user",
      "reply assistant",
    ]);
    expect(shown.at(-1)).toMatchObject({
      status: "streaming",
      reply_to: "question",
      agent_id: "agent",
    });
    expect(withTurn(shown, event, "agent")).toBe(shown);
  });

  test("adds a reply whose question is there", () => {
    const shown = withTurn([message("question", { role: "user" })], event, "agent");
    expect(shown.map(({ message_id: id }) => id)).toEqual(["question", "reply"]);
  });
});

test("loose ends: what waits, and what seems to run here only", () => {
  const streaming = [message("a", { status: "streaming" })];
  expect(hasLooseEnds([message("a")], null, none)).toBe(false);
  expect(hasLooseEnds([message("a", { status: "queued" })], "b", none)).toBe(true);
  expect(hasLooseEnds(streaming, "a", none)).toBe(false);
  expect(hasLooseEnds(streaming, null, () => true)).toBe(false);
  expect(hasLooseEnds(streaming, null, none)).toBe(true);
});
