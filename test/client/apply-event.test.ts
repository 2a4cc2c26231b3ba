import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  applyEvent,
  createChatClient,
  type Message,
  type ReplyEvent,
} from "../../packages/client/src/index.ts";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { pythonEnvironment, pythonForClient } from "../support/python-client.ts";

const types = join(import.meta.dirname, "../../packages/client/src/api-types.ts");
const python = await pythonForClient();

const source = (url: string) => ({ title: "A page", url });
/** Each event, as often as it has forms. */
const events: readonly object[] = [
  { type: "user_message", message: "Why?", user_message_id: "q" },
  { type: "queued", position: 1 },
  { type: "assistant_chunk", chunk: "One. ", finished: false },
  { type: "assistant_chunk", chunk: "二。", finished: false },
  { type: "reasoning_chunk", chunk: "Hm. " },
  {
    type: "tool_call",
    tool_call_id: "1",
    name: "look",
    status: "started",
    agent_id: "a",
    arguments: { at: 1 },
  },
  {
    type: "tool_call",
    tool_call_id: "1",
    name: "look",
    status: "completed",
    agent_id: "a",
    result: [1],
  },
  {
    type: "tool_call",
    tool_call_id: "2",
    name: "look",
    status: "failed",
    agent_id: "b",
    result: null,
  },
  { type: "agent_event", event: "member_started", agent_id: "a", name: "A" },
  { type: "media", kind: "image", url: "https://example.com/a.png", name: "a", agent_id: "a" },
  {
    type: "media",
    kind: "file",
    attachment_id: "f",
    media_type: "text/plain",
    size: 3,
    left_out: "too_large",
  },
  { type: "sources", sources: [source("https://a"), source("https://b")] },
  { type: "sources", sources: [source("https://b"), source("https://c")] },
  { type: "suggestions", suggestions: ["More?"] },
  { type: "tasks", tasks: [{ id: "t", title: "Look", status: "pending" }] },
  { type: "agent_custom", name: "seen", data: { n: 1 }, agent_id: "a" },
  { type: "agent_custom", name: "seen", agent_id: "a" },
  { type: "audio_chunk", sequence: 1, data: "" },
  { type: "audio_response", audio: { audio_id: "s" } },
  { type: "steered", user_message_id: "m", text_start: 2 },
  { type: "steered", user_message_id: "m", text_start: 5 },
  { type: "steered", user_message_id: "n", text_start: 7 },
  { type: "paused", requirements: [{ id: "r", kind: "confirm", tool: "erase", arguments: {} }] },
  { type: "paused", requirements: [], error: "Not so", error_type: "validation_failed", code: 422 },
  { type: "paused", requirements: [], error: "Not so" },
  { type: "replaced", content: "Right." },
  { type: "snapshot", content: "So far." },
  {
    type: "snapshot",
    content: "All.",
    reasoning: "Hm.",
    sources: [],
    suggestions: ["x"],
    tasks: [],
    custom_events: [],
    steered: [],
    model: "m",
  },
  {
    type: "conversation_complete",
    full_response: "Done.",
    agent_id: "a",
    usage: { input_tokens: 1 },
    finish_reason: "stop",
  },
  {
    type: "conversation_complete",
    full_response: "{}",
    agent_id: "a",
    usage: {},
    finish_reason: "stop",
    output: {},
    output_error: "no",
  },
  { type: "cancelled", full_response: "Ha", reason: "user" },
  { type: "error", full_response: "Ha", error: "Broken", error_type: "agent_failed", code: 502 },
  { type: "error", full_response: "", error: "Killed", error_type: "interrupted", code: 500 },
  { type: "of_a_newer_service", what: 1 },
];

/** What has not come is empty in one place and left out in the other. */
function comparable(message: Partial<Message>) {
  const { content, status, reasoning, tool_calls, media, requirements, error } = message;
  const members = { content, status, reasoning, tool_calls, media, requirements, error };
  return Object.entries(members).filter(
    ([, value]) =>
      value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0),
  );
}

describe("the message of a reply, from its events", () => {
  let acted: ActedService;
  beforeAll(async () => {
    acted = await startActedService(scripts);
  });
  afterAll(() => acted.close());

  it.each(Object.keys(scripts).filter((name) => name !== "waits"))(
    "is the one that the service has stored: %s",
    async (message) => {
      const client = createChatClient({ baseUrl: acted.url, userId: "ann" });
      const reply = client.send({ message, agent_id: "actor" });
      let told: Partial<Message> = {};
      for await (const event of reply) told = applyEvent(told, event);
      const stored = await client.messages.get((await reply.accepted).messageId);
      expect(comparable(told)).toEqual(comparable(stored));
    },
  );

  it("takes every event that there is", async () => {
    const text = await readFile(types, "utf8");
    const of = /type ReplyEvent =\n([^;]*);/.exec(text)?.[1]?.match(/\w+Event/g) ?? [];
    const known = of.map(
      (name) => new RegExp(`type ${name} = \\{\\n {2}readonly type: "(\\w+)"`).exec(text)?.[1],
    );
    expect(known.length).toBeGreaterThan(15);
    const tried = new Set(events.map((event) => (event as ReplyEvent).type as string));
    expect(tried).toEqual(new Set([...known, "of_a_newer_service"]));
  });

  it("begins anew with the question, and tells what is told again once", () => {
    const after = (...numbers: number[]) =>
      numbers.reduce(
        (message, at) => applyEvent(message, events[at] as ReplyEvent),
        {} as Partial<Message>,
      );
    expect(after(2, 4, 5, 11, 15, 19, 0)).toEqual({ ...after(0) });
    expect(after(0)).toMatchObject({
      status: "streaming",
      content: "",
      tool_calls: [],
      steered: [],
    });
    expect(after(11, 12, 11).sources).toHaveLength(3);
    expect(after(15, 15, 16).custom_events).toHaveLength(2);
    expect(after(19, 20, 21).steered).toEqual([
      { message_id: "m", text_start: 5 },
      { message_id: "n", text_start: 7 },
    ]);
    expect(after(5, 7, 6).tool_calls).toMatchObject([
      { tool_call_id: "1", status: "completed", arguments: { at: 1 }, result: [1] },
      { tool_call_id: "2", status: "failed" },
    ]);
    expect(after(2, 3, 33).content).toBe("One. 二。");
    expect(after(27, 26)).toMatchObject({ content: "So far.", reasoning: "Hm.", model: "m" });
    expect(after(24).error).toEqual({ type: "", code: 0, message: "Not so" });
    expect([after(31).status, after(32).status, after(1).status]).toEqual([
      "failed",
      "interrupted",
      "queued",
    ]);
  });

  it.skipIf(python === null)(
    "is the same in Python, whatever comes in whatever order",
    async () => {
      const several = fc.sample(
        fc.array(fc.constantFrom(...events), { minLength: 1, maxLength: 12 }),
        {
          numRuns: 1_000,
          seed: 1,
        },
      );
      const program = `
import json, sys
from functools import reduce
from chat_service import apply_event
print(json.dumps([reduce(apply_event, events, {}) for events in json.load(sys.stdin)]))`;
      const told = await new Promise<string>((resolve, reject) => {
        const child = execFile(
          python as string,
          ["-c", program],
          { env: pythonEnvironment, maxBuffer: 64 * 1024 * 1024 },
          (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
        );
        child.stdin?.end(JSON.stringify(several));
      });
      const ours = several.map((each) =>
        each.reduce<Partial<Message>>(
          (message, event) => applyEvent(message, event as ReplyEvent),
          {},
        ),
      );
      expect(JSON.parse(told)).toEqual(JSON.parse(JSON.stringify(ours)));
    },
  );
});
