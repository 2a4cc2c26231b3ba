import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { lastUserText } from "../support/openai-server.ts";
import { describeInBrowser } from "./browser.ts";
import { createFilledDataDir, filledSession, type StoredRow } from "./filled-data.ts";
import { hostileStrings } from "./hostile-strings.ts";
import { startSplittingProxy } from "./splitting-proxy.ts";
import { openStage, say, type Stage, type Visit } from "./stage.ts";

const minutes = 60_000;
const user = "history";
/** The service refuses half a character before anybody sees it. */
const acceptable = hostileStrings.filter((each) => each.isWellFormed());

/** A conversation with this text wherever a stored message has text. */
function turnOf(text: string, index: number): readonly StoredRow[] {
  return [
    {
      role: "user",
      content: text,
      attachments: [
        {
          attachment_id: crypto.randomUUID(),
          name: text,
          media_type: index % 10 === 0 ? "image/png" : "text/plain",
          size: index,
        },
      ],
    },
    {
      role: "assistant",
      content: text,
      agent_id: text,
      reasoning: text,
      status: "failed",
      tool_calls: [
        {
          tool_call_id: text,
          name: text,
          status: index % 3 === 0 ? "failed" : "completed",
          arguments: { [text]: text },
          result: text,
          agent_id: "another",
        },
      ],
      media: [
        { kind: "image", url: text, name: text },
        { kind: text, url: text },
      ],
      error: { type: text, code: 500, message: text },
    },
  ];
}

describeInBrowser("text that wants to be more than text", () => {
  let stage: Stage;

  beforeAll(async () => {
    const settings = {
      MODELS_DEFAULT_AGENTS: "false",
      MODELS_AGENTS: JSON.stringify([
        { id: "plain", name: "Plain", tools: ["calculator"] },
        ...hostileStrings.map((text, index) => ({
          id: `agent-${index}`,
          name: text,
          description: text,
        })),
      ]),
      SESSIONS_DEFAULT_AGENT: "plain",
      SESSIONS_HISTORY_MESSAGES: "0",
    };
    stage = await openStage(settings, await createFilledDataDir(user, acceptable.flatMap(turnOf)));
    stage.model.setRespond((request) => ({ tokens: [lastUserText(request)] }));
  }, 2 * minutes);
  afterAll(() => stage?.close());

  /** Nothing ran, nothing was asked for, nothing was refused by the policy. */
  async function assertHarmless({ page, incidents, context }: Visit): Promise<void> {
    // What images and styles ask for comes a moment after they are drawn.
    await page.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 300))),
    );
    assert.equal(await page.evaluate(() => Reflect.get(window, "ran")), undefined);
    assert.deepEqual(incidents, []);
    assert.equal(await page.locator("#root script, #root iframe, #root img").count(), 0);
    await context.close();
  }

  test("there are more than 300 of them", () => {
    assert.ok(hostileStrings.length >= 300, String(hostileStrings.length));
  });

  test("the watch sees what it watches for", async () => {
    const { page, incidents, context } = await stage.visit();
    await page.locator(".composer textarea").waitFor();
    await page
      .evaluate(() => {
        const image = document.createElement("img");
        image.src = "https://elsewhere.invalid/x.png";
        document.body.append(image);
        const script = document.createElement("script");
        script.src = "https://elsewhere.invalid/x.js";
      })
      .catch(() => undefined);
    while (incidents.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.match(incidents.join("\n"), /policy: require-trusted-types-for/);
    assert.match(incidents.join("\n"), /request: https:\/\/elsewhere/);
    await context.close();
  });

  test(
    "what users wrote and agents answered, in the history, with all that belongs to it",
    async () => {
      const visit = await stage.visit({ user, path: `/?session=${filledSession}` });
      const seen = await seeEverything(visit.page);
      assert.equal(seen, acceptable.length * 2);
      await assertHarmless(visit);
    },
    2 * minutes,
  );

  test(
    "what an agent writes, one character at a time",
    async () => {
      const proxy = await startSplittingProxy(stage.service.url);
      const visit = await stage.visit({ url: proxy.url });
      await visit.page.locator(".composer textarea").waitFor();
      const size = 40;
      for (let start = 0; start < hostileStrings.length; start += size) {
        const answer = hostileStrings.slice(start, start + size).join("\n\n***\n\n");
        stage.model.enqueue({ tokens: [answer] });
        await say(visit.page, `part ${start}`);
        await visit.page
          .locator(".message.assistant.complete")
          .last()
          .waitFor({ timeout: 2 * minutes });
        await visit.page.getByRole("button", { name: "New conversation" }).click();
        await visit.page.getByText("What can I do for you?").waitFor();
      }
      await assertHarmless(visit);
      await proxy.close();
    },
    6 * minutes,
  );

  test(
    "names of agents, titles of conversations",
    async () => {
      const user = "titles";
      for (const title of acceptable) {
        await stage.client.session(user, { session_config: { title: title.slice(0, 200) } });
      }
      const visit = await stage.visit({ user });
      await visit.page
        .locator(".agent-card")
        .nth(hostileStrings.length - 1)
        .waitFor();
      const items = visit.page.locator(".session-item");
      for (;;) {
        await items.first().waitFor();
        const more = visit.page.locator(".session-list .show-more");
        if ((await more.count()) === 0) break;
        const before = await items.count();
        await more.click();
        await items.nth(before).waitFor();
      }
      assert.equal(await items.count(), acceptable.length);
      await visit.page.getByLabel("Settings of this conversation").click();
      await visit.page.getByRole("dialog").waitFor();
      await assertHarmless(visit);
    },
    4 * minutes,
  );

  test(
    "what tools are given and give back",
    async () => {
      const visit = await stage.visit();
      await visit.page.locator(".composer textarea").waitFor();
      await openSteps(visit.page);
      // As many as the service takes at once.
      const size = 30;
      for (let start = 0; start < acceptable.length; start += size) {
        stage.model.enqueue(
          {
            toolCalls: acceptable.slice(start, start + size).map((expression, index) => ({
              id: `call-${start + index}`,
              name: "calculator",
              arguments: { expression },
            })),
          },
          { tokens: [`done ${start}.`] },
        );
        await say(visit.page, `use tools ${start}`);
        await visit.page
          .locator(".message.assistant.complete", { hasText: `done ${start}.` })
          .waitFor();
        await visit.page.locator(".step-body pre").last().waitFor();
      }
      await assertHarmless(visit);
    },
    2 * minutes,
  );

  test(
    "errors, and messages that were refused",
    async () => {
      const visit = await stage.visit();
      await visit.page.locator(".composer textarea").waitFor();
      await visit.page.evaluate((all) => {
        all.forEach((text, index) => {
          localStorage.setItem(
            `chat-service.outbox.key-${index}`,
            JSON.stringify({
              key: `key-${index}`,
              sessionId: null,
              draftId: "draft",
              text,
              files: [{ name: text, size: index }],
              agentId: null,
              config: {},
              createdMs: Date.now() + index,
              state: "refused",
              error: text,
            }),
          );
        });
      }, hostileStrings);
      await visit.page.reload();
      await visit.page.locator(".pending").first().waitFor();
      const seen = await seeEverything(visit.page);
      assert.equal(seen, hostileStrings.length);
      for (const message of hostileStrings.slice(0, 20)) {
        await visit.page.route(
          "**/sessions?*",
          (route) =>
            route.fulfill({
              status: 400,
              contentType: "application/json",
              body: JSON.stringify({
                success: false,
                error: { code: 400, type: message, message },
              }),
            }),
          { times: 1 },
        );
        await visit.page.getByRole("button", { name: "Current", exact: true }).click();
        await visit.page.locator(".notice.error").first().waitFor();
      }
      await assertHarmless(visit);
    },
    2 * minutes,
  );
});

/** Rows come and go while the list is scrolled. */
async function openSteps(page: Page): Promise<void> {
  await page.evaluate(() => {
    const open = () => {
      for (const each of document.querySelectorAll("details")) each.open = true;
    };
    new MutationObserver(open).observe(document.body, { childList: true, subtree: true });
  });
}

/** Goes through the whole list, from its end to its start; returns how many messages were drawn. */
async function seeEverything(page: Page): Promise<number> {
  await page.locator(".message").first().waitFor();
  return page.evaluate(async () => {
    const frame = document.querySelector(".messages");
    if (frame === null) return 0;
    const seen = new Set<string>();
    const note = () => {
      for (const each of document.querySelectorAll(".message")) {
        seen.add(each.id === "" ? (each.textContent ?? "") : each.id);
      }
    };
    const drawn = () =>
      new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 5)));
    note();
    let still = 0;
    while (still < 50) {
      const before = `${frame.scrollTop}/${frame.scrollHeight}/${seen.size}`;
      frame.scrollTop -= 600;
      await drawn();
      note();
      still = before === `${frame.scrollTop}/${frame.scrollHeight}/${seen.size}` ? still + 1 : 0;
    }
    return seen.size;
  });
}
