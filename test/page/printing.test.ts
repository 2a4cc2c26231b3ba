import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { describeInBrowser } from "./browser.ts";
import { createFilledDataDir, filledSession } from "./filled-data.ts";
import { openStage, type Stage } from "./stage.ts";

const turns = 150;
const user = "printer";

/** Notes when the page asks to print, and what there is to print then. */
async function catchPrint(page: Page): Promise<void> {
  await page.evaluate(() => {
    window.print = () => document.documentElement.setAttribute("data-printed", "");
  });
}

const printed = (page: Page) => page.locator("html[data-printed]").waitFor({ timeout: 30_000 });

describeInBrowser("printing", () => {
  let stage: Stage;

  beforeAll(async () => {
    const rows = Array.from({ length: turns }, (_, index) => [
      { role: "user" as const, content: `question ${index}` },
      {
        role: "assistant" as const,
        content: `Answer **${index}**.\n\n\`\`\`ts\nconst x = ${index};\n\`\`\`\n\n\\(x^2\\)`,
      },
    ]);
    stage = await openStage({}, await createFilledDataDir(user, rows.flat()));
  }, 120_000);
  afterAll(() => stage?.close());

  test("the whole conversation gets on paper, though the page draws a window of it, in the dark too", async () => {
    const { page, context, incidents } = await stage.visit({
      user,
      colorScheme: "dark",
      path: `/?session=${filledSession}`,
    });
    await page.getByText(`question ${turns - 1}`).waitFor();
    await catchPrint(page);
    await page.keyboard.press("Control+p");
    await printed(page);
    await page.emulateMedia({ media: "print" });
    const view = page.locator(".print-view");
    assert.equal(await view.locator("section").count(), turns * 2);
    assert.equal(await view.locator(".katex").count(), turns);
    assert.equal(await view.locator(".hljs-keyword").count(), turns);
    assert.equal(await page.locator(".workspace").isVisible(), false);
    assert.equal(await page.getByRole("dialog").count(), 0);
    assert.equal(
      await view
        .locator("section")
        .first()
        .evaluate((part) => getComputedStyle(part).color),
      "rgb(0, 0, 0)",
    );
    const pages = (await page.pdf()).toString("latin1").match(/\/Type \/Page\b/g)?.length ?? 0;
    assert.ok(pages > 20, `${pages} pages`);
    await page.emulateMedia({ media: "screen" });
    assert.equal(await view.isVisible(), false);
    await page.evaluate(() => window.dispatchEvent(new Event("afterprint")));
    await view.waitFor({ state: "detached" });
    assert.deepEqual(incidents, []);
    await context.close();
  }, 60_000);

  test("it goes on after a lost network, and can be given up", async () => {
    const { page, context } = await stage.visit({ user, path: `/?session=${filledSession}` });
    await page.getByText(`question ${turns - 1}`).waitFor();
    await catchPrint(page);
    await page.getByRole("button", { name: "What to do with “Long”" }).click();
    await context.setOffline(true);
    await page.getByRole("menuitem", { name: "Print…" }).click();
    const dialog = page.getByRole("dialog", { name: "Print the conversation" });
    await dialog.getByText("cannot be reached").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
    await page.keyboard.press("Control+p");
    await dialog.getByText("cannot be reached").waitFor();
    await context.setOffline(false);
    await printed(page);
    assert.equal(await page.locator(".print-view section").count(), turns * 2);
    await context.close();
  }, 60_000);
});
