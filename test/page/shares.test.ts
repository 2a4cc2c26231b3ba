import assert from "node:assert/strict";
import { afterAll, beforeAll, test } from "vitest";
import { faults } from "./axe.ts";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, type Stage } from "./stage.ts";

describeInBrowser("sharing a conversation", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.close());

  test("a link is made from the menu, read by somebody else, and ended", async () => {
    const { page, context, incidents } = await stage.visit({ user: "sharer" });
    stage.model.enqueue({ tokens: ["**one**"] });
    await say(page, "first <b>question</b>");
    await page.locator(".message.assistant.complete").waitFor();
    await page.locator(".session-menu button").first().click();
    await page.getByRole("menuitem", { name: "Share…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Make a link" }).click();
    const link = dialog.getByRole("textbox", { name: "Link" });
    await link.waitFor();
    assert.deepEqual(await faults(page), []);
    await dialog.getByRole("button", { name: "Copy the link" }).click();
    await dialog.getByRole("button", { name: "Copied" }).waitFor();
    const url = await link.inputValue();

    const other = await stage.visit({ user: "reader" });
    const shown = await other.page.goto(url);
    assert.equal(shown?.status(), 200);
    await other.page.getByText("first <b>question</b>", { exact: true }).last().waitFor();
    await other.page.getByText("**one**", { exact: true }).waitFor();
    assert.deepEqual(await faults(other.page), []);
    assert.deepEqual(other.incidents, []);

    await dialog.getByRole("button", { name: "End this link" }).click();
    await link.waitFor({ state: "detached" });
    assert.equal((await other.page.reload())?.status(), 404);
    assert.deepEqual(incidents, []);
    await other.context.close();
    await context.close();
  });
});
