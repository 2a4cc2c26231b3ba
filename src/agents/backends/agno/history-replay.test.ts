import assert from "node:assert/strict";
import { test } from "vitest";
import { request } from "../../../../test/agno/scenarios.ts";
import type { HistoryMessage } from "../../agent-backend.ts";
import type { Component } from "./components.ts";
import { createHistoryReplay, type HistoryMode } from "./history-replay.ts";

const chatting: Component = {
  kind: "agent",
  id: "a",
  name: "A",
  description: "",
  model: null,
  tools: [],
  members: [],
  knowledge: null,
  databaseId: "d",
  historyRuns: 3,
  structuredInput: false,
  metadata: {},
};

const before: readonly HistoryMessage[] = [
  { role: "user", content: "I am Ann", agentId: null },
  { role: "assistant", content: "Hello", agentId: "a" },
];

interface Setting {
  readonly history?: readonly HistoryMessage[];
  readonly exists?: boolean | null;
  readonly thread?: string;
  readonly after?: number;
}

const own = (history: readonly HistoryMessage[]): readonly HistoryMessage[] =>
  history.map((each) =>
    each.role === "user" ? each : { ...each, own: { agentId: "a", status: "complete", told: 0 } },
  );

/** What is sent for one message, and what was asked for it. */
async function sent(
  mode: HistoryMode,
  changes: Partial<Component> = {},
  { history = before, exists = false, thread, after = 2 }: Setting = {},
  replay = createHistoryReplay(mode),
) {
  const asked: string[] = [];
  const turn = request("a", "Who am I?", {
    sessionId: "s",
    seq: after + 2,
    after,
    ...(thread !== undefined && { thread }),
    history: () => {
      asked.push("history");
      return Promise.resolve(history);
    },
  });
  const told = await replay.tell(turn, { ...chatting, ...changes }, "one", {
    sessionExists: () => {
      asked.push("session");
      return Promise.resolve(exists);
    },
    places: () => Promise.resolve((agentId) => (agentId === "a" ? "same" : "other")),
  });
  const { text: message, shown } = told;
  return {
    replayed: message !== "Who am I?",
    remembers: shown !== null,
    asked: asked.join(" "),
    message,
    context: told.context,
    finish: () => replay.remember(turn, "one", told),
  };
}

test("server: never", async () => {
  const { replayed, asked, remembers } = await sent("server", { historyRuns: 0 });
  assert.deepEqual([replayed, asked, remembers], [false, "", true]);
});

test("replay: always, but where input has a form, and AgentOS keeps its own back", async () => {
  const chat = await sent("replay", {}, { exists: true, history: own(before) });
  assert.deepEqual([chat.replayed, chat.remembers], [true, false]);
  assert.equal((await sent("replay", { kind: "workflow" })).replayed, true);
  assert.equal((await sent("replay", { structuredInput: true })).replayed, false);
});

test("auto: for agents without memory, without asking AgentOS", async () => {
  const { replayed, asked } = await sent("auto", { historyRuns: 0 }, { history: own(before) });
  assert.deepEqual([replayed, asked], [true, "history"]);
});

test("auto: when AgentOS has lost the session", async () => {
  const history = own(before);
  assert.equal((await sent("auto", {}, { exists: false, history })).replayed, true);
  assert.equal((await sent("auto", {}, { exists: true, history })).replayed, false);
  assert.equal((await sent("auto", {}, { exists: null, history })).replayed, false);
});

test("auto: what was said to others goes along, beside what it remembers", async () => {
  const foreign = await sent("auto", {}, { exists: true });
  assert.deepEqual([foreign.replayed, foreign.remembers], [true, true]);
  assert.deepEqual([foreign.context?.messages, foreign.context?.dropped], [3, 0]);
  const more = [...own(before), { role: "user", content: "Stopped", agentId: null } as const];
  const rest = await sent("auto", {}, { exists: true, history: more });
  assert.match(rest.message, /What else was said since.*"content":"Stopped"/s);
  assert.doesNotMatch(rest.message, /I am Ann/);
  assert.equal(rest.remembers, true);
});

test("auto: more than it shows is told whole, and not twice", async () => {
  const { replayed, remembers } = await sent(
    "auto",
    { historyRuns: 1 },
    { exists: true, history: [...own(before), ...own(before)] },
  );
  assert.deepEqual([replayed, remembers], [true, false]);
});

test("auto: asks nothing for workflows, and not AgentOS for new conversations", async () => {
  assert.equal((await sent("auto", { kind: "workflow" })).asked, "");
  assert.equal((await sent("auto", {}, { history: [] })).asked, "history");
});

test("auto: asks once while one message follows the other, until AgentOS was started anew", async () => {
  const replay = createHistoryReplay("auto");
  const exists = { exists: true, history: own(before) };
  const next = async (after: number, changes: Partial<Component> = {}) => {
    const message = await sent("auto", changes, { ...exists, after }, replay);
    message.finish();
    return message.asked;
  };
  assert.equal(await next(2), "history session");
  assert.equal(await next(4), "");
  assert.equal(await next(6, { historyRuns: 3 }), "");
  // It does not show so many.
  assert.equal(await next(8, { historyRuns: 3 }), "history session");
  // Another message came in between.
  assert.equal(await next(14), "history session");
  assert.equal(await next(16), "");
  replay.forget("one");
  assert.equal(await next(18), "history session");
  replay.forget("one", "s");
  assert.equal(await next(20), "history session");
});

test("the newest messages that fit go along, oldest first, as JSON, files by their names", async () => {
  const files = [{ id: "1", name: "cat.png", mediaType: "image/png", size: 1 }];
  const [first, ...others] = before;
  const { message } = await sent("replay", {}, { history: [{ ...first!, files }, ...others] });
  const lines = message.split("\n").filter((line) => line.startsWith("{"));
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      { role: "user", content: "I am Ann", files: ["cat.png (image/png)"] },
      { role: "assistant", content: "Hello" },
    ],
  );
  assert.ok(message.endsWith("Who am I?"));
  const long = Array.from({ length: 100 }, (_, index) => ({
    role: "user" as const,
    content: `${index} ${"x".repeat(2_000)}`,
    agentId: null,
    seq: index + 1,
  }));
  const cut = await sent("replay", {}, { history: long });
  assert.ok(cut.message.length < 70_000);
  assert.match(cut.message, /"99 x/);
  assert.doesNotMatch(cut.message, /"1 x/);
  assert.equal((cut.context?.messages ?? 0) - 1 + (cut.context?.dropped ?? 0), 100);
});

test("a branch: told the path in every mode, until AgentOS has a whole reply of it", async () => {
  const branch = { thread: "s-1", exists: true };
  const told = { own: { agentId: "a", status: "complete", told: 2 } } as const;
  const further = [...before, before[0]!, { ...before[1]!, ...told }];
  for (const mode of ["server", "auto"] as const) {
    const begins = await sent(mode, {}, branch);
    assert.deepEqual([begins.replayed, begins.asked], [true, "history"]);
    const goesOn = await sent(mode, {}, { ...branch, history: further });
    assert.deepEqual([goesOn.replayed, goesOn.asked], [false, "history session"]);
    assert.equal(
      (await sent(mode, {}, { ...branch, history: further, exists: false })).replayed,
      true,
    );
  }
  assert.equal((await sent("server", { kind: "workflow" }, branch)).replayed, false);
  assert.equal((await sent("auto", { structuredInput: true }, branch)).replayed, false);
});
