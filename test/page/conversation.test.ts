import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, test } from "vitest";
import { readRecording } from "../agno/recording.ts";
import { startReplayServer, type ReplayServer } from "../agno/replay-server.ts";
import { referenceProgram } from "../support/mcp-servers.ts";
import { lastUserText } from "../support/openai-server.ts";
import { describeInBrowser } from "./browser.ts";
import { composer, gate, openStage, redSquare, say, type Stage, type Visit } from "./stage.ts";

const markdown = `## A heading

| Name | Value |
|---|---:|
| one | 1 |

\`\`\`ts
const answer: number = 42;
\`\`\`

The area is \\(A = \\pi r^2\\); it costs $5 or $10.

![chart](https://images.example/chart.png)
`;

/** Pastes or drops a picture there. */
async function give(page: Page, place: string, kind: string, name: string): Promise<void> {
  await page.locator(place).evaluate(
    (element, { kind, name, data }) => {
      const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type: "image/png" }));
      const options = { bubbles: true, cancelable: true };
      element.dispatchEvent(
        kind === "paste"
          ? new ClipboardEvent(kind, { ...options, clipboardData: transfer })
          : new DragEvent(kind, { ...options, dataTransfer: transfer }),
      );
    },
    { kind, name, data: redSquare.toString("base64") },
  );
}

/** In the page. */
const naturalWidth = (image: SVGElement | HTMLElement) => (image as HTMLImageElement).naturalWidth;

/** In the page. */
function isAtEnd(): boolean {
  const frame = document.querySelector(".messages");
  return frame !== null && frame.scrollHeight - frame.clientHeight - frame.scrollTop < 30;
}

/** In the page. */
function isAwayFromEnd(): boolean {
  const frame = document.querySelector(".messages");
  return frame !== null && frame.scrollHeight - frame.clientHeight - frame.scrollTop > 200;
}

describeInBrowser("conversations on the page", () => {
  let stage: Stage;
  let agentOs: ReplayServer;
  const visits: Visit[] = [];

  beforeAll(async () => {
    agentOs = await startReplayServer(
      await readRecording("2.9.0", "a confirmation pauses the run, and approved it goes on"),
    );
    stage = await openStage({
      AGNO_API_URL: agentOs.url,
      MODELS_AGENTS: JSON.stringify([
        {
          id: "counter",
          name: "Counter",
          description: "Counts",
          tools: ["calculator"],
          suggested_prompts: ["Count to ten"],
        },
        { id: "lead", name: "Lead", description: "Asks others", handoffs: ["counter"] },
        { id: "careful", name: "Careful", mcp: [{ name: "local", ...referenceProgram }] },
      ]),
    });
  }, 120_000);
  afterAll(async () => {
    await stage?.close();
    await agentOs?.close();
  });
  afterEach(async () => {
    for (const { context, incidents } of visits.splice(0)) {
      assert.deepEqual(incidents, []);
      await context.close();
    }
  });

  async function visit(...options: Parameters<Stage["visit"]>): Promise<Visit> {
    const opened = await stage.visit(...options);
    visits.push(opened);
    await opened.page.locator(".composer textarea, .sign-in").first().waitFor();
    return opened;
  }

  test("a reply is shown while it is made, with its Markdown, and named in the side bar", async () => {
    const { page } = await visit();
    const half = gate();
    const tokens = markdown.match(/[\s\S]{1,9}/g) ?? [];
    stage.model.enqueue({
      tokens,
      pace: (index) => (index === 4 ? half.opened : undefined),
      reasoning: ["I think ", "about it."],
    });
    await say(page, "Tell me about circles");
    const reply = page.locator(".message.assistant");
    await reply.getByRole("heading", { name: "A heading" }).waitFor();
    assert.equal(await reply.getAttribute("aria-busy"), "true");
    half.open();
    await page.locator(".message.assistant.complete").waitFor();
    assert.equal(await reply.locator("table td").first().innerText(), "one");
    await reply.locator(".code-block .hljs-keyword").waitFor();
    await reply.locator(".katex").first().waitFor();
    assert.match(await reply.innerText(), /costs \$5 or \$10/);
    // Nothing is loaded from elsewhere: that would be an incident.
    await reply.getByText("Load image from images.example").waitFor();
    assert.equal(await reply.locator(".reasoning-text").isVisible(), false);
    await reply.locator(".reasoning summary").click();
    assert.equal(await reply.locator(".reasoning-text").innerText(), "I think about it.");
    await page.locator(".session-item.current", { hasText: "Tell me about circles" }).waitFor();
    await reply.getByLabel("Details").click();
    await reply.locator(".figures", { hasText: "First word after" }).waitFor();
  });

  test("an image from elsewhere is loaded after a click only, and stays when the reply ends", async () => {
    const { page, context } = await stage.visit();
    await context.route("https://images.example/**", (route) =>
      route.fulfill({
        contentType: "image/svg+xml",
        body: "<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'/>",
      }),
    );
    const rest = gate();
    stage.model.enqueue({
      tokens: ["![chart](https://images.example/chart.png)", " above"],
      pace: (at) => (at === 1 ? rest.opened : undefined),
    });
    await say(page, "a picture");
    const asked = page.waitForRequest("https://images.example/chart.png");
    await page.getByText("Load image from images.example").click();
    await asked;
    await page.locator("img.remote-image").waitFor();
    rest.open();
    await page.getByRole("log").getByText("above").waitFor();
    await page.getByLabel("Stop").waitFor({ state: "detached" });
    await page.locator("img.remote-image").waitFor({ timeout: 2_000 });
    await context.close();
  });

  test("code is copied as it was written", async () => {
    const { page } = await visit({ permissions: ["clipboard-read", "clipboard-write"] });
    stage.model.enqueue({ tokens: ["```py\nprint(1)\n  # two\n```"] });
    await say(page, "code");
    // What is still growing is drawn anew when it is whole.
    await page.locator(".message.assistant.complete").waitFor();
    await page.locator(".code-block").getByLabel("Copy code (py)").click();
    await page.locator(".code-block").getByLabel("Copied").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "print(1)\n  # two");
  });

  test("code is wrapped and saved; footnotes and nested tasks are drawn in the page's language", async () => {
    const { page, context } = await visit({
      locale: "zh-CN",
      viewport: { width: 390, height: 844 },
    });
    const line = `print("${"long ".repeat(60)}")`;
    const parts = [
      "- [ ] outer",
      "  - [x] inner",
      "",
      "See[^1].",
      "",
      "[^1]: A note.",
      "",
      "```py",
      line,
      "```",
      "",
      "```",
      "bare",
      "```",
    ];
    stage.model.enqueue({ tokens: [parts.join("\n")] });
    await say(page, "everything");
    const reply = page.locator(".message.assistant.complete");
    await reply.waitFor();
    const code = reply.locator(".code-block").first();
    const overflow = () => code.locator("pre").evaluate((pre) => pre.scrollWidth - pre.clientWidth);
    assert.ok((await overflow()) > 0);
    await code.getByLabel("长行换行").click();
    assert.equal(await overflow(), 0);
    const saving = page.waitForEvent("download");
    await code.getByLabel("另存为文件").click();
    const download = await saving;
    assert.equal(download.suggestedFilename(), "code.py");
    assert.equal(await readFile(await download.path(), "utf8"), line);
    assert.equal(
      await reply.locator(".code-block").nth(1).locator(".code-head span").first().innerText(),
      "代码",
    );
    assert.equal(await reply.locator(".footnotes h2, .footnotes h3").innerText(), "脚注");
    await reply.locator(".footnotes").getByLabel("返回引用处").waitFor();
    const left = (text: string) =>
      reply
        .locator("li.task-list-item", { hasText: text })
        .last()
        .evaluate((item) => item.getBoundingClientRect().left);
    assert.ok((await left("inner")) > (await left("outer")) + 10);
    await context.close();
  });

  test("Stop ends a reply and keeps what was said", async () => {
    const { page } = await visit();
    const never = gate();
    stage.model.enqueue({
      tokens: ["One ", "two ", "three"],
      pace: (index) => (index === 2 ? never.opened : undefined),
    });
    await say(page, "count");
    await page.locator(".message.assistant", { hasText: "One two" }).waitFor();
    await page.getByLabel("Stop").click();
    const stopped = page.locator(".message.assistant.cancelled");
    await stopped.getByText("Stopped").waitFor();
    assert.match(await stopped.innerText(), /One two/);
    await page.getByLabel("Stop").waitFor({ state: "detached" });
  });

  test("a message for a busy conversation waits its turn, and can be withdrawn", async () => {
    const { page } = await visit();
    const first = gate();
    stage.model.enqueue({
      tokens: ["a ", "b"],
      pace: (index) => (index === 1 ? first.opened : undefined),
    });
    await say(page, "the first");
    await page.locator(".message.assistant.streaming", { hasText: "a" }).waitFor();
    // What the page asks for now is answered when more has been said: it must not move that.
    const [history, session] = [gate(), gate()];
    const hold = (pattern: string, until: Promise<void>, times: number) =>
      page.route(
        pattern,
        async (route) => {
          const response = await route.fetch();
          await until;
          await route.fulfill({ response });
        },
        { times },
      );
    await hold("**/chat/history/**", history.opened, 1);
    await say(page, "the second");
    await page.locator(".message.queued", { hasText: "Waiting, number 1" }).waitFor();
    await say(page, "the third");
    await page.locator(".message.queued", { hasText: "Waiting, number 2" }).waitFor();
    await hold("**/sessions/*", session.opened, 1);
    const asked = page.waitForRequest((request) => request.url().includes("/sessions/"));
    history.open();
    await asked;
    assert.deepEqual(await page.locator(".message.user .bubble").allInnerTexts(), [
      "the first",
      "the second",
      "the third",
    ]);
    session.open();
    await page.locator(".message.queued").nth(1).getByText("Withdraw").click();
    await page.locator(".message.user", { hasText: "the third" }).waitFor({ state: "detached" });
    assert.equal(await page.locator(".message.queued").count(), 1);
    // What waits can be said otherwise; nothing is asked beside it.
    await page
      .locator(".message.user", { hasText: "the second" })
      .getByLabel("Edit the message")
      .click();
    await page.locator(".edit-message textarea").fill("the other");
    await page.locator(".edit-message textarea").press("Enter");
    await page.locator(".message.user .bubble", { hasText: "the other" }).waitFor();
    first.open();
    await page.locator(".message.assistant.complete", { hasText: "You said: the other" }).waitFor();
    assert.equal(await page.locator(".message.user").count(), 2);
  });

  test("tools are shown at work, with what they were given and what came of it", async () => {
    const { page } = await visit();
    await page.getByText("Counter", { exact: true }).click();
    stage.model.enqueue(
      { toolCalls: [{ name: "calculator", arguments: { expression: "6 * 7" } }] },
      { tokens: ["It is 42."] },
    );
    await say(page, "6 times 7?");
    await page.locator(".message.assistant.complete", { hasText: "It is 42." }).waitFor();
    const step = page.locator(".step", { hasText: "Used calculator" });
    await step.locator("summary").click();
    assert.match(await step.innerText(), /6 \* 7[\s\S]*42/);
  });

  test("what one might ask an agent first is offered, and written by a click", async () => {
    const { page } = await visit();
    await page.locator(".agent-card", { hasText: "Counter" }).first().click();
    await page.locator(".suggestions").getByText("Count to ten").click();
    await page.locator(".composer textarea").waitFor();
    assert.equal(await composer(page).inputValue(), "Count to ten");
    await page.locator(".agent-card", { hasText: "Lead" }).first().click();
    assert.equal(await page.locator(".suggestions").getByText("Count to ten").count(), 0);
  });

  test("tasks, and events of an agent's author, are shown with the reply", async () => {
    const user = "told";
    const message = { status: "complete", timestamp: "2026-11-28T10:00:00Z", metadata: {} };
    const imported = await fetch(`${stage.service.url}/import?user_id=${user}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        format: "chat-service",
        version: 1,
        session: {
          session_id: "told",
          agent_id: "lead",
          title: "Told",
          status: "active",
          created_at: message.timestamp,
          head_message_id: "b",
          config: {},
          metadata: {},
        },
        messages: [
          { ...message, message_id: "a", parent_id: null, role: "user", content: "plan" },
          {
            ...message,
            message_id: "b",
            parent_id: "a",
            role: "assistant",
            content: "planned",
            agent_id: "lead",
            tasks: [
              { id: "1", title: "Look <b>", status: "completed", assignee: "counter" },
              { id: "2", title: "Write", status: "pending" },
            ],
            custom_events: [{ name: "card", data: { price: "<i>7</i>" }, agent_id: "lead" }],
          },
        ],
      }),
    });
    const { conversations } = (await imported.json()) as {
      conversations: { session_id: string }[];
    };
    const { page } = await visit({ user, path: `/?session=${conversations[0]?.session_id}` });
    const tasks = page.locator(".tasks li");
    await tasks.first().waitFor();
    assert.deepEqual(await tasks.allTextContents(), ["Done: Look <b>Counter", "To do: Write"]);
    await page.locator(".step", { hasText: "card" }).locator("summary").click();
    assert.match(await page.locator(".step-body").innerText(), /<i>7<\/i>/);
  });

  test("another agent is shown at work while it is asked", async () => {
    const { page } = await visit();
    await page.getByText("Lead", { exact: true }).click();
    const rest = gate();
    stage.model.enqueue(
      { toolCalls: [{ name: "ask_counter", arguments: { task: "count the apples" } }] },
      { tokens: ["Seven ", "apples."], pace: (at) => (at === 1 ? rest.opened : undefined) },
      { tokens: ["There are seven."] },
    );
    await say(page, "How many apples?");
    const reply = page.locator(".message.assistant");
    await reply.getByText("Counter is at work").waitFor();
    await reply.locator(".agent-name", { hasText: "Lead" }).waitFor();
    rest.open();
    await page.locator(".message.assistant.complete", { hasText: "There are seven." }).waitFor();
    await reply.getByText("Member Counter").waitFor();
  });

  test("a paused reply asks, survives a reload, and goes on when it is allowed", async () => {
    const { page } = await visit();
    await page.locator(".agent-card", { hasText: "Janitor" }).first().click();
    await say(page, "clean");
    const question = page.locator(".approval");
    await question.getByText("May “delete_file” be carried out?").waitFor();
    await page.reload();
    await question.waitFor();
    assert.match(await question.innerText(), /\/data\/old\.txt/);
    await question.getByRole("button", { name: "Allow" }).click();
    const reply = page.locator(".message.assistant.complete");
    await reply.getByText("The tool says: Deleted /data/old.txt").waitFor();
    assert.match(await reply.innerText(), /I shall delete it\./);
    await reply.locator(".step", { hasText: "Used delete_file" }).waitFor();
    assert.equal(await question.count(), 0);
  });

  test("calls of an MCP server are allowed and refused one by one, with a note", async () => {
    const { page } = await visit();
    await page.locator(".agent-card", { hasText: "Careful" }).first().click();
    stage.model.enqueue(
      {
        toolCalls: [
          { id: "sum", name: "local__get-sum", arguments: { a: 2, b: 40 } },
          { id: "echo", name: "local__echo", arguments: { message: "<b>told</b>" } },
        ],
      },
      { tokens: ["It is 42."] },
    );
    await say(page, "add");
    const question = (tool: string) => page.locator(".approval", { hasText: tool });
    await question("get-sum").waitFor();
    assert.match(await question("echo").innerText(), /<b>told<\/b>/);
    await question("echo").locator("input").fill("say nothing");
    await question("echo").getByRole("button", { name: "Refuse" }).click();
    await question("get-sum").getByRole("button", { name: "Allow" }).click();
    const reply = page.locator(".message.assistant.complete");
    await reply.getByText("It is 42.").waitFor();
    assert.equal(await page.locator(".approval").count(), 0);
    const messages = stage.model.requests.at(-1)?.body["messages"] as {
      tool_call_id?: string;
      content: string;
    }[];
    const result = (id: string) => messages.find((each) => each.tool_call_id === id)?.content;
    assert.match(result("sum") ?? "", /42/);
    assert.match(result("echo") ?? "", /say nothing/);
    assert.doesNotMatch(result("echo") ?? "", /told/);
  });

  test("a decision is made in words: the line below the input says how, and the answer stands in the reply", async () => {
    const { page } = await visit();
    await page.locator(".agent-card", { hasText: "Careful" }).first().click();
    stage.model.enqueue(
      {
        tokens: ["Shall I add?"],
        toolCalls: [{ id: "sum", name: "local__get-sum", arguments: { a: 2, b: 40 } }],
      },
      { tokens: ["It is 42."] },
    );
    await say(page, "add");
    await page.locator(".approval").waitFor();
    const hint = page.locator("#composer-hint");
    await hint.getByText("Answer yes, or no with a reason").waitFor();
    await say(page, "Yes, please");
    const reply = page.locator(".message.assistant.complete");
    await reply.getByText("It is 42.").waitFor();
    await hint.getByText("Enter sends").waitFor();
    assert.equal(await page.locator(".approval").count(), 0);
    for (const isReloaded of [false, true]) {
      if (isReloaded) await page.reload();
      await reply.getByText("Yes, please").waitFor();
      const text = await reply.innerText();
      const places = ["Shall I add?", "Yes, please", "It is 42."].map((each) => text.indexOf(each));
      assert.ok(!places.includes(-1), text);
      assert.deepEqual(
        places,
        places.toSorted((one, other) => one - other),
      );
      // Said once, and nowhere else.
      assert.equal(await page.getByText("Yes, please", { exact: true }).count(), 1);
    }
  });

  test("what an agent cannot be told is not offered for its conversation", async () => {
    const { page } = await visit();
    await page.getByLabel("Settings of this conversation").click();
    const dialog = page.getByRole("dialog");
    await dialog.locator("select").first().selectOption({ label: "Counter" });
    await dialog.getByLabel("Temperature").waitFor();
    await dialog.locator("select").first().selectOption({ label: "Janitor" });
    await dialog.getByText("keeps to its own model and instructions").waitFor();
    assert.equal(await dialog.getByLabel("Temperature").count(), 0);
    assert.equal(await dialog.getByLabel("Additional instructions").count(), 0);
  });

  test("a failure is told, and asking again helps", async () => {
    const { page } = await visit();
    stage.model.setRespond(() => ({
      fault: { kind: "status", status: 400, body: "secret inside" },
    }));
    await say(page, "fail please");
    const failed = page.locator(".message.assistant.failed");
    await failed.locator(".message-note.bad").waitFor();
    assert.doesNotMatch(await page.locator("body").innerText(), /secret inside/);
    stage.model.setRespond((request) => ({ tokens: ["Fine: ", lastUserText(request)] }));
    await failed.getByLabel("Ask again").click();
    await page.locator(".message", { hasText: "Fine: fail please" }).waitFor();
    stage.model.setRespond((request) => ({ tokens: [`You said: ${lastUserText(request)}`] }));
  });

  test("a message is edited, and one goes from one version to the other, here and in another tab", async () => {
    const { page, context } = await visit();
    const replies = page.locator(".message.assistant.complete");
    await say(page, "first try");
    await replies.filter({ hasText: "You said: first try" }).waitFor();
    await say(page, "and on");
    await replies.filter({ hasText: "You said: and on" }).waitFor();
    const other = await context.newPage();
    await other.goto(page.url());
    await other.locator(".message", { hasText: "You said: and on" }).waitFor();
    const asked = page.locator(".message.user").first();
    await asked.hover();
    await asked.getByLabel("Edit the message").click();
    await asked.locator("textarea").fill("second try");
    await page.keyboard.press("Enter");
    await replies.filter({ hasText: "You said: second try" }).waitFor();
    assert.equal(await page.locator(".message").count(), 2);
    await page.locator(".message.user .versions", { hasText: "2/2" }).waitFor();
    await other.locator(".message", { hasText: "You said: second try" }).waitFor();
    await other.locator(".message", { hasText: "and on" }).first().waitFor({ state: "detached" });
    await page.getByLabel("Previous version").click();
    await replies.filter({ hasText: "You said: and on" }).waitFor();
    await page.locator(".message.user .versions", { hasText: "1/2" }).waitFor();
    assert.equal(await page.getByLabel("Previous version").isDisabled(), true);
  });

  test("files are chosen, pasted and dropped, survive a reload, and come back with the message", async () => {
    const { page, context } = await visit();
    // Files are chosen when it is known what is taken, and no earlier.
    const told = Promise.withResolvers<void>();
    await context.route(/\/chat\/agents/, async (route) => {
      await told.promise;
      await route.continue();
    });
    await page.reload();
    await page.locator(".composer textarea").waitFor();
    assert.equal(await page.getByLabel("Attach files").count(), 0);
    told.resolve();
    const cards = page.locator(".files.draft li");
    await page.getByLabel("Attach files").waitFor();
    await page.locator("input[type=file]").setInputFiles([
      { name: "red.png", mimeType: "image/png", buffer: redSquare },
      { name: "notes.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF-1.4") },
    ]);
    await page.getByText("General chat assistant does not take files such as notes.pdf.").waitFor();
    await cards.locator("img[alt='red.png']").waitFor();
    assert.equal(await cards.count(), 1);
    await give(page, ".composer textarea", "paste", "pasted.png");
    await give(page, ".main", "dragenter", "dropped.png");
    await page.getByText("Drop files here").waitFor();
    await give(page, ".main", "drop", "dropped.png");
    await cards.locator("img[alt='dropped.png']").waitFor();
    await page.getByText("Drop files here").waitFor({ state: "detached" });
    await page.getByText("Say what is to be done with the files").waitFor();
    await page.getByLabel("Remove pasted.png").click();
    await page.reload();
    await cards.locator("img[alt='dropped.png']").waitFor();
    assert.equal(await cards.count(), 2);
    // Nothing gets out, and the page is lost: the browser keeps the files too.
    let isAway = true;
    await context.route(/\/chat\/message(\/stream)?$/, (route) =>
      isAway ? route.abort() : route.continue(),
    );
    await say(page, "what is this?");
    await page.locator(".pending", { hasText: "dropped.png" }).getByText("Not sent yet").waitFor();
    isAway = false;
    await page.reload();
    await page.locator(".message.assistant.complete", { hasText: "what is this?" }).waitFor();
    const asked = JSON.stringify(stage.model.requests.at(-1)?.body["messages"]);
    assert.equal(asked.split(redSquare.toString("base64")).length, 3);
    assert.equal(await cards.count(), 0);
    const sent = page.locator(".message.user .file-picture");
    await sent.nth(1).locator("img").waitFor();
    assert.equal(await sent.first().locator("img").evaluate(naturalWidth), 8);
    await sent.nth(1).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("heading", { name: "dropped.png" }).waitFor();
    const download = page.waitForEvent("download");
    await dialog.getByLabel("Save dropped.png").click();
    assert.equal((await download).suggestedFilename(), "dropped.png");
    await page.keyboard.press("Escape");
    await page.locator(".message.assistant").getByLabel("Ask again").click();
    await page.locator(".message.assistant .versions", { hasText: "2/2" }).waitFor();
    const again = JSON.stringify(stage.model.requests.at(-1)?.body["messages"]);
    assert.equal(again.split(redSquare.toString("base64")).length, 3);
  });

  test("conversations are found, renamed, archived and deleted, and a deletion can be undone", async () => {
    const user = "side-bar";
    for (const title of ["Apples", "Pears", "Plums"]) {
      await stage.client.session(user, { session_config: { title } });
    }
    const { page } = await visit({ user });
    const item = (title: string) => page.locator(".session-item", { hasText: title });
    await item("Apples").waitFor();
    await page.getByLabel("Search conversations").fill("pear");
    await item("Apples").waitFor({ state: "detached" });
    await item("Pears").waitFor();
    await page.getByLabel("Search conversations").fill("");
    await item("Apples").hover();
    await item("Apples").getByLabel("What to do with").click();
    await page.getByRole("menuitem", { name: "Rename" }).click();
    await page.getByLabel("Title of the conversation").fill("Oranges");
    await page.keyboard.press("Enter");
    await item("Oranges").waitFor();
    // Made first, so last in the list, until it is pinned.
    const first = page.locator(".session-item").first();
    const choose = async (name: string) => {
      await item("Oranges").hover();
      await item("Oranges").getByLabel("What to do with").click();
      await page.getByRole("menuitem", { name, exact: true }).click();
    };
    await first.filter({ hasText: "Plums" }).waitFor();
    await choose("Pin");
    await first.filter({ hasText: "Oranges" }).waitFor();
    await page.getByRole("heading", { name: "Pinned" }).waitFor();
    await page.reload();
    await first.filter({ hasText: "Oranges" }).waitFor();
    await choose("Unpin");
    await first.filter({ hasText: "Plums" }).waitFor();
    await item("Plums").hover();
    await item("Plums").getByLabel("What to do with").click();
    await page.getByRole("menuitem", { name: "Archive" }).click();
    await item("Plums").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Archive", exact: true }).click();
    await item("Plums").waitFor();
    await page.getByRole("button", { name: "Current", exact: true }).click();
    const remove = async () => {
      await item("Pears").hover();
      await item("Pears").getByLabel("What to do with").click();
      await page.getByRole("menuitem", { name: "Delete" }).click();
      await item("Pears").waitFor({ state: "detached" });
    };
    await page.clock.install();
    await remove();
    await page.getByRole("button", { name: "Undo" }).click();
    await item("Pears").waitFor();
    const deleted = page.waitForResponse((response) => response.request().method() === "DELETE");
    await remove();
    await page.clock.fastForward(7_000);
    assert.equal((await deleted).status(), 200);
    const left = await stage.client.get<{ sessions: { title: string }[] }>(
      `/sessions?user_id=${user}`,
    );
    assert.deepEqual(left.body.sessions.map(({ title }) => title).sort(), ["Oranges", "Plums"]);
  });

  test("a hit of the search leads to its message, far up in a long conversation", async () => {
    const user = "searcher";
    const sessionId = await stage.client.session(user);
    for (let index = 0; index < 40; index += 1) {
      const text = index === 3 ? "where the Zirkon lies 红宝石在哪里" : `line ${index}`;
      await stage.client.send("POST", "/chat/message", {
        session_id: sessionId,
        user_id: user,
        message: text,
      });
    }
    const { page } = await visit({ user, path: `/?session=${sessionId}` });
    await page.locator(".message", { hasText: "You said: line 39" }).waitFor();
    assert.equal(await page.getByText("Zirkon").count(), 0);
    await page.getByLabel("Search in this conversation").click();
    const field = page.locator(".search-field input");
    await field.fill("zirkon");
    await page.getByText("2 messages").waitFor();
    assert.equal(await page.locator(".hits mark").first().innerText(), "Zirkon");
    await page.locator(".hits button").first().click();
    const target = page.locator(".message.user.found", { hasText: "Zirkon" });
    await target.waitFor();
    await page.waitForFunction(() => CSS.highlights.has("found-words"));
    await page.waitForFunction(
      () => {
        const box = document.querySelector(".message.found")?.getBoundingClientRect();
        return box !== undefined && box.top > 0 && box.bottom < window.innerHeight;
      },
      undefined,
      { timeout: 5_000 },
    );
    await field.fill("红宝石");
    await page.locator(".hits mark", { hasText: "红宝石" }).first().waitFor();
    await field.press("Escape");
    await page.getByLabel("Go to the newest message").click();
    await page.locator(".message", { hasText: "You said: line 39" }).waitFor();
    await page.waitForFunction(isAtEnd);
  }, 60_000);

  test("a search over everything leads from one conversation to a message of another", async () => {
    const user = "wanderer";
    const tell = async (message: string) => {
      const { body } = await stage.client.send<{
        session_id: string;
        user_message_id: string;
      }>("POST", "/chat/message", { user_id: user, message });
      return body;
    };
    // It was said otherwise since: the branch that it is on is shown.
    const { user_message_id: said } = await tell("where the Zirkon lies");
    await stage.client.send(
      "POST",
      `/chat/message/${said}/edit`,
      { message: "where it lies" },
      { accept: "application/json" },
    );
    const { session_id: other } = await tell("another matter");
    const { page } = await visit({ user, path: `/?session=${other}` });
    await page.locator(".message.user", { hasText: "another matter" }).waitFor();
    await page.keyboard.press("Control+k");
    const field = page.getByRole("searchbox", { name: "Search everything" });
    await field.waitFor();
    assert.ok(await field.evaluate((input) => input === document.activeElement));
    await page.keyboard.type("zirk");
    // The question, the reply that repeats it, and the title.
    await page.getByText("3 places").waitFor();
    assert.equal(await page.locator(".hits mark").first().innerText(), "Zirkon");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator(".message.user.found", { hasText: "Zirkon" }).waitFor();
    await page.waitForFunction(() => CSS.highlights.has("found-words"));
    await page.goBack();
    await page.locator(".message.user", { hasText: "another matter" }).waitFor();
    await page.getByRole("button", { name: "Search everything" }).click();
    await field.fill("nowhere");
    await page.getByText("Nothing found.").waitFor();
    await page.keyboard.press("Escape");
    await field.waitFor({ state: "detached" });
  }, 60_000);

  test("the view follows a growing reply, unless its reader has scrolled up", async () => {
    const { page } = await visit();
    const lines = Array.from({ length: 120 }, (_, index) => `line ${index}\n\n`);
    const [half, rest] = [gate(), gate()];
    stage.model.enqueue({
      tokens: lines,
      pace: (index) => (index === 60 ? half.opened : index === 100 ? rest.opened : undefined),
    });
    await say(page, "a long one");
    await page.getByText("line 59", { exact: true }).waitFor();
    await page.waitForFunction(isAtEnd);
    await page.mouse.move(700, 300);
    await page.mouse.wheel(0, -600);
    await page.waitForFunction(isAwayFromEnd);
    const before = await page.locator(".messages").evaluate((frame) => frame.scrollTop);
    half.open();
    await page.getByText("line 99", { exact: true }).waitFor();
    const after = await page.locator(".messages").evaluate((frame) => frame.scrollTop);
    assert.ok(Math.abs(after - before) < 5, `moved from ${before} to ${after}`);
    await page.getByLabel("Go to the newest message").click();
    await page.waitForFunction(isAtEnd);
    rest.open();
    await page.locator(".message.assistant.complete").waitFor();
    await page.waitForFunction(isAtEnd);
  });

  test("Chinese: the page speaks it, and Enter belongs to the input method while it composes", async () => {
    const { page, context } = await visit({ locale: "zh-CN" });
    await page.getByText("有什么可以帮您？").waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
    await composer(page).focus();
    const devtools = await context.newCDPSession(page);
    await devtools.send("Input.imeSetComposition", {
      text: "nihao",
      selectionStart: 5,
      selectionEnd: 5,
    });
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(".message").count(), 0);
    await devtools.send("Input.insertText", { text: "你好，世界" });
    await composer(page).press("Enter");
    await page.locator(".message.assistant.complete", { hasText: "你好，世界" }).waitFor();
    assert.equal(await page.locator(".message.user .bubble").innerText(), "你好，世界");
    await page.getByRole("button", { name: "English" }).click();
    await page.getByPlaceholder("Write a message").waitFor();
    await page.reload();
    await page.getByPlaceholder("Write a message").waitFor();
  });

  test("on a phone the conversations are behind a button, and nothing is wider than the screen", async () => {
    const { page } = await visit({
      viewport: { width: 360, height: 700 },
      hasTouch: true,
      isMobile: true,
    });
    stage.model.enqueue({ tokens: [markdown, `\n\`${"wide".repeat(60)}\`\n`] });
    await say(page, `A word that does not end: ${"long".repeat(50)}`);
    await page.locator(".message.assistant.complete").waitFor();
    const isInside = () =>
      page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
    assert.equal(await isInside(), true);
    assert.equal(await page.locator(".side-bar").isVisible(), false);
    await page.getByLabel("Open the list of conversations").tap();
    await page.locator(".side-bar.open").waitFor();
    assert.equal(await isInside(), true);
    await page.getByRole("button", { name: "New conversation" }).tap();
    await page.getByText("What can I do for you?").waitFor();
  });

  test("everything is reached by keyboard", async () => {
    const { page } = await visit();
    await say(page, "first");
    await page.locator(".message.assistant.complete").waitFor();
    await page.getByRole("button", { name: "Settings", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    await page.getByLabel("Settings of this conversation").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.getByLabel("Additional instructions").fill("Be brief.");
    await page.getByRole("button", { name: "Save" }).press("Enter");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await say(page, "second");
    await page.locator(".message", { hasText: "You said: second" }).waitFor();
    const asked = stage.model.requests.at(-1)?.body["messages"];
    assert.match(JSON.stringify(asked), /Be brief\./);
  });
});
