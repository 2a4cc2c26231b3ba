import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { composer, gate, openStage, say, type Stage } from "./stage.ts";

describeInBrowser("a part of the page that is still on its way", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  const fields = [
    {
      file: "search-dialog",
      name: "search in everything",
      open: (page: Page) => page.keyboard.press("Control+k"),
      field: '[role="search"] input',
    },
    {
      file: "search-panel",
      name: "search in the conversation",
      open: (page: Page) => page.getByLabel("Search in this conversation").click(),
      field: ".search-panel input",
    },
    {
      file: "session-tags",
      name: "tags",
      open: async (page: Page) => {
        await page.locator(".session-item .menu-button").click();
        await page.getByRole("menuitem", { name: "Tags" }).click();
      },
      field: ".tag-field",
    },
  ] as const;

  test.each(fields)("takes what is typed meanwhile: $name", async ({ file, open, field }) => {
    const { page, context, incidents } = await stage.visit({ path: "/docs" });
    const arrived = gate();
    await page.route(new RegExp(`/${file}-.*\\.js`), async (route) => {
      await arrived.opened;
      await route.continue();
    });
    await page.goto(stage.service.url);
    await say(page, "hello");
    await page.locator(".message.complete.assistant").waitFor();
    await page.locator(".session-item").waitFor();
    await open(page);
    await page.keyboard.type("by");
    // Whoever thinks better of it is where he was.
    await page.keyboard.press("Escape");
    await page.locator("input.off-screen").waitFor({ state: "detached" });
    await open(page);
    await page.keyboard.type("hello");
    assert.equal(await page.locator(field).count(), 0);
    arrived.open();
    await page.locator(field).waitFor();
    assert.equal(await page.locator(field).inputValue(), "hello");
    await page.keyboard.type("!");
    assert.equal(await page.locator(field).inputValue(), "hello!");
    assert.equal(await composer(page).inputValue(), "");
    await page.keyboard.press("Escape");
    await page.locator(field).waitFor({ state: "detached" });
    assert.deepEqual(incidents, []);
    await context.close();
  });
});
