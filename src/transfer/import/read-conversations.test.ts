import { Readable } from "node:stream";
import { expect, test } from "vitest";
import {
  chatGptConversation,
  libreChatConversation,
  openWebUiChat,
} from "../../../test/support/foreign-exports.ts";
import { ImportFault } from "./conversation.ts";
import { readConversations, type ReadConversation } from "./read-conversations.ts";

const ours = {
  format: "chat-service",
  version: 1,
  exported_at: "2026-11-28T10:00:00Z",
  session: {
    session_id: "one",
    agent_id: "general-chat",
    title: "One",
    status: "active",
    created_at: "2026-11-28T10:00:00Z",
    head_message_id: "b",
    pinned: false,
    tags: ["garden"],
    config: {},
    metadata: {},
  },
  messages: [
    {
      message_id: "a",
      parent_id: null,
      role: "user",
      status: "complete",
      content: "hello",
      timestamp: "2026-11-28T10:00:00Z",
      metadata: {},
      attachments: [{ name: "plan.png", media_type: "image/png", data: "iVBORw0KGgo=" }],
    },
    {
      message_id: "b",
      parent_id: "a",
      role: "assistant",
      status: "failed",
      content: "hi",
      timestamp: "2026-11-28T10:00:01Z",
      agent_id: "general-chat",
      usage: { input_tokens: 1, output_tokens: 1 },
      finish_reason: "stop",
      error: { type: "agent_failed", code: 502, message: "no" },
      tool_calls: [{ id: "1", name: "search", status: "completed" }],
      media: [{ kind: "image", url: "https://example.com/a.png" }],
      sources: [{ title: "A", url: "https://example.com/" }],
      suggestions: ["And then?"],
      tasks: [{ id: "1", title: "t", status: "completed" }],
      custom_events: [{ name: "n", data: {}, agent_id: "a" }],
      context: { messages: 1 },
      output_format: "json",
      feedback: {
        rating: "up",
        tags: ["kind"],
        comment: "good",
        timestamp: "2026-11-28T10:00:02Z",
      },
    },
  ],
};

const documents: readonly (readonly [source: string, document: unknown])[] = [
  ["this service", ours],
  ["ChatGPT", chatGptConversation({ number: 1, turns: 1, file: "file_12ab" })],
  ["LibreChat, a tree", libreChatConversation({ number: 1, turns: 1 }, true)],
  ["LibreChat, a list", libreChatConversation({ number: 1, turns: 1 }, false)],
  [
    "Open WebUI",
    openWebUiChat({ number: 1, turns: 1, file: "data:image/png;base64,iVBORw0KGgo=" }),
  ],
];

/** The last two can be made no text and no number. */
const strange: readonly unknown[] = [
  null,
  "",
  -1,
  1e308,
  true,
  [],
  [[null]],
  {},
  { toString: 1, valueOf: 1 },
  [{ toString: 1 }],
];

/** The document with each of its members replaced, one at a time. */
function* changed(value: unknown, by: unknown): Generator {
  yield by;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      for (const other of changed(item, by)) yield value.with(index, other) as unknown;
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      for (const other of changed(member, by)) yield { ...value, [name]: other };
    }
  }
}

async function read(document: unknown) {
  const open = () => Readable.from([Buffer.from(JSON.stringify([document]))]);
  const texts = { putAside: (text: string) => text, forget() {} };
  const upload = { texts: [open] } as unknown as Parameters<typeof readConversations>[0];
  const bounds = 1024 * 1024;
  const given = texts as Parameters<typeof readConversations>[1];
  const found: ReadConversation[] = [];
  for await (const each of readConversations(upload, given, bounds)) found.push(each);
  return found;
}

test.each(documents)("%s: whatever stands where, it is read or told", async (_source, document) => {
  let good = 0;
  for (const value of strange) {
    for (const each of changed(document, value)) {
      const [found] = await read(each);
      if (found !== undefined && "fault" in found) expect(found.fault).toBeInstanceOf(ImportFault);
      else good += 1;
    }
  }
  expect(good).toBeGreaterThan(100);
});
