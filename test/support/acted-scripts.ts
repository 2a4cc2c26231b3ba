import type { Scripts } from "./acted-service.ts";

/** What the agent does, by what it is told. */
export const scripts = {
  everything: [
    { type: "reasoning", text: "Let me " },
    { type: "reasoning", text: "think." },
    { type: "text", text: "First. " },
    { type: "tool", toolCallId: "1", name: "look", status: "started", arguments: { at: "x" } },
    { type: "tool", toolCallId: "2", name: "fail", status: "started" },
    { type: "tool", toolCallId: "1", name: "look", status: "completed", result: { seen: 1 } },
    { type: "tool", toolCallId: "2", name: "fail", status: "failed", result: "broken" },
    { type: "text", text: "你好, " },
    { type: "text", text: "world." },
    { type: "usage", inputTokens: 7, outputTokens: 11 },
    { type: "finish", reason: "stop" },
  ],
  replaced: [
    { type: "text", text: "Wrong words" },
    { type: "replace", text: "Right words" },
    { type: "text", text: " and more" },
    { type: "finish", reason: "stop" },
  ],
  extended: [
    { type: "text", text: "Right" },
    { type: "replace", text: "Right words" },
    { type: "finish", reason: "length" },
  ],
  confirm: [
    { type: "text", text: "May I? " },
    {
      type: "paused",
      state: {},
      requirements: [{ id: "r1", kind: "confirm", tool: "erase", arguments: { what: "all" } }],
    },
  ],
  silent: [
    {
      type: "paused",
      state: {},
      requirements: [{ id: "s_1", kind: "confirm", tool: "erase", arguments: { what: "all" } }],
    },
  ],
  external: [
    { type: "text", text: "Your turn. " },
    {
      type: "paused",
      state: {},
      requirements: [
        { id: "e1", kind: "external", tool: "open_door", arguments: { door: 2 } },
        { id: "i1", kind: "input", tool: "form", arguments: { fields: [{ name: "age" }] } },
      ],
    },
  ],
  members: [
    { type: "agent", event: "member_started", agentId: "writer", name: "Writer" },
    { type: "reasoning", text: "Of a member.", agentId: "writer" },
    {
      type: "tool",
      toolCallId: "1",
      name: "look",
      status: "started",
      arguments: { at: "y" },
      agentId: "writer",
    },
    {
      type: "tool",
      toolCallId: "1",
      name: "look",
      status: "completed",
      result: "seen",
      agentId: "writer",
    },
    { type: "agent", event: "member_completed", agentId: "writer", name: "Writer", detail: "done" },
    { type: "media", kind: "image", url: "https://example.com/a.png" },
    { type: "text", text: "The crew is done." },
    { type: "usage", inputTokens: 3, outputTokens: 5 },
    { type: "finish", reason: "stop" },
  ],
  /** Half of it comes; then the agent breaks. */
  fails: async function* () {
    yield { type: "text", text: "Half " };
    throw new Error("the agent of the test breaks");
  },
  /** Half of it comes; then it waits to be stopped. */
  waits: async function* (signal) {
    yield { type: "text", text: "Half " };
    await new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("stopped")));
    });
  },
} satisfies Scripts;
