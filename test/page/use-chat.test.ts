import assert from "node:assert/strict";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { build, type Rolldown } from "vite";
import { afterAll, beforeAll, test } from "vitest";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { describeInBrowser, startBrowser } from "./browser.ts";

/** The page of test/page/use-chat.ts as one script. */
async function bundled(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "error",
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
      write: false,
      target: "esnext",
      lib: { entry: join(import.meta.dirname, "use-chat.ts"), formats: ["es"], fileName: "page" },
    },
  });
  const [output] = [built].flat() as Rolldown.RolldownOutput[];
  return output?.output[0].code ?? "";
}

describeInBrowser("useChat of the AI SDK", () => {
  let acted: ActedService;
  let browser: Browser;
  let script: string;
  beforeAll(async () => {
    [acted, browser, script] = await Promise.all([
      startActedService(scripts),
      startBrowser(),
      bundled(),
    ]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await acted?.close();
  });

  /** A browser of its own, whose page is of the service's origin. */
  async function visit(id: string): Promise<Page> {
    const context = await browser.newContext();
    context.setDefaultTimeout(15_000);
    await context.route("**/use-chat.js", (route) =>
      route.fulfill({ contentType: "text/javascript", body: script }),
    );
    await context.route("**/use-chat?*", (route) =>
      route.fulfill({
        contentType: "text/html",
        body: '<!doctype html><body><script type="module" src="/use-chat.js"></script></body>',
      }),
    );
    const page = await context.newPage();
    await page.goto(`${acted.url}/use-chat?agent=actor&id=${id}`);
    await page
      .locator("output", { hasText: "ready" })
      .or(page.locator("article"))
      .first()
      .waitFor();
    return page;
  }

  const say = async (page: Page, text: string) => {
    await page.locator("input").fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };
  const last = (page: Page, text: string) =>
    page.locator("article.assistant:last-of-type", { hasText: text });
  const said = (page: Page) => page.locator("article").allTextContents();

  test("sends, shows, allows, asks again, and has all of it when the page is opened anew", async () => {
    const page = await visit("a-chat");
    await say(page, "everything");
    await last(page, "First. 你好, world.").waitFor();
    await say(page, "confirm");
    await page.getByRole("button", { name: "Allow erase" }).click();
    await last(page, "May I? Done.").waitFor();
    await page.locator("output", { hasText: "ready" }).waitFor();
    assert.deepEqual(acted.decided.at(-1), [{ id: "r1", approved: true }]);
    await say(page, "replaced");
    await last(page, "Right words and more").waitFor();
    await page.locator("output", { hasText: "ready" }).waitFor();
    const runs = acted.runs();
    await page.getByRole("button", { name: "Again" }).click();
    // It may be over before the page is looked at.
    while (acted.runs() === runs) await page.waitForTimeout(20);
    await page.locator("output", { hasText: "ready" }).waitFor();
    assert.equal(acted.runs(), runs + 1);
    const before = await said(page);
    assert.equal(before.length, 6);
    const opened = await visit("a-chat");
    await last(opened, "Right words and more").waitFor();
    assert.deepEqual(await said(opened), before);
    await page.context().close();
    await opened.context().close();
  });

  test("shows what is being made to a page that is opened meanwhile, until it is stopped", async () => {
    const page = await visit("another-chat");
    await say(page, "waits");
    await last(page, "Half").waitFor();
    const opened = await visit("another-chat");
    await last(opened, "Half").waitFor();
    await opened.locator("output", { hasText: "streaming" }).waitFor();
    const stopped = await opened.evaluate(async () => {
      const headers = { "X-User-Id": "reader" };
      const answer = await fetch("/ai/actor/another-chat/stop", { method: "POST", headers });
      return (await answer.json()) as unknown;
    });
    assert.deepEqual(stopped, { stopped: true });
    for (const each of [page, opened]) {
      await each.locator("output", { hasText: "ready" }).waitFor();
      assert.deepEqual(await said(each), ["waits", "Half "]);
      await each.context().close();
    }
  });
});
