import fc from "fast-check";
import { expect, test } from "vitest";
import type { AgentTask } from "../../agents/agent-backend.ts";
import { cleanText } from "../../lib/clean-text.ts";
import type { ClaimedReply } from "../reply.ts";
import { applyEvent, draftOf, type Applied, type Draft } from "./apply-event.ts";
import { stateContext } from "./backend-state.ts";

const rules = { agentId: "agent", maxReplyBytes: 100 };

const fresh: Draft = {
  content: "",
  reasoning: "",
  toolCalls: [],
  media: [],
  extras: {},
  backendState: null,
  usage: null,
  spent: [],
  context: null,
  contentBytes: 0,
  isResumable: false,
  textHalf: "",
  reasoningHalf: "",
};

interface Case {
  readonly name: string;
  readonly before?: Partial<Draft>;
  readonly event: Parameters<typeof applyEvent>[1];
  /** What differs in the draft. */
  readonly draft?: Partial<Draft>;
  readonly told?: Applied["event"];
  readonly checkpoint?: boolean;
  readonly outcome?: Applied["outcome"];
}

const chunk = (text: string) =>
  ({ type: "assistant_chunk", chunk: text, finished: false, agent_id: "agent" }) as const;
const thought = (text: string, agent = "agent") =>
  ({ type: "reasoning_chunk", chunk: text, agent_id: agent }) as const;
const long = "x".repeat(5_000);
const cutLong = `${"x".repeat(4_096)}…`;
const state = (contentLength: number, usage: Draft["usage"] = null) => ({ contentLength, usage });
const call = {
  tool_call_id: "t1",
  name: "search",
  status: "started",
  arguments: { q: 1 },
  agent_id: "agent",
} as const;
const calls = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ ...call, tool_call_id: `t${index}` }));
const pictures = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ kind: "image", url: `u${index}` }));

const task = (id: string, status: AgentTask["status"]): AgentTask => ({ id, title: "t", status });
const someTasks = [
  task("a", "pending"),
  { ...task("b", "completed"), assignee: "m\uFFFD" },
  task("c", "blocked"),
];
const custom = (name: string, data: Record<string, unknown> = {}, agentId = "agent") => ({
  name,
  data,
  agent_id: agentId,
});

const cases: Case[] = [
  {
    name: "text goes behind what there is",
    before: { content: "one " },
    event: { type: "text", text: "two" },
    draft: { content: "one two" },
    told: chunk("two"),
  },
  { name: "text without a letter says nothing", event: { type: "text", text: "" } },
  {
    name: "half a surrogate pair waits",
    event: { type: "text", text: "a\uD83D" },
    draft: { content: "a", textHalf: "\uD83D" },
    told: chunk("a"),
  },
  {
    name: "nothing but half a pair says nothing",
    event: { type: "text", text: "\uD83D" },
    draft: { textHalf: "\uD83D" },
  },
  {
    name: "the other half comes",
    before: { content: "a", textHalf: "\uD83D" },
    event: { type: "text", text: "\uDE00b" },
    draft: { content: "a😀b", textHalf: "" },
    told: chunk("😀b"),
  },
  {
    name: "a half that nothing follows, and NUL, are replaced",
    before: { textHalf: "\uD83D" },
    event: { type: "text", text: "b\0" },
    draft: { content: "\uFFFDb\uFFFD", textHalf: "" },
    told: chunk("\uFFFDb\uFFFD"),
  },
  {
    name: "the longest text there may be",
    before: { content: "x".repeat(99) },
    event: { type: "text", text: "x" },
    draft: { content: "x".repeat(100) },
    told: chunk("x"),
  },
  {
    name: "longer text ends the reply, and is told",
    before: { content: "x".repeat(100) },
    event: { type: "text", text: "y" },
    draft: { content: `${"x".repeat(100)}y` },
    told: chunk("y"),
    outcome: { kind: "too_long" },
  },
  {
    name: "its length is that of its bytes",
    before: { content: "哈".repeat(33) },
    event: { type: "text", text: "哈" },
    draft: { content: "哈".repeat(34) },
    told: chunk("哈"),
    outcome: { kind: "too_long" },
  },
  {
    name: "another text in its place",
    before: { content: "one", textHalf: "\uD83D" },
    event: { type: "replace", text: "two\uD83D" },
    draft: { content: "two\uFFFD", textHalf: "" },
    told: { type: "replaced", content: "two\uFFFD" },
  },
  {
    name: "no text in its place",
    before: { content: "one" },
    event: { type: "replace", text: "" },
    draft: { content: "" },
    told: { type: "replaced", content: "" },
  },
  {
    name: "the same text in its place is not told",
    before: { content: "one\uFFFD", textHalf: "\uD83D" },
    event: { type: "replace", text: "one\0" },
    draft: { textHalf: "" },
  },
  {
    name: "too long a text in its place",
    event: { type: "replace", text: "x".repeat(101) },
    draft: { content: "x".repeat(101) },
    told: { type: "replaced", content: "x".repeat(101) },
    outcome: { kind: "too_long" },
  },
  {
    name: "reasoning is no text",
    before: { reasoning: "h", content: "c" },
    event: { type: "reasoning", text: "m" },
    draft: { reasoning: "hm" },
    told: thought("m"),
  },
  {
    name: "reasoning of a member, with a pair cut in two",
    before: { reasoningHalf: "\uD83D" },
    event: { type: "reasoning", text: "\uDE00\uD83D", agentId: "member" },
    draft: { reasoning: "😀", reasoningHalf: "\uD83D" },
    told: thought("😀", "member"),
  },
  { name: "reasoning without a letter", event: { type: "reasoning", text: "" } },
  {
    name: "reasoning is no longer than a mebibyte, however long the reply may be",
    before: { reasoning: "x".repeat(1024 * 1024 - 1) },
    event: { type: "reasoning", text: "y" },
    draft: { reasoning: `${"x".repeat(1024 * 1024 - 1)}y` },
    told: thought("y"),
  },
  {
    name: "more reasoning is told and not kept",
    before: { reasoning: "x".repeat(1024 * 1024) },
    event: { type: "reasoning", text: "y" },
    told: thought("y"),
  },
  {
    name: "a tool begins",
    event: {
      type: "tool",
      toolCallId: "t1",
      name: "search",
      status: "started",
      arguments: { q: 1 },
    },
    draft: { toolCalls: [call] },
    told: { type: "tool_call", ...call },
    checkpoint: true,
  },
  {
    name: "a tool ends: what it was called with stays, as do its name and its agent",
    before: { toolCalls: [{ ...call, tool_call_id: "t0" }, call] },
    event: {
      type: "tool",
      toolCallId: "t1",
      name: "other",
      status: "completed",
      result: [2],
      agentId: "member",
    },
    draft: {
      toolCalls: [
        { ...call, tool_call_id: "t0" },
        { ...call, status: "completed", result: [2] },
      ],
    },
    told: {
      type: "tool_call",
      tool_call_id: "t1",
      name: "other",
      status: "completed",
      result: [2],
      agent_id: "member",
    },
    checkpoint: true,
  },
  {
    name: "a tool of a member fails",
    event: {
      type: "tool",
      toolCallId: "t1",
      name: "search",
      status: "failed",
      result: null,
      agentId: "member",
    },
    draft: {
      toolCalls: [
        { tool_call_id: "t1", name: "search", status: "failed", result: null, agent_id: "member" },
      ],
    },
    told: {
      type: "tool_call",
      tool_call_id: "t1",
      name: "search",
      status: "failed",
      result: null,
      agent_id: "member",
    },
    checkpoint: true,
  },
  {
    name: "what tools take and give is cut, as text or as JSON",
    event: {
      type: "tool",
      toolCallId: "t1",
      name: "n",
      status: "completed",
      arguments: long,
      result: [long],
    },
    draft: {
      toolCalls: [
        {
          tool_call_id: "t1",
          name: "n",
          status: "completed",
          arguments: cutLong,
          result: `["${"x".repeat(4_094)}…`,
          agent_id: "agent",
        },
      ],
    },
    told: {
      type: "tool_call",
      tool_call_id: "t1",
      name: "n",
      status: "completed",
      arguments: cutLong,
      result: `["${"x".repeat(4_094)}…`,
      agent_id: "agent",
    },
    checkpoint: true,
  },
  {
    name: "what is just not too long is whole",
    event: {
      type: "tool",
      toolCallId: "t1",
      name: "n",
      status: "completed",
      result: "x".repeat(4_096),
    },
    draft: {
      toolCalls: [
        {
          tool_call_id: "t1",
          name: "n",
          status: "completed",
          result: "x".repeat(4_096),
          agent_id: "agent",
        },
      ],
    },
    told: {
      type: "tool_call",
      tool_call_id: "t1",
      name: "n",
      status: "completed",
      result: "x".repeat(4_096),
      agent_id: "agent",
    },
    checkpoint: true,
  },
  {
    name: "the two hundredth call is kept",
    before: { toolCalls: calls(199) },
    event: {
      type: "tool",
      toolCallId: "t199",
      name: "search",
      status: "started",
      arguments: { q: 1 },
    },
    draft: { toolCalls: calls(200) },
    told: { type: "tool_call", ...call, tool_call_id: "t199" },
    checkpoint: true,
  },
  {
    name: "more calls are told and not kept",
    before: { toolCalls: calls(200) },
    event: {
      type: "tool",
      toolCallId: "t200",
      name: "search",
      status: "started",
      arguments: { q: 1 },
    },
    told: { type: "tool_call", ...call, tool_call_id: "t200" },
    checkpoint: true,
  },
  {
    name: "but one of those that are kept goes on",
    before: { toolCalls: calls(200) },
    event: { type: "tool", toolCallId: "t0", name: "search", status: "failed" },
    draft: {
      toolCalls: [{ ...call, tool_call_id: "t0", status: "failed" }, ...calls(200).slice(1)],
    },
    told: {
      type: "tool_call",
      tool_call_id: "t0",
      name: "search",
      status: "failed",
      agent_id: "agent",
    },
    checkpoint: true,
  },
  {
    name: "a member begins",
    event: { type: "agent", event: "member_started", agentId: "m", name: "M", parentAgentId: "p" },
    told: {
      type: "agent_event",
      event: "member_started",
      agent_id: "m",
      name: "M",
      parent_agent_id: "p",
    },
    checkpoint: true,
  },
  {
    name: "what a step has made is cut",
    event: { type: "agent", event: "step_completed", agentId: "m", name: "M", detail: long },
    told: {
      type: "agent_event",
      event: "step_completed",
      agent_id: "m",
      name: "M",
      detail: "x".repeat(4_096),
    },
    checkpoint: true,
  },
  {
    name: "an image",
    event: { type: "media", kind: "image", url: "u0" },
    draft: { media: pictures(1) },
    told: { type: "media", kind: "image", url: "u0", agent_id: "agent" },
  },
  {
    name: "a file with a name, of a member",
    before: { media: pictures(1) },
    event: { type: "media", kind: "file", url: "u1", name: "n", agentId: "member" },
    draft: { media: [...pictures(1), { kind: "file", url: "u1", name: "n" }] },
    told: { type: "media", kind: "file", url: "u1", name: "n", agent_id: "member" },
  },
  {
    name: "the same image again is kept once",
    before: { media: pictures(2) },
    event: { type: "media", kind: "image", url: "u0" },
    told: { type: "media", kind: "image", url: "u0", agent_id: "agent" },
  },
  {
    name: "a file that is kept is told by its path",
    event: {
      type: "kept",
      kind: "image",
      name: "cat.png",
      fate: { attachment_id: "1", url: "/chat/attachments/1", media_type: "image/png", size: 9 },
    },
    draft: {
      media: [
        {
          kind: "image",
          name: "cat.png",
          attachment_id: "1",
          url: "/chat/attachments/1",
          media_type: "image/png",
          size: 9,
        },
      ],
    },
    told: {
      type: "media",
      kind: "image",
      name: "cat.png",
      attachment_id: "1",
      url: "/chat/attachments/1",
      media_type: "image/png",
      size: 9,
      agent_id: "agent",
    },
  },
  {
    name: "a file that was left out is told too",
    event: {
      type: "kept",
      kind: "image",
      name: "cat.png",
      agentId: "member",
      fate: { left_out: "no_space", size: 9 },
    },
    draft: { media: [{ kind: "image", name: "cat.png", left_out: "no_space", size: 9 }] },
    told: {
      type: "media",
      kind: "image",
      name: "cat.png",
      left_out: "no_space",
      size: 9,
      agent_id: "member",
    },
  },
  {
    name: "the two hundredth image is kept",
    before: { media: pictures(199) },
    event: { type: "media", kind: "image", url: "u199" },
    draft: { media: pictures(200) },
    told: { type: "media", kind: "image", url: "u199", agent_id: "agent" },
  },
  {
    name: "more images are told and not kept",
    before: { media: pictures(200) },
    event: { type: "media", kind: "image", url: "u200" },
    told: { type: "media", kind: "image", url: "u200", agent_id: "agent" },
  },
  {
    name: "a source",
    event: { type: "sources", sources: [{ title: "t", url: "https://a.test/" }] },
    draft: { extras: { sources: [{ title: "t", url: "https://a.test/" }] } },
    told: {
      type: "sources",
      sources: [{ title: "t", url: "https://a.test/" }],
      agent_id: "agent",
    },
  },
  {
    name: "of sources those that are new",
    before: { extras: { sources: [{ url: "https://a.test/" }] } },
    event: {
      type: "sources",
      sources: [{ url: "https://a.test/" }, { title: "b" }, { title: "b" }],
      agentId: "member",
    },
    draft: { extras: { sources: [{ url: "https://a.test/" }, { title: "b" }] } },
    told: { type: "sources", sources: [{ title: "b" }], agent_id: "member" },
  },
  {
    name: "sources that are known, or say nothing, are not told",
    before: { extras: { sources: [{ url: "https://a.test/" }] } },
    event: {
      type: "sources",
      sources: [{ url: "https://a.test/" }, { url: "javascript:alert(1)" }, { title: " " }, {}],
    },
  },
  {
    name: "suggestions",
    before: { extras: { sources: [{ title: "t" }] } },
    event: { type: "suggestions", suggestions: ["And then?", " ", "And then?", "Why?\0"] },
    draft: {
      extras: { sources: [{ title: "t" }], suggestions: ["And then?", "Why?\uFFFD"] },
    },
    told: { type: "suggestions", suggestions: ["And then?", "Why?\uFFFD"] },
  },
  {
    name: "other suggestions take their place, none do not",
    before: { extras: { suggestions: ["a"] } },
    event: { type: "suggestions", suggestions: ["b"] },
    draft: { extras: { suggestions: ["b"] } },
    told: { type: "suggestions", suggestions: ["b"] },
  },
  {
    name: "no suggestions say nothing",
    before: { extras: { suggestions: ["a"] } },
    event: { type: "suggestions", suggestions: [""] },
  },
  {
    name: "tasks are told whole, the new and the changed ones with the others",
    before: { extras: { tasks: [task("a", "pending"), task("b", "pending")] } },
    event: {
      type: "tasks",
      tasks: [
        { ...task("b", "completed"), assignee: "m\0" },
        task("c", "blocked"),
        task("", "failed"),
      ],
      agentId: "team",
    },
    draft: { extras: { tasks: someTasks } },
    told: { type: "tasks", tasks: someTasks, agent_id: "team" },
  },
  {
    name: "tasks that are known say nothing",
    before: { extras: { tasks: [task("a", "pending")] } },
    event: { type: "tasks", tasks: [{ status: "pending", title: "t", id: "a" }] },
  },
  {
    name: "an event of the author",
    before: { extras: { customEvents: [custom("a")] } },
    event: { type: "custom", name: "b", data: { x: [1] }, agentId: "member" },
    draft: { extras: { customEvents: [custom("a"), custom("b", { x: [1] }, "member")] } },
    told: { type: "agent_custom", ...custom("b", { x: [1] }, "member") },
  },
  {
    name: "what is too large of it is left out",
    event: { type: "custom", name: "a", data: { long: long.repeat(3) } },
    draft: { extras: { customEvents: [{ name: "a", agent_id: "agent" }] } },
    told: { type: "agent_custom", name: "a", agent_id: "agent" },
  },
  {
    name: "the same event again, in whatever order its members come back from the database",
    before: { extras: { customEvents: [custom("a", { x: 1, y: 2 })] } },
    event: { type: "custom", name: "a", data: { y: 2, x: 1 } },
  },
  {
    name: "more events of the author than are kept",
    before: {
      extras: { customEvents: Array.from({ length: 100 }, (_, n) => custom(String(n))) },
    },
    event: { type: "custom", name: "a", data: {} },
  },
  {
    name: "more data of the author than is kept",
    before: {
      extras: {
        customEvents: Array.from({ length: 9 }, (_, n) =>
          custom(String(n), { x: "x".repeat(7_200) }),
        ),
      },
    },
    event: { type: "custom", name: "a", data: { x: "x".repeat(2_000) } },
  },
  {
    name: "what a workflow chose",
    event: {
      type: "agent",
      event: "branch_taken",
      agentId: "r",
      name: "R",
      branches: Array.from({ length: 51 }, () => "s"),
    },
    told: {
      type: "agent_event",
      event: "branch_taken",
      agent_id: "r",
      name: "R",
      branches: Array.from({ length: 50 }, () => "s"),
    },
    checkpoint: true,
  },
  {
    name: "which time a loop runs",
    event: {
      type: "agent",
      event: "iteration_started",
      agentId: "l",
      name: "L",
      iteration: 2,
      maxIterations: 3,
    },
    told: {
      type: "agent_event",
      event: "iteration_started",
      agent_id: "l",
      name: "L",
      iteration: 2,
      max_iterations: 3,
    },
    checkpoint: true,
  },
  {
    name: "how much was compacted",
    event: { type: "agent", event: "context_compacted", agentId: "a", name: "A", messages: 7 },
    told: {
      type: "agent_event",
      event: "context_compacted",
      agent_id: "a",
      name: "A",
      messages: 7,
    },
    checkpoint: true,
  },
  {
    name: "how far a step is is not worth a checkpoint",
    event: { type: "agent", event: "step_progress", agentId: "s", name: "S", detail: "50 %" },
    told: { type: "agent_event", event: "step_progress", agent_id: "s", name: "S", detail: "50 %" },
  },
  {
    name: "the first usage",
    event: { type: "usage", inputTokens: 1, outputTokens: 2 },
    draft: {
      usage: { input_tokens: 1, output_tokens: 2 },
      spent: [{ model: "", input: 1, output: 2, cached: 0, reasoning: 0 }],
    },
  },
  {
    name: "usage adds up",
    before: {
      usage: { input_tokens: 1, output_tokens: 2 },
      spent: [{ model: "m", input: 1, output: 2, cached: 1, reasoning: 1 }],
    },
    event: {
      type: "usage",
      inputTokens: 10,
      outputTokens: 20,
      cachedTokens: 3,
      reasoningTokens: 4,
      model: "m",
    },
    draft: {
      usage: { input_tokens: 11, output_tokens: 22 },
      spent: [{ model: "m", input: 11, output: 22, cached: 4, reasoning: 5 }],
      extras: { model: "m" },
    },
  },
  {
    name: "the model that says something last has written it; one without a name changes nothing",
    before: { extras: { model: "m" }, spent: [] },
    event: { type: "usage", inputTokens: 0, outputTokens: 0 },
    draft: { spent: [{ model: "", input: 0, output: 0, cached: 0, reasoning: 0 }] },
  },
  {
    name: "what was sent last counts",
    before: { context: { messages: 9, estimated_tokens: 900, dropped: 0 } },
    event: {
      type: "context",
      context: { messages: 5, estimatedTokens: 400, dropped: 4, summarised: 7 },
    },
    draft: { context: { messages: 5, estimated_tokens: 400, dropped: 4, summarised: 7 } },
  },
  {
    name: "the first state of an attempt is stored at once, with the text it stands for",
    before: {
      content: "abc",
      backendState: { run: 1 },
      usage: { input_tokens: 1, output_tokens: 2 },
    },
    event: { type: "resumable", state: { run: 2 } },
    draft: {
      backendState: { run: 2, ":reply": state(3, { input_tokens: 1, output_tokens: 2 }) },
      isResumable: true,
    },
    checkpoint: true,
  },
  {
    name: "later ones are stored with what is stored anyway",
    before: { isResumable: true },
    event: { type: "resumable", state: { run: 3 } },
    draft: { backendState: { run: 3, ":reply": state(0) } },
  },
  {
    name: "a pause",
    before: { content: "abc" },
    event: {
      type: "paused",
      state: { run: 1 },
      requirements: [{ id: "r", kind: "confirm", tool: "t", arguments: {} }],
    },
    draft: { backendState: { run: 1, ":reply": state(3) } },
    outcome: {
      kind: "paused",
      requirements: [{ id: "r", kind: "confirm", tool: "t", arguments: {} }],
    },
  },
  {
    name: "the end",
    event: { type: "finish", reason: "length" },
    outcome: { kind: "finished", reason: "length" },
  },
];

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).map(frozen);
  return value;
}

function withBytes(draft: Draft): Draft {
  return { ...draft, contentBytes: Buffer.byteLength(draft.content) };
}

test.each(cases)("$name", ({ before, event, draft, told, checkpoint, outcome }) => {
  const start = frozen(withBytes({ ...fresh, ...before }));
  expect(applyEvent(start, frozen(event), rules)).toEqual({
    draft: withBytes({ ...start, ...draft }),
    event: told ?? null,
    checkpoint: checkpoint ?? false,
    outcome: outcome ?? null,
  });
});

test("there is a case for every event", () => {
  const all = {
    text: 1,
    replace: 1,
    reasoning: 1,
    tool: 1,
    agent: 1,
    usage: 1,
    context: 1,
    media: 1,
    kept: 1,
    sources: 1,
    suggestions: 1,
    tasks: 1,
    custom: 1,
    resumable: 1,
    paused: 1,
    finish: 1,
  } satisfies Record<Parameters<typeof applyEvent>[1]["type"], 1>;
  expect([...new Set(cases.map(({ event }) => event.type))].sort()).toEqual(
    Object.keys(all).sort(),
  );
});

test("what an event does not concern is the same object: that is how a checkpoint knows what is new", () => {
  const start: Draft = {
    ...fresh,
    toolCalls: calls(1),
    media: pictures(1),
    extras: {},
    backendState: {},
  };
  const { draft } = applyEvent(start, { type: "text", text: "x" }, rules);
  for (const key of ["toolCalls", "media", "extras", "backendState"] as const)
    expect(draft[key]).toBe(start[key]);
});

test("a text comes out the same however it is cut, clean, and told in full", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\uD83D", "\uDE00", "\0", "")),
      ),
      (pieces) => {
        let draft = fresh;
        let told = "";
        for (const text of pieces) {
          const applied = applyEvent(
            draft,
            { type: "text", text },
            { ...rules, maxReplyBytes: 1e6 },
          );
          draft = applied.draft;
          if (applied.event?.type === "assistant_chunk") told += applied.event.chunk;
        }
        expect(draft.content).toBe(told);
        expect(draft.content + cleanText(draft.textHalf)).toBe(cleanText(pieces.join("")));
      },
    ),
  );
});

test("an attempt begins with what was claimed", () => {
  const claimed = {
    content: "c",
    reasoning: "r",
    toolCalls: [call],
    media: [{ url: "u" }],
    extras: { sources: [{ title: "t" }] },
    backendState: { run: 1, ":reply": state(1, { input_tokens: 3, output_tokens: 4 }) },
  } as unknown as ClaimedReply;
  expect(draftOf(claimed)).toEqual({
    ...fresh,
    content: "c",
    contentBytes: 1,
    reasoning: "r",
    toolCalls: [call],
    media: [{ url: "u" }],
    extras: { sources: [{ title: "t" }] },
    backendState: claimed.backendState,
    usage: { input_tokens: 3, output_tokens: 4 },
    // An older node has stored it.
    spent: [{ model: "", input: 3, output: 4, cached: 0, reasoning: 0 }],
  });
  expect(
    draftOf({ ...claimed, toolCalls: null, media: null, extras: null, backendState: null }),
  ).toEqual({
    ...fresh,
    content: "c",
    contentBytes: 1,
    reasoning: "r",
  });
  expect(stateContext({ run: 1 })).toBeNull();
});
