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
  answers: null,
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

test("answers are Markdown, questions are as they were written", async () => {
  const of = async (role: StoredMessage["role"], content: string) => {
    const messages = (async function* () {
      yield message(role, content);
    })();
    return (await whole(sharedPage(share, messages, "en"))).replace(/^[^]*<\/h1>/, "");
  };
  const answer = await of(
    "assistant",
    "# Head\n\n**one**\n\n- [x] a\n- [ ] b\n\n|a|b|\n|-|-|\n|1|2|\n\n```js\n1 < 2\n```",
  );
  for (const tag of [
    "<h3>Head</h3>",
    "<strong>one</strong>",
    "☑ a",
    "☐ b",
    "<td>2</td>",
    "1 &lt; 2",
  ]) {
    expect(answer).toContain(tag);
  }
  expect(await of("user", "**one**")).toContain(">**one**</p>");
  // What would take long to parse.
  for (const text of ["[".repeat(5_000), "*a ".repeat(30_000)]) {
    expect(await of("assistant", text)).toContain(`>${text}</p>`);
  }
});

const address = "https://elsewhere.example";

test.each([
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  `<div style="background:url(${address})" onclick="alert(1)">\nx\n</div>`,
  "[a](javascript:alert(1)) ![a](javascript:alert(1)) <javascript:alert(1)>",
  "[a](JaVaScRiPt&colon;alert(1)) [b](data:text/html,<script>1</script>) [c](vbscript:x)",
  `![p](${address}/p.png "t\\" onload=\\"alert(1)")`,
  `![p" onerror="alert(1)](${address}/p.png)`,
  `[![p](${address}/p.png)](${address})`,
  "[own](/sessions?x=1) [same](#here) [host](//elsewhere.example)",
  "[a]: javascript:alert(1)\n\n[a] ![a]",
  '```"><script>alert(1)</script>\n</code></pre><script>1</script>\n```',
  "|a|\n|-|\n|<img src=x onerror=alert(1)>|",
  '<a href="javascript:alert(1)">x</a> <svg/onload=alert(1)> <!-- x --> <![CDATA[x]]>',
  "&lt;script&gt;alert(1)&lt;/script&gt; &#60;img src=x&#62;",
  "x[^1]\n\n[^1]: <script>alert(1)</script>",
])("nothing of an answer runs or is fetched: %s", async (content) => {
  const messages = (async function* () {
    yield message("assistant", content);
  })();
  const page = (await whole(sharedPage(share, messages, "en"))).replace(/^[^]*<\/h1>/, "");
  const tags = [...page.matchAll(/<[a-z][^>]*>/gi)].map(([tag]) => tag);
  const plain =
    /^<(article class="assistant"|h2|time datetime="[^"]*"|div class="text" dir="auto"|p|p dir="auto"|a|pre tabindex="0"|code( class="language-[^"]*")?|footer|table tabindex="0"|thead|tbody|tr|th|td)>$/;
  const link = /^<a rel="noreferrer nofollow" href="(https?:|mailto:)[^"]*"( title="[^"]*")?>$/;
  expect(tags.filter((tag) => !plain.test(tag) && !link.test(tag))).toEqual([]);
});
