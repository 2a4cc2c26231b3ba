// Takes the pictures of docs/images: `node test/page/take-screenshots.ts`.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { readRecording } from "../agno/recording.ts";
import { startReplayServer } from "../agno/replay-server.ts";
import { lastUserText } from "../support/openai-server.ts";
import { convert } from "../support/speech-programs.ts";
import { startBrowser } from "./browser.ts";
import { composer, gate, openStage, say, visit } from "./stage.ts";

const folder = join(import.meta.dirname, "../../docs/images");

const english = `Both work; they differ in **who remembers** what was sent.

| | Polling | Server-sent events |
|---|---|---|
| First word after | up to the interval | a few milliseconds |
| After a lost connection | ask again | go on from the last id |
| Requests for a 20 s reply | 20 | 1 |

A reader that comes back names the last event it has seen:

\`\`\`ts
const response = await fetch(\`/chat/message/\${id}/stream\`, {
  headers: { "Last-Event-ID": String(lastId) },
});
for await (const event of readEvents(response)) show(event);
\`\`\`

With \\(n\\) readers and a reply of \\(k\\) events, the service sends

$$
\\sum_{i=1}^{n} (k - \\text{seen}_i) \\le n \\cdot k
$$

events in all, and none of them twice.
`;

const chinese = `两种方式都可行，区别在于**由谁记住**已发送的内容。

| | 轮询 | 服务器推送事件 |
|---|---|---|
| 首字延迟 | 最长一个间隔 | 几毫秒 |
| 断线之后 | 重新请求 | 从最后的编号继续 |

断线重连的读者只需说明它看到的最后一个事件：

\`\`\`bash
curl -N -H 'Last-Event-ID: 41' http://127.0.0.1:8001/chat/message/$ID/stream
\`\`\`
`;

const stage = await openStage({
  MODELS_DEFAULT_MODEL: "qwen3",
  MODELS_AGENTS: JSON.stringify([
    {
      id: "accountant",
      name: "Accountant",
      description: "Calculates, and shows how.",
      tools: ["calculator", "current_time"],
    },
  ]),
});
stage.model.setRespond((request) => {
  const asked = lastUserText(request);
  const answer = /\p{Script=Han}/u.test(asked) ? chinese : english;
  return { reasoning: ["Compare both."], tokens: answer.match(/[\s\S]{1,12}/g) ?? [] };
});

async function take(page: Page, name: string): Promise<Buffer> {
  // Fonts and transitions.
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(500);
  return page.screenshot({ path: join(folder, `${name}.png`), caret: "initial" });
}

const answered = (page: Page) => page.locator(".message.assistant.complete").last().waitFor();
const chineseQuestion = "客户端应该轮询回复，还是跟随它的流？";
const question = "Should a client poll for a reply, or follow its stream?";

await mkdir(folder, { recursive: true });
const user = "pictures";
for (const title of [
  "Release notes for 1.4",
  "A name for the new service",
  "Budget of the spring fair",
]) {
  await stage.client.session(user, { session_config: { title } });
}

/** A spoken conversation; the microphone is a recording, which the service itself has spoken. */
async function takeHandsFree(): Promise<void> {
  const talking = await openStage({ VOICE_STT_COMMAND: "pocketsphinx" });
  const folder = await mkdtemp(join(tmpdir(), "microphone-"));
  const file = join(folder, "question.wav");
  const spoken = await fetch(`${talking.service.url}/chat/voice/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: "what time is it", voice: "rms", format: "wav" }),
  });
  const ends = ["-af", "adelay=600:all=1,apad=pad_dur=2", "-ar", "48000", "-ac", "1"];
  await writeFile(file, await convert(Buffer.from(await spoken.arrayBuffer()), "wav", ends));
  const browser = await startBrowser([
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-audio-capture=${file}%noloop`,
  ]);
  const never = gate();
  talking.model.enqueue({
    tokens: [
      "It is twelve o'clock here, and one hour later in the east of the country. ",
      "Shall I tell you the time of another town as well, or of several of them? ",
      "…",
    ],
    pace: (at) => (at === 2 ? never.opened : undefined),
  });
  const { page } = await visit(browser, talking.service.url, {
    viewport: { width: 390, height: 800 },
  });
  await page.locator(".agent-card").first().waitFor();
  await page.getByLabel("Talk hands-free").click();
  await page.locator(".caption", { hasText: "Saying:" }).waitFor({ timeout: 30_000 });
  await take(page, "page-hands-free");
  await browser.close();
  await talking.close();
  await rm(folder, { recursive: true });
}

async function startOfReply(page: Page): Promise<void> {
  await page.locator(".messages").evaluate((frame) => {
    frame.scrollTop = 0;
  });
}

{
  const { page, context } = await stage.visit({ user });
  await page.locator(".agent-card").first().waitFor();
  await page.getByText("Release notes for 1.4").waitFor();
  const start = await take(page, "page-start");
  await say(page, question);
  await answered(page);
  await page.locator(".code-block .hljs-keyword").first().waitFor();
  await page.locator(".katex").first().waitFor();
  await startOfReply(page);
  await take(page, "page-reply");
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog").locator("input").fill("stream");
  await page.locator(".search-everything mark").first().waitFor();
  await take(page, "page-search");
  await page.keyboard.press("Escape");

  stage.model.enqueue({
    tokens: [
      "A page on which a conversation begins: **four agents** to choose from, one with tools.",
    ],
  });
  await page.getByRole("button", { name: "New conversation" }).click();
  await page
    .locator("input[type=file]")
    .setInputFiles({ name: "start.png", mimeType: "image/png", buffer: start });
  await say(page, "What is on this picture?");
  await answered(page);
  await page.locator(".message.user .file-picture img").waitFor();
  await page
    .locator("input[type=file]")
    .setInputFiles({ name: "second.png", mimeType: "image/png", buffer: start });
  await composer(page).fill("And what has changed here?");
  await take(page, "page-files");
  await context.close();
}
{
  const { page, context } = await stage.visit({ user, colorScheme: "dark" });
  const rest = gate();
  stage.model.enqueue(
    {
      reasoning: ["17.5 % of 240 is 240 times 0.175."],
      toolCalls: [{ name: "calculator", arguments: { expression: "240 * 0.175" } }],
    },
    {
      tokens: ["17.5 % of 240 ", "is **42**."],
      pace: (at) => (at === 1 ? rest.opened : undefined),
    },
  );
  await page.locator(".agent-card", { hasText: "Accountant" }).click();
  await say(page, "What is 17.5 % of 240?");
  await page.locator(".message.streaming .markdown").waitFor();
  await say(page, "And of 360?");
  await page.locator(".message.queued").waitFor();
  await composer(page).fill("Thank you");
  await page.locator(".step summary").click();
  await take(page, "page-tools-dark");
  await composer(page).fill("");
  rest.open();
  await page.goto(`${stage.service.url}/status`);
  await page.locator(".chart canvas").first().waitFor();
  await page.waitForTimeout(15_000);
  await take(page, "page-status-dark");
  for (const chapter of ["agents", "usage"]) {
    await page.locator(`[data-chapter=${chapter}] summary`).click();
    await page.locator(`[data-chapter=${chapter}] tbody tr`).first().waitFor();
  }
  await page.locator(".administration").evaluate((part) => part.scrollIntoView());
  await take(page, "page-administration-dark");
  await context.close();
}
{
  const { page, context } = await stage.visit({ user: "桌面", locale: "zh-CN" });
  await page.locator(".agent-card").first().waitFor();
  await say(page, chineseQuestion);
  await answered(page);
  await page.locator(".code-block .hljs-string").first().waitFor();
  await startOfReply(page);
  await take(page, "page-reply-zh");
  await context.close();
}
{
  const { page, context } = await stage.visit({
    user: "电话",
    locale: "zh-CN",
    colorScheme: "dark",
    viewport: { width: 390, height: 800 },
    deviceScaleFactor: 1.5,
    isMobile: true,
    hasTouch: true,
  });
  await page.locator(".agent-card").first().waitFor();
  await say(page, chineseQuestion);
  await answered(page);
  await page.locator(".code-block .hljs-string").first().waitFor();
  await startOfReply(page);
  await take(page, "page-phone-dark");
  await context.close();
}
{
  const { page, context } = await stage.visit({
    user,
    viewport: { width: 390, height: 800 },
    deviceScaleFactor: 1.5,
    isMobile: true,
    hasTouch: true,
  });
  await page.locator(".agent-card").first().waitFor();
  await say(page, question);
  await answered(page);
  await page.locator(".code-block .hljs-keyword").first().waitFor();
  await composer(page).fill("And when the connection is lost?");
  await take(page, "page-phone");
  await context.close();
}
await stage.close();

await takeHandsFree();

const agentOs = await startReplayServer(
  await readRecording("2.9.0", "a confirmation pauses the run, and approved it goes on"),
);
const approving = await openStage({ AGNO_API_URL: agentOs.url });
{
  const { page, context } = await approving.visit({ user: "decider" });
  await page.locator(".agent-card", { hasText: "Janitor" }).first().click();
  await say(page, "clean");
  await page.locator(".approval").waitFor();
  await take(page, "page-approval");
  await context.close();
}
await approving.close();
await agentOs.close();
