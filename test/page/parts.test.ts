import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { excerpt } from "../../web/src/chat/highlight-words.ts";
import { normaliseMaths } from "../../web/src/markdown/normalise-maths.ts";
import { splitBlocks } from "../../web/src/markdown/split-blocks.ts";
import { acceptedTypes, chooseFiles } from "../../web/src/state/attachable.ts";
import { mergeMessages } from "../../web/src/state/merge-messages.ts";
import { applyEvent, type MessageView } from "../../web/src/state/reply-view.ts";
import type { ReplyEvent } from "../../src/replies/reply-event.ts";

describe("formulas in one spelling", () => {
  test.each([
    ["costs $5 or $10", "costs $5 or $10"],
    ["$x$ and $5", "$$x$$ and $5"],
    ["area $\\pi r^2$.", "area $$\\pi r^2$$."],
    ["\\(a+b\\)", "$$a+b$$"],
    ["\\[a\\]", "$$\na\n$$"],
    ["so \\[a\\] is", "so $$a$$ is"],
    ["$$a\nb$$", "$$\na\nb\n$$"],
    ["  $$a$$", "  $$\n  a\n  $$"],
    ["`$x$` and $y$", "`$x$` and $$y$$"],
    ["```sh\necho $x $y$\n```\n$z$", "```sh\necho $x $y$\n```\n$$z$$"],
    ["```\nnever closed $x$", "```\nnever closed $x$"],
    ["A$10, B$20", "A$10, B$20"],
    ["\\$x$", "\\$x$"],
    ["no formula", "no formula"],
  ])("%j", (text, expected) => {
    assert.equal(normaliseMaths(text), expected);
  });
});

describe("growing Markdown in blocks", () => {
  const parts = (text: string) => splitBlocks(text).map((block) => block.trim());
  test.each([
    ["a\n\nb", ["a", "b"]],
    ["- a\n\n- b\n\nc", ["- a\n\n- b", "c"]],
    ["- a\n\n  more\n\nc", ["- a\n\n  more", "c"]],
    ["```\na\n\nb\n```\n\nc", ["```\na\n\nb\n```", "c"]],
    ["$$\na\n\nb\n$$\n\nc", ["$$\na\n\nb\n$$", "c"]],
    ["````\n```\n\nx\n````\n\ny", ["````\n```\n\nx\n````", "y"]],
    ["1. a\n2. b\n\n3. c", ["1. a\n2. b\n\n3. c"]],
  ])("%j", (text, expected) => {
    assert.deepEqual(parts(text), expected);
    assert.equal(splitBlocks(text).join("\n"), text);
  });
});

describe("what a search has found", () => {
  test("words are marked, the longest first, whatever their case", () => {
    assert.deepEqual(excerpt("The Apple and apples", "apple apples"), [
      { text: "The ", isFound: false },
      { text: "Apple", isFound: true },
      { text: " and ", isFound: false },
      { text: "apples", isFound: true },
      { text: "", isFound: false },
    ]);
  });
});

describe("a reply from its events", () => {
  const base: MessageView = {
    message_id: "m",
    session_id: "s",
    role: "assistant",
    content: "old",
    timestamp: "",
    agent_id: "a",
    status: "streaming",
    metadata: {},
  };
  const shared = { session_id: "s", message_id: "m", timestamp: "" };
  const after = (...events: object[]) =>
    events.reduce<MessageView>(
      (message, event, index) =>
        applyEvent(message, index + 1, { ...shared, ...event } as unknown as ReplyEvent),
      base,
    );

  test("text, snapshot, end", () => {
    const started = { type: "user_message", message: "q", user_message_id: "u" };
    const chunk = (text: string) => ({ type: "assistant_chunk", chunk: text, agent_id: "a" });
    assert.equal(after(started, chunk("a"), chunk("b")).content, "ab");
    assert.equal(after(started, chunk("a"), { type: "snapshot", content: "abc" }).content, "abc");
    assert.equal(after(started, chunk("a"), { type: "replaced", content: "b" }).content, "b");
    const failed = after(started, chunk("a"), {
      type: "error",
      error: "gone",
      code: 502,
      error_type: "interrupted",
      full_response: "a",
    });
    assert.equal(failed.status, "interrupted");
    assert.equal(failed.content, "a");
    assert.equal(failed.live?.lastEventId, 3);
  });

  test("what was read of a reply that dies stays, where less of it was kept", () => {
    const started = { type: "user_message", message: "q", user_message_id: "u" };
    const chunk = (text: string) => ({ type: "assistant_chunk", chunk: text, agent_id: "a" });
    const died = (kept: string) => ({
      type: "error",
      error: "gone",
      code: 500,
      error_type: "interrupted",
      full_response: kept,
    });
    const contentAfter = (...events: object[]) => after(started, ...events).content;
    assert.equal(contentAfter(chunk("a b"), chunk(" c"), died("a")), "a b c");
    const again = { type: "snapshot", content: "a" };
    assert.equal(contentAfter(chunk("a b c"), started, again, died("a")), "a b c");
    // What was kept is another text, or was taken back by the agent.
    assert.equal(contentAfter(chunk("a b c"), died("b")), "b");
    assert.equal(contentAfter(chunk("a b"), { type: "replaced", content: "a" }, died("a")), "a");
    // Only of what has died.
    const cancelled = { type: "cancelled", full_response: "a" };
    assert.equal(contentAfter(chunk("a b"), cancelled), "a");
    const [merged] = mergeMessages(
      [{ ...after(started, chunk("a b c")) }],
      [{ ...base, content: "a", status: "interrupted" }],
      () => false,
    );
    assert.equal(merged?.content, "a b c");
  });

  test("sources are there once, however often they are told", () => {
    const sources = (...titles: string[]) => ({
      type: "sources",
      sources: titles.map((title) => ({ title })),
      agent_id: "a",
    });
    const titles = (view: ReturnType<typeof after>) => view.sources?.map(({ title }) => title);
    assert.deepEqual(titles(after(sources("a"), sources("a", "b"))), ["a", "b"]);
    const snapshot = { type: "snapshot", content: "x", sources: [{ title: "c" }] };
    assert.deepEqual(titles(after(sources("a"), snapshot)), ["c"]);
  });

  test("the last suggestions count", () => {
    const told = (...suggestions: string[]) => ({ type: "suggestions", suggestions });
    assert.deepEqual(after(told("a", "b"), told("c")).suggestions, ["c"]);
    const snapshot = { type: "snapshot", content: "x", suggestions: ["d"] };
    assert.deepEqual(after(told("a"), snapshot).suggestions, ["d"]);
  });

  test("tasks and events of the author", () => {
    const tasks = [{ id: "1", title: "look", status: "pending" }];
    const custom = { type: "agent_custom", name: "card", data: { x: 1 }, agent_id: "a" };
    const list = { type: "tasks", tasks, agent_id: "a" };
    const seen = after(list, custom, custom, { type: "agent_custom", name: "n", agent_id: "b" });
    assert.deepEqual(seen.tasks, tasks);
    const known = { name: "card", data: { x: 1 }, agent_id: "a" };
    assert.deepEqual(seen.custom_events, [known, { name: "n", agent_id: "b" }]);
    const snapshot = { type: "snapshot", content: "x", tasks: [], custom_events: [known] };
    const { tasks: left, custom_events: events } = after(list, custom, custom, snapshot);
    assert.deepEqual([left, events], [[], [known]]);
  });

  test("what happens at once, and how far a step is", () => {
    const told = (event: string, name: string, more: object) => ({
      type: "agent_event",
      event,
      agent_id: name,
      name,
      ...more,
    });
    const seen = after(
      told("branch_taken", "choose", { branches: ["a", "b"] }),
      told("iteration_started", "again", { iteration: 2, max_iterations: 3 }),
      told("step_started", "count", {}),
      told("step_progress", "count", { detail: "50 %" }),
      told("memory_updated", "a", { detail: "likes cats" }),
    );
    assert.deepEqual(
      seen.live?.members.map(({ kind, name, isDone, fact, detail }) => [
        kind,
        name,
        isDone,
        fact,
        detail,
      ]),
      [
        ["branch", "choose", true, "a, b", null],
        ["iteration", "again", true, "2 / 3", null],
        ["step", "count", false, undefined, "50 %"],
        ["memory", "a", true, "", "likes cats"],
      ],
    );
  });

  test("members of a team begin and end", () => {
    const member = (event: string, name: string) => ({
      type: "agent_event",
      event,
      agent_id: name,
      name,
    });
    const seen = after(
      member("member_started", "x"),
      member("member_started", "y"),
      member("member_completed", "x"),
      member("handoff", "z"),
      member("step_started", "s"),
      member("step_failed", "s"),
    );
    assert.deepEqual(
      seen.live?.members.map(({ name, kind, isDone, hasFailed }) => [
        name,
        kind,
        isDone,
        hasFailed,
      ]),
      [
        ["x", "member", true, false],
        ["y", "member", false, false],
        ["z", "handoff", true, false],
        ["s", "step", true, true],
      ],
    );
  });
});

describe("files for a message", () => {
  const limits = { maxFiles: 3, maxBytes: 100 };
  const file = (name: string, size: number, type = "image/png") =>
    new File([new Uint8Array(size)], name, { type });
  const choose = (files: File[], present: File[] = [], accepted: string[] | null = null) => {
    const { taken, refused } = chooseFiles(files, present, accepted, limits);
    return [...taken.map(({ name }) => name), ...refused.map(({ reason }) => reason)];
  };

  test("as many and as large as the service takes, with those that are there already", () => {
    assert.deepEqual(choose([file("a", 60), file("b", 41), file("c", 40)]), ["a", "c", "tooLarge"]);
    assert.deepEqual(choose([file("d", 1)], [file("a", 1), file("b", 1), file("c", 1)]), [
      "tooMany",
    ]);
    assert.deepEqual(choose([file("a", 0)]), ["empty"]);
  });

  test("of the kinds that the agent takes", () => {
    const given = [file("a", 1), file("b", 1, "application/pdf")];
    assert.deepEqual(choose(given, [], ["image/*"]), ["a", "kind"]);
    assert.deepEqual(choose(given, [], ["application/pdf"]), ["b", "kind"]);
    assert.deepEqual(choose(given, [], []), ["none", "none"]);
    assert.equal(acceptedTypes(null), null);
  });

  test.each([
    ["notes.md", "", "text/plain"],
    ["page.ts", "video/mp2t", "text/plain"],
    ["data.csv", "text/csv;charset=utf-8", "text/csv"],
    ["what", "no type at all", "application/octet-stream"],
  ])("%s, said to be %j, is %s", (name, type, expected) => {
    const { taken } = chooseFiles([file(name, 1, type)], [], null, limits);
    assert.equal(taken[0]?.type, expected);
  });

  test("names fit", () => {
    const { taken } = chooseFiles([file(`${"x".repeat(300)}.png`, 1)], [], null, limits);
    assert.equal(taken[0]?.name.length, 255);
    assert.match(taken[0]?.name ?? "", /x\.png$/);
  });
});
