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
  databaseId: "d",
  remembers: true,
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
}

/** What is sent for one message, and what was asked for it. */
async function sent(
  mode: HistoryMode,
  changes: Partial<Component> = {},
  { history = before, exists = false, thread }: Setting = {},
  replay = createHistoryReplay(mode),
) {
  const asked: string[] = [];
  const message = await replay.messageFor(
    request("a", "Who am I?", {
      sessionId: "s",
      ...(thread !== undefined && { thread }),
      history: () => {
        asked.push("history");
        return Promise.resolve(history);
      },
    }),
    { ...chatting, ...changes },
    "one",
    () => {
      asked.push("session");
      return Promise.resolve(exists);
    },
  );
  return { replayed: message !== "Who am I?", asked: asked.join(" "), message };
}

test("server: never", async () => {
  const { replayed, asked } = await sent("server", { remembers: false });
  assert.deepEqual([replayed, asked], [false, ""]);
});

test("replay: always, but where input has a form", async () => {
  assert.equal((await sent("replay", {}, { exists: true })).replayed, true);
  assert.equal((await sent("replay", { kind: "workflow" })).replayed, true);
  assert.equal((await sent("replay", { structuredInput: true })).replayed, false);
});

test("auto: for agents without memory, without asking AgentOS", async () => {
  for (const changes of [{ remembers: false }, { databaseId: null }]) {
    const { replayed, asked } = await sent("auto", changes, { exists: true });
    assert.deepEqual([replayed, asked], [true, "history"]);
  }
});

test("auto: when AgentOS has lost the session", async () => {
  assert.equal((await sent("auto", {}, { exists: false })).replayed, true);
  assert.equal((await sent("auto", {}, { exists: true })).replayed, false);
  assert.equal((await sent("auto", {}, { exists: null })).replayed, false);
  assert.equal((await sent("auto", { remembers: null }, { exists: false })).replayed, true);
});

test("auto: asks nothing for workflows, and not AgentOS for new conversations", async () => {
  assert.equal((await sent("auto", { kind: "workflow" })).asked, "");
  assert.equal((await sent("auto", {}, { history: [] })).asked, "history");
});

test("auto: asks once per session, until AgentOS was started anew", async () => {
  const replay = createHistoryReplay("auto");
  assert.equal((await sent("auto", {}, { exists: true }, replay)).asked, "history session");
  assert.equal((await sent("auto", {}, { exists: true }, replay)).asked, "");
  replay.forget("one");
  assert.equal((await sent("auto", {}, { exists: true }, replay)).asked, "history session");
  replay.forget("one", "s");
  replay.remember("one", "s");
  assert.equal((await sent("auto", {}, { exists: false }, replay)).asked, "");
});

test("the newest messages that fit go along, oldest first, as JSON", async () => {
  const { message } = await sent("replay");
  const lines = message.split("\n").filter((line) => line.startsWith("{"));
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    before.map(({ role, content }) => ({ role, content })),
  );
  assert.ok(message.endsWith("Who am I?"));
  const long = Array.from({ length: 100 }, (_, index) => ({
    role: "user" as const,
    content: `${index} ${"x".repeat(2_000)}`,
    agentId: null,
  }));
  const cut = (await sent("replay", {}, { history: long })).message;
  assert.ok(cut.length < 70_000);
  assert.match(cut, /"99 x/);
  assert.doesNotMatch(cut, /"1 x/);
});

test("a branch: told the path in every mode, until AgentOS has a whole reply of it", async () => {
  const known: readonly HistoryMessage[] = before.map((each) => ({
    ...each,
    isOfThread: each.role === "assistant",
  }));
  const branch = { thread: "s-1" };
  for (const mode of ["server", "auto"] as const) {
    const begins = await sent(mode, {}, { exists: true, ...branch });
    assert.deepEqual([begins.replayed, begins.asked], [true, "history"]);
    const goesOn = await sent(mode, {}, { exists: true, history: known, ...branch });
    assert.deepEqual([goesOn.replayed, goesOn.asked], [false, "history session"]);
    const lost = await sent(mode, {}, { exists: false, history: known, ...branch });
    assert.equal(lost.replayed, true);
    const forgetful = { databaseId: null };
    assert.equal((await sent(mode, forgetful, { history: known, ...branch })).replayed, true);
  }
  assert.equal((await sent("server", { kind: "workflow" }, branch)).replayed, false);
  assert.equal((await sent("auto", { structuredInput: true }, branch)).replayed, false);
});
