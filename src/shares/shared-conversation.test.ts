import { expect, test } from "vitest";
import type { StoredMessage } from "../chat/message-store.ts";
import type { Share } from "./share-store.ts";
import { saidOf, sharedJson, sharedPage } from "./shared-conversation.ts";

const createdAt = new Date("2026-11-22T10:00:00Z");
const share: Share = {
  shareId: "x".repeat(32),
  sessionId: "the-session",
  title: null,
  path: [{ first: 1, last: 3 }],
  includeFiles: false,
  createdAt,
  expiresAt: createdAt,
};
/** Every member that a message has holds something that is found again. */
const message = (role: StoredMessage["role"], content: string): StoredMessage => ({
  messageId: "hidden-id",
  sessionId: "hidden-session",
  seq: 1,
  role,
  status: "complete",
  agentId: "an-agent",
  content,
  replyTo: "hidden-reply",
  parentId: "hidden-parent",
  siblings: ["hidden-sibling"],
  metadata: { kind: "hidden-kind" },
  createdAt,
  usage: { input_tokens: 987_654, output_tokens: 987_654 },
  context: { hidden: true },
  outputFormat: null,
  finishReason: "hidden-reason",
  error: { type: "hidden-error", code: 500, message: "hidden" },
  reasoning: "hidden-thoughts",
  toolCalls: [{ name: "hidden-tool" }],
  media: [{ url: "hidden-media" }],
  extras: { sources: [{ title: "hidden-source" }] },
  audio: { audio_id: "hidden-audio" },
  requirements: [{ id: "hidden-requirement" }],
  attachments: [
    { attachment_id: "hidden", name: "hidden.txt", media_type: "text/plain", size: 1, url: "/h" },
  ],
  unspoken: "hidden-rest",
  feedback: null,
});

async function* said(): AsyncGenerator<StoredMessage> {
  yield* saidOf(
    (async function* () {
      yield message("user", "the question");
      yield message("system", "hidden-summary");
      yield message("assistant", "the answer");
    })(),
  );
}

async function whole(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

test("nothing is shown but what was said, by which side, and when", async () => {
  const json = await whole(sharedJson(share, said(), "/share/x/files"));
  const page = await whole(sharedPage(share, said(), "en"));
  for (const text of [json, page]) {
    expect(text).toContain("the question");
    expect(text).toContain("the answer");
    expect(text).not.toMatch(/hidden|987654|the-session/);
  }
  expect(JSON.parse(json)).toMatchObject({ success: true, title: null });
  expect(page).not.toContain("<script");
});
