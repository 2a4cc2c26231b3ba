import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, test } from "vitest";
import { describeInBrowser, startBrowser } from "./browser.ts";
import { visit } from "./stage.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { scripts } from "../support/acted-scripts.ts";
import { startEventCuttingProxy, type EventCuttingProxy } from "../support/event-cutting-proxy.ts";
import { startExamplePage } from "./example-page.ts";

const words = Array.from({ length: 20 }, (_, index) => `word${index}`);

describeInBrowser("useConversation, in the example's page", () => {
  let directory: string;
  let acted: ActedService;
  let proxy: EventCuttingProxy;
  let page: Awaited<ReturnType<typeof startExamplePage>>;
  let browser: Browser;
  let release = () => {};

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "chat-hook-"));
    acted = await startActedService({
      ...scripts,
      slow: async function* () {
        for (const word of words) {
          yield { type: "text", text: `${word} ` };
          yield { type: "tool", toolCallId: word, name: "look", status: "started" };
        }
        yield { type: "finish", reason: "stop" };
      },
      held: async function* (signal) {
        yield { type: "text", text: "One. " };
        await new Promise<void>((resolve) => {
          release = resolve;
          signal.addEventListener("abort", () => resolve());
        });
        yield { type: "text", text: "Two." };
        yield { type: "finish", reason: "stop" };
      },
    });
    proxy = await startEventCuttingProxy(() => acted.url);
    [page, browser] = await Promise.all([startExamplePage(directory, proxy.url), startBrowser()]);
  }, 120_000);
  afterEach(() => proxy.cutStreamsAfter(null));
  afterAll(async () => {
    release();
    await browser.close();
    page.close();
    proxy.close();
    await acted.close();
    await rm(directory, { recursive: true, force: true });
  });

  const open = (user: string, session = "") =>
    visit(browser, page.url, { path: `/?user=${user}${session && `&session=${session}`}` });
  const say = async (tab: Page, text: string) => {
    await tab.getByLabel("Message").fill(text);
    await tab.getByRole("button", { name: "Send" }).click();
  };
  const replies = (tab: Page, text: string) =>
    tab.locator("li[data-role=assistant]", { hasText: text });
  const sessionOf = async (tab: Page) =>
    (await tab.locator("main").getAttribute("data-session")) ?? "";

  test("shows a reply whole, once, though every connection is cut behind two events", async () => {
    proxy.cutStreamsAfter(2);
    const { page: tab, context, incidents } = await open("ann");
    await say(tab, "slow");
    await tab.locator("li[data-role=assistant][data-status=complete]").waitFor({ timeout: 60_000 });
    const texts = await tab.locator("li p").allTextContents();
    assert.deepEqual(texts, ["slow", `${words.join(" ")} `]);
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("two tabs show the same: replies while they are made, versions, what was stopped", async () => {
    const first = await open("bea");
    await say(first.page, "held");
    await replies(first.page, "One.").waitFor();
    const second = await open("bea", await sessionOf(first.page));
    await replies(second.page, "One.").waitFor();
    release();
    for (const { page: tab } of [first, second]) await replies(tab, "One. Two.").waitFor();
    await say(second.page, "held");
    await first.page.getByRole("button", { name: "Stop" }).click();
    for (const { page: tab } of [first, second]) {
      await tab.locator("li[data-status=cancelled]").waitFor();
      assert.equal(await tab.locator("li").count(), 4);
    }
    await first.page.getByRole("button", { name: "Again" }).first().click();
    for (const { page: tab } of [first, second]) await tab.getByText("2/2").waitFor();
    release();
    await second.page.locator("li[data-role=assistant][data-status=complete]").waitFor();
    await second.page.getByRole("button", { name: "The version before" }).click();
    for (const { page: tab } of [first, second]) {
      await tab.getByText("1/2").waitFor();
      await tab.locator("li[data-status=cancelled]").waitFor();
    }
    assert.deepEqual([...first.incidents, ...second.incidents], []);
    await Promise.all([first.context.close(), second.context.close()]);
  });

  test("goes on behind a decision", async () => {
    const { page: tab, context } = await open("cid");
    await say(tab, "confirm");
    await tab.getByRole("button", { name: "Allow erase" }).click();
    await replies(tab, "May I? Done.").waitFor();
    await context.close();
  });

  test("goes on when the network comes back, and sends then what was written meanwhile", async () => {
    const { page: tab, context } = await open("dora");
    await say(tab, "held");
    await replies(tab, "One.").waitFor();
    await context.setOffline(true);
    await say(tab, "replaced");
    await tab.locator("li[data-status=sending]").waitFor();
    release();
    await context.setOffline(false);
    await replies(tab, "One. Two.").waitFor();
    await replies(tab, "Right words and more").waitFor();
    assert.equal(await tab.locator("li").count(), 4);
    await context.close();
  });

  test("tells what is refused, and how much of a file has gone", async () => {
    const { page: tab, context } = await open("eve");
    await tab.getByLabel("Files").setInputFiles({
      name: "a.txt",
      mimeType: "text/plain",
      buffer: Buffer.alloc(2_000_000, 97),
    });
    await tab.evaluate(() => {
      const seen: number[] = [];
      Reflect.set(window, "seen", seen);
      new MutationObserver(() => {
        const bar = document.querySelector("progress");
        if (bar !== null) seen.push(bar.value);
      }).observe(document.body, { subtree: true, childList: true, attributes: true });
    });
    await say(tab, "replaced");
    await replies(tab, "Right words and more").waitFor();
    const seen = await tab.evaluate(() => Reflect.get(window, "seen") as number[]);
    assert.equal(seen.at(-1), 1);
    const tooLong = "x".repeat(10_001);
    await say(tab, tooLong);
    await tab.getByRole("alert").waitFor();
    assert.equal(await tab.getByLabel("Message").inputValue(), tooLong);
    await tab.goto(`${page.url}/?user=eve&session=00000000-0000-7000-8000-000000000000`);
    await tab.getByRole("alert").waitFor();
    await context.close();
  });
});
